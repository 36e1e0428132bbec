// The soak: the real binary under real faults for a given time, and its clients' own history held against it after each round.
//
//   soak [--seconds N] [--rounds N] [--seed N] [--only KIND]... [--lanes N]
//
// Lanes are threads; each draws a kind of trouble, holds a sale of some rounds in it, and draws again. Ends with a table and 1
// if a promise was broken or a negative control lost nothing.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // an interrupted soak tidies up
#include <doctest/doctest.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "mount.h"
#include "report.h"
#include "scenario.h"

namespace stampede::soak {
namespace {

using Clock = std::chrono::steady_clock;

struct Kind {
  const char* name;
  const char* what;
  std::unique_ptr<Scenario> (*make)(Report&, Dice&);
  bool needs_mounts;
  bool is_of_first_lane;    // it has servers that the program has once
  uint64_t control_rounds;  // a negative control has so many, and must lose
};

constexpr Kind kKinds[] = {
    {"kills", "kill -9 under load, in starts, stops, reshards", make_kills, false, false, 0},
    {"cuts", "power cuts", make_cuts, true, false, 0},
    {"control", "cuts of a server that does not sync: must lose", make_control, true, false, 20},
    {"disk", "a disk that is full, fails or stalls", make_disk, true, false, 0},
    {"redis", "Redis killed, stopped, cut off, failed over", make_redis, false, true, 0},
    {"database", "PostgreSQL killed, stopped, failed over", make_database, false, true, 0},
    {"clock", "starts in which boot time is days off", make_clocks, true, false, 0},
};

struct Options {
  uint64_t seconds = 3600, rounds = 0, seed = std::random_device{}();
  unsigned lanes = 2 * std::max(1u, std::thread::hardware_concurrency());  // disks are waited for
  std::vector<std::string> only;
};

Options options;

// One kind as it is going: its report, and how many sales have begun.
struct Course {
  explicit Course(const Kind& of) : kind(of), report(of.name) {
    if (kind.control_rounds != 0) report.set_control();
  }
  uint64_t rounds_max() const {
    return kind.control_rounds != 0 ? kind.control_rounds : options.rounds;
  }
  const Kind& kind;
  Report report;
  std::atomic<uint64_t> sales{0};
  std::atomic<uint64_t> begun{0};  // rounds, of all lanes
  bool is_over() const { return rounds_max() != 0 && begun >= rounds_max(); }
};

// Of this process and of those that it has waited for.
double cpu_seconds() {
  double all = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime})
      all += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  return all;
}

class Soak {
 public:
  explicit Soak(const std::string& no_mounts) : no_mounts_(no_mounts) {
    for (const Kind& kind : kKinds) {
      if (!is_wanted(kind.name)) continue;
      if (kind.needs_mounts && !no_mounts.empty())
        std::printf("%s: %s: skipped\n", kind.name, no_mounts.c_str());
      else
        courses_.push_back(std::make_unique<Course>(kind));
    }
  }

  void run() {
    std::vector<std::thread> lanes;
    for (unsigned i = 0; i < options.lanes; ++i) lanes.emplace_back([this, i] { run_lane(i); });
    std::thread herald([this] { tell(); });
    for (std::thread& lane : lanes) lane.join();
    is_over_ = true;
    herald.join();
  }

  // False when a promise was broken.
  bool print_table() const;

 private:
  static bool is_as_promised(const Course& course) {
    const Report& report = course.report;
    if (!report.is_control()) return report.wrongs() == 0;
    return report.wrongs(Wrong::lost) > 0 || report.rounds() < course.kind.control_rounds;
  }
  // The control goes with its kind.
  static bool is_wanted(std::string name) {
    if (name == "control") name = "cuts";
    return options.only.empty() ||
           std::find(options.only.begin(), options.only.end(), name) != options.only.end();
  }
  bool is_time_over() const {
    return Report::is_interrupted() ||
           (options.seconds != 0 && Clock::now() - began_ > std::chrono::seconds(options.seconds));
  }

  Course* draw(unsigned lane, Dice& dice) {
    std::vector<Course*> open;
    for (const auto& course : courses_)
      if (!course->is_over() && (lane == 0 || !course->kind.is_of_first_lane))
        open.push_back(course.get());
    return open.empty() ? nullptr : open[dice.index(open.size())];
  }

  void run_lane(unsigned lane) {
    std::seed_seq seeds{options.seed, uint64_t{lane}};
    std::array<uint32_t, 2> words;
    seeds.generate(words.begin(), words.end());
    Dice dice((uint64_t{words[0]} << 32) | words[1]);
    while (!is_time_over())
      if (Course* const course = draw(lane, dice); course != nullptr)
        hold_sale(*course, dice.seed());
      else
        return;
  }

  // A sale that broke is reported; the next one is another.
  void hold_sale(Course& course, uint64_t seed) {
    ++course.sales;
    Dice dice(seed);
    try {
      const std::unique_ptr<Scenario> scenario = course.kind.make(course.report, dice);
      for (int64_t rounds = dice.between(10, 40); rounds > 0 && !is_time_over(); --rounds) {
        if (course.begun++ >= course.rounds_max() && course.rounds_max() != 0) break;
        scenario->round();
        course.report.add_round();
      }
      scenario->close();
    } catch (const Broken& broken) {
      course.report.add(Wrong::other, std::string("the sale was given up: ") + broken.what());
    } catch (...) {  // a REQUIRE of the harness, which has said why
      course.report.add(Wrong::other, "the sale was given up");
    }
  }

  void tell() {
    for (int second = 1; !is_over_; ++second) {
      std::this_thread::sleep_for(std::chrono::seconds{1});
      if (second % 10 != 0) continue;
      std::string line = std::to_string(second) + " s";
      for (const auto& course : courses_)
        line += ", " + course->report.kind() + " " + std::to_string(course->report.rounds());
      std::puts(line.c_str());
      std::fflush(stdout);
    }
  }

  const std::string no_mounts_;
  const Clock::time_point began_ = Clock::now();
  std::vector<std::unique_ptr<Course>> courses_;
  std::atomic<bool> is_over_{false};
};

bool Soak::print_table() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  std::printf("\nseed %llu, %.0f s, %.0f CPU-seconds\n",
              static_cast<unsigned long long>(options.seed), seconds, cpu_seconds());
  std::printf("%-10s %8s %8s %14s %6s %8s %9s %7s %6s\n", "kind", "rounds", "per s", "acknowledged",
              "lost", "doubled", "oversold", "unsold", "other");
  bool is_well = true;
  for (const auto& course : courses_) {
    const Report& report = course->report;
    std::printf("%-10s %8llu %8.1f %14llu", report.kind().c_str(),
                static_cast<unsigned long long>(report.rounds()),
                static_cast<double>(report.rounds()) / seconds,
                static_cast<unsigned long long>(report.acknowledged()));
    constexpr int kWidths[kWrongs] = {6, 8, 9, 7, 6};
    for (size_t i = 0; i < kWrongs; ++i)
      std::printf(" %*llu", kWidths[i],
                  static_cast<unsigned long long>(report.wrongs(static_cast<Wrong>(i))));
    std::printf("\n");
    is_well = is_well && is_as_promised(*course);
  }
  return is_well;
}

bool has_run_well = false;

// The harness checks with doctest's macros, which want a case to run in.
TEST_CASE("the soak") {
  Soak soak(enter_own_mounts());
  soak.run();
  has_run_well = soak.print_table();
}

int run(int argc, char** argv) {
  CLI::App app{"The real binary under real faults."};
  std::set<std::string> kinds;
  for (const Kind& kind : kKinds) kinds.insert(kind.name);
  app.add_option("--seconds", options.seconds, "how long; 0: until all rounds are over");
  app.add_option("--rounds", options.rounds,
                 "of each kind at most; 0: as many as there is time for");
  app.add_option("--seed", options.seed, "repeats the chance of an earlier run");
  app.add_option("--only", options.only, "kinds of trouble")->check(CLI::IsMember(kinds));
  app.add_option("--lanes", options.lanes, "sales at once");
  CLI11_PARSE(app, argc, argv);
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  doctest::Context context;
  context.setOption("minimal", true);
  const int failed = context.run();
  return failed == 0 && has_run_well ? 0 : 1;
}

}  // namespace
}  // namespace stampede::soak

int main(int argc, char** argv) {
  // The first ends all lanes after their round; a second ends the program, and the kernel the rest.
  signal(SIGPIPE, SIG_IGN);
  for (const int number : {SIGINT, SIGTERM})
    signal(number, [](int received) {
      stampede::soak::Report::interrupt();
      signal(received, SIG_DFL);
    });
  if (sodium_init() < 0) return 1;
  return stampede::soak::run(argc, argv);
}
