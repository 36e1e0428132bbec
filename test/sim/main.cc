// The simulator: whole nodes in one thread, driven by seeds.
//
//   build/release/sim --runs 2000              seeds 1 … 2000, as many at a time as there are CPUs
//   build/release/sim --seed 7 --runs 1 --print    one of them, with everything that happens
//
// A broken promise ends with the seed, the plan, the fewest faults that still break it and the last turns in words.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/diag.h"
#include "cmd/commands.h"
#include "run.h"
#include "workers.h"

// jemalloc's: memory is kept for the next start. A seed starts a node a dozen times, and giving the pages back in between was a
// tenth of its time.
extern "C" const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,narenas:1";

namespace stampede::sim {
namespace {

struct Flags {
  uint64_t seed = 1, runs = 1;
  uint32_t jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string first, faults = "all";
  bool prints = false, shrinks = true;
};

// The fewest faults that still break a promise: each is left out in turn, for as long as that helps.
MishapSet shrink(uint64_t seed, MishapSet faults) {
  for (bool is_smaller = true; is_smaller;) {
    is_smaller = false;
    for (size_t i = 0; i < kMishapCount; ++i) {
      const MishapSet fewer = faults & ~(MishapSet{1} << i);
      if (fewer == faults || run_seed(seed, fewer, false).broken.empty()) continue;
      faults = fewer;
      is_smaller = true;
    }
  }
  return faults;
}

// Tells why, and with how little it still does.
int report(uint64_t seed, MishapSet allowed, const Report& outcome, bool shrinks) {
  std::printf("\nstampede %s\n%s\n", cmd::version_text(),
              text_of(draw_plan(seed, allowed)).c_str());
  for (const std::string& sentence : outcome.broken) std::printf("BROKEN: %s\n", sentence.c_str());
  std::printf("the last turns:\n%s", outcome.last_turns.c_str());
  if (!shrinks) return 1;
  (void)std::fflush(stdout);
  const MishapSet fewest = shrink(seed, draw_plan(seed, allowed).faults);
  std::printf("again with the fewest faults: --seed %lu --faults %s --print\n", seed,
              text_of_mishaps(fewest).c_str());
  return 1;
}

// A worker found it broken, or died of it.
int run_again(uint64_t seed, MishapSet allowed, bool shrinks) {
  std::printf("seed %lu:\n", seed);
  (void)std::fflush(stdout);
  const Report outcome = run_seed(seed, allowed, false);
  if (!outcome.broken.empty()) return report(seed, allowed, outcome, shrinks);
  std::printf("stampede %s: a promise was broken, and was kept when the seed was run again\n",
              cmd::version_text());
  return 1;
}

// Those of the list, then those that follow each other; nullopt: the list cannot be read.
std::optional<std::vector<uint64_t>> seeds_of(const Flags& flags) {
  std::vector<uint64_t> seeds;
  if (!flags.first.empty()) {
    std::ifstream list(flags.first);
    if (!list) return std::nullopt;
    for (std::string line; std::getline(list, line);)
      if (!line.empty() && line[0] != '#')
        seeds.push_back(std::strtoull(line.c_str(), nullptr, 10));
  }
  for (uint64_t i = 0; i < flags.runs; ++i) seeds.push_back(flags.seed + i);
  return seeds;
}

int run_all(const std::vector<uint64_t>& seeds, MishapSet allowed, const Flags& flags) {
  SeedOutcome sum;
  const auto began = std::chrono::steady_clock::now();
  std::optional<uint64_t> bad;
  {
    Workers workers(seeds, allowed, flags.jobs);
    for (size_t i = 0; i < seeds.size() && !bad; ++i) {
      const std::optional<SeedOutcome> outcome = workers.next();
      if (!outcome || outcome->is_broken) {
        bad = seeds[i];
      } else if (outcome->has_differed) {
        std::printf("stampede %s, seed %lu: two runs of it differ\n", cmd::version_text(),
                    seeds[i]);
        return 1;
      } else {
        sum.answers += outcome->answers;
        sum.orders += outcome->orders;
        sum.lives += outcome->lives;
        sum.steps += outcome->steps;
        sum.simulated_ns += outcome->simulated_ns;
      }
    }
  }
  if (bad) return run_again(*bad, allowed, flags.shrinks);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%lu seeds up to %lu in %.1f s: %.2f simulated days, %lu starts, %lu orders, %lu answers, "
      "%lu "
      "rounds; every promise kept\n",
      seeds.size(), seeds.back(), took.count(), static_cast<double>(sum.simulated_ns) / 86'400e9,
      sum.lives, sum.orders, sum.answers, sum.steps);
  return 0;
}

int run(const Flags& flags) {
  MishapSet allowed = kAllMishaps;
  if (!parse_mishaps(flags.faults, allowed)) {
    std::fprintf(stderr, "sim: --faults %s: no such fault; they are %s\n", flags.faults.c_str(),
                 text_of_mishaps(kAllMishaps).c_str());
    return 2;
  }
  const auto seeds = seeds_of(flags);
  if (!seeds || seeds->empty()) {
    std::fprintf(stderr, "sim: no seeds%s%s\n", seeds ? "" : "; cannot read ", flags.first.c_str());
    return 2;
  }
  if (!flags.prints) return run_all(*seeds, allowed, flags);
  for (const uint64_t seed : *seeds)
    if (const Report outcome = run_seed(seed, allowed, true); !outcome.broken.empty())
      return report(seed, allowed, outcome, flags.shrinks);
  return 0;
}

}  // namespace
}  // namespace stampede::sim

int main(int argc, char** argv) {
  // Operators' acts and epochs would drown what the simulator itself has to say.
  stampede::diag::configure(stampede::diag::Level::warning, stampede::diag::Format::text);
  stampede::sim::Flags flags;
  CLI::App app(
      "A simulated world in which the promises are tried: whole nodes in one thread, driven by "
      "seeds.");
  app.add_option("--seed", flags.seed, "the first seed")->capture_default_str();
  app.add_option("--runs", flags.runs, "how many seeds from there on")->capture_default_str();
  app.add_option("--first", flags.first, "a file of seeds that are run before these, one a line");
  app.add_option("--jobs", flags.jobs, "how many at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--faults", flags.faults,
                 "which may happen: all, none, or names with commas between");
  app.add_flag("--print", flags.prints, "print everything that happens");
  app.add_flag("!--no-shrink", flags.shrinks,
               "do not look for the fewest faults that still break a promise");
  CLI11_PARSE(app, argc, argv);
  if (!stampede::sim::prepare_runs()) return 1;
  return stampede::sim::run(flags);
}
