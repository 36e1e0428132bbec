// The simulator: whole nodes in one thread, driven by seeds.
//
//   build/release/sim --runs 2000              seeds 1 … 2000
//   build/release/sim --seed 7 --runs 1 --print    one of them, with everything that happens
//
// A broken promise ends with the seed, the plan, the fewest faults that still break it and the last turns in words.
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "simulation.h"

namespace stampede::sim {
namespace {

struct Flags {
  uint64_t seed = 1, runs = 1;
  std::string faults = "all";
  bool prints = false, shrinks = true;
};

// Files of one simulation, in memory where there is such a file system.
class Scratch {
 public:
  Scratch() {
    path_ =
        std::string(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/stampede-sim-XXXXXX";
    CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What production code takes from the kernel's chance comes from the seed.
Random chance(0);
uint32_t draw_word() {
  return static_cast<uint32_t>(chance.next());
}
void draw_bytes(void* const to, const size_t size) {
  for (size_t i = 0; i < size; ++i)
    static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(chance.next());
}
const char* chance_name() {
  return "seed";
}
randombytes_implementation seeded_chance{.implementation_name = chance_name,
                                         .random = draw_word,
                                         .stir = nullptr,
                                         .uniform = nullptr,
                                         .buf = draw_bytes,
                                         .close = nullptr};

Report run_seed(uint64_t seed, MishapSet allowed, bool prints) {
  const Scratch scratch;
  const Plan plan = draw_plan(seed, allowed);
  if (prints) std::printf("%s\n", text_of(plan).c_str());
  chance = Random(seed ^ 0x5eed);
  return Simulation(plan, scratch.path(), prints).run();
}

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

void report(uint64_t seed, MishapSet allowed, const Report& outcome, bool shrinks) {
  std::printf("\n%s\n", text_of(draw_plan(seed, allowed)).c_str());
  for (const std::string& sentence : outcome.broken) std::printf("BROKEN: %s\n", sentence.c_str());
  std::printf("the last turns:\n%s", outcome.last_turns.c_str());
  if (!shrinks) return;
  const MishapSet fewest = shrink(seed, draw_plan(seed, allowed).faults);
  std::printf("again with the fewest faults: --seed %lu --faults %s --print\n", seed,
              text_of_mishaps(fewest).c_str());
}

int run(const Flags& flags) {
  MishapSet allowed = kAllMishaps;
  if (!parse_mishaps(flags.faults, allowed)) {
    std::fprintf(stderr, "sim: --faults %s: no such fault; they are %s\n", flags.faults.c_str(),
                 text_of_mishaps(kAllMishaps).c_str());
    return 2;
  }
  Report sum;
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t seed = flags.seed; seed < flags.seed + flags.runs; ++seed) {
    const Report outcome = run_seed(seed, allowed, flags.prints);
    if (!outcome.broken.empty()) {
      report(seed, allowed, outcome, flags.shrinks);
      return 1;
    }
    if (seed % 100 == 0 && run_seed(seed, allowed, false).trace != outcome.trace) {
      std::printf("seed %lu: two runs of it differ\n", seed);
      return 1;
    }
    sum.answers += outcome.answers;
    sum.orders += outcome.orders;
    sum.lives += outcome.lives;
    sum.steps += outcome.steps;
    sum.simulated_ns += outcome.simulated_ns;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(
      "%lu seeds from %lu in %.1f s: %.2f simulated days, %lu starts, %lu orders, %lu answers, %lu "
      "rounds; every promise kept\n",
      flags.runs, flags.seed, took.count(), static_cast<double>(sum.simulated_ns) / 86'400e9,
      sum.lives, sum.orders, sum.answers, sum.steps);
  return 0;
}

}  // namespace
}  // namespace stampede::sim

int main(int argc, char** argv) {
  stampede::sim::Flags flags;
  CLI::App app(
      "A simulated world in which the promises are tried: whole nodes in one thread, driven by "
      "seeds.");
  app.add_option("--seed", flags.seed, "the first seed")->capture_default_str();
  app.add_option("--runs", flags.runs, "how many seeds, one after the other")
      ->capture_default_str();
  app.add_option("--faults", flags.faults,
                 "which may happen: all, none, or names with commas between");
  app.add_flag("--print", flags.prints, "print everything that happens");
  app.add_flag("!--no-shrink", flags.shrinks,
               "do not look for the fewest faults that still break a promise");
  CLI11_PARSE(app, argc, argv);
  randombytes_set_implementation(&stampede::sim::seeded_chance);
  if (sodium_init() < 0) return 1;
  return stampede::sim::run(flags);
}
