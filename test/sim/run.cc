#include "run.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace stampede::sim {
namespace {

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

}  // namespace

std::string memory_directory() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

Scratch::Scratch(const std::string& parent) : path_(parent + "/stampede-sim-XXXXXX") {
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool prepare_runs() {
  randombytes_set_implementation(&seeded_chance);
  return sodium_init() >= 0;
}

Report run_seed(uint64_t seed, MishapSet allowed, bool prints, const std::string& directory) {
  const Scratch scratch(directory);
  const Plan plan = draw_plan(seed, allowed);
  if (prints) std::printf("%s\n", text_of(plan).c_str());
  chance = Random(seed ^ 0x5eed);
  return Simulation(plan, scratch.path(), prints).run();
}

SeedOutcome try_seed(uint64_t seed, MishapSet allowed, const std::string& directory) {
  const Report report = run_seed(seed, allowed, false, directory);
  SeedOutcome outcome{.seed = seed,
                      .is_broken = !report.broken.empty(),
                      .answers = report.answers,
                      .orders = report.orders,
                      .lives = report.lives,
                      .steps = report.steps,
                      .simulated_ns = report.simulated_ns};
  if (seed % 100 == 0 && !outcome.is_broken)
    outcome.has_differed = run_seed(seed, allowed, false, directory).trace != report.trace;
  return outcome;
}

}  // namespace stampede::sim
