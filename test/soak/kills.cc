// kill -9 at any moment: under load, in a start, in a stop, while the streams move to another number of shards, and after the
// process was stopped and went on. One server with the embedded ledger and SQLite.
//
// With clocks: each start is in a time namespace of its own, so that CLOCK_BOOTTIME and CLOCK_MONOTONIC of its process are days
// before or behind those of the last one; nobody's time to pay may be over by that. CLOCK_REALTIME belongs to the whole machine
// and is in no namespace: steps of it cannot be confined, and are not made here.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "mount.h"
#include "sale.h"
#include "scenario.h"

namespace stampede::soak {
namespace {

using e2e::milliseconds;

// The program that the child becomes has its clocks moved by so many seconds.
std::function<void()> in_time_namespace(int64_t seconds) {
  const std::string by = std::to_string(seconds);
  return [text = "monotonic " + by + " 0\nboottime " + by + " 0\n"] {
    if (unshare(CLONE_NEWTIME) != 0) _exit(126);
    const int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(126);
    close(fd);
  };
}

class Kills final : public Scenario {
 public:
  Kills(Report& report, Dice& dice, bool steps_clocks)
      : report_(report),
        dice_(dice),
        steps_clocks_(steps_clocks),
        total_(dice.between(200, 3000)),
        disk_(make_disk()),
        server_({.catalog = catalog_of(total_),
                 .shards = draw_shards(),
                 .flags = {{"--orders-max", "50000"}, {"--lease-max", "16"}},
                 .data = disk_ ? disk_->mount.path("data") : "",
                 .starts = false}),
        sale_(report, dice, total_, {&server_}) {
    start(report_, server_);
  }

  void round() override {
    end_life();
    while (dice_.one_in(3)) start_briefly();
    if (steps_clocks_) step_clocks();
    start(report_, server_);
    sale_.check();
  }

  void close() override {
    sale_.close([this](const std::string& sql) {
      return e2e::Database(server_.database_path()).rows(sql);
    });
    audit(report_, {"--data", server_.data()});
  }

 private:
  // Where it can be had: an ext4 on memory, whose flushes take no time.
  struct Disk {
    MemoryFile file{256};
    Mount mount{make_ext4(file)};
  };
  static std::unique_ptr<Disk> make_disk() {
    return has_own_mounts() ? std::make_unique<Disk>() : nullptr;
  }
  int draw_shards() { return static_cast<int>(dice_.between(1, 4)); }

  // Some time under load, once in a while long enough for segments to fill and snapshots to be made, and the end.
  void end_life() {
    sale_.open();
    sale_.await_answers(static_cast<size_t>(dice_.one_in(10) ? 4000 : dice_.between(0, 400)),
                        milliseconds{dice_.one_in(10) ? 500 : dice_.between(1, 60)});
    switch (dice_.between(1, 6)) {
      case 1:
        stop_and_kill();
        break;
      case 2:
        pause();
        break;
      case 3:
        stop();
        break;
    }
    server_.kill9();
    sale_.rest();
    if (dice_.one_in(3)) server_.options().shards = draw_shards();
  }
  void stop_and_kill() {
    server_.process().signal(SIGTERM);
    server_.process().wait(milliseconds{dice_.between(0, 40)});
  }
  void pause() {
    server_.pause();
    std::this_thread::sleep_for(milliseconds{dice_.between(0, 30)});
    if (dice_.one_in(2)) return;  // killed as it stands
    server_.go_on();
    std::this_thread::sleep_for(milliseconds{dice_.between(0, 10)});
  }
  void stop() {
    if (const int code = server_.terminate(); code != 0)
      report_.add(Wrong::other,
                  "the stop ended with " + std::to_string(code) + ": " + server_.said());
  }
  void step_clocks() {
    constexpr int64_t kDays = 5 * 86'400;
    // Time must not become negative; a machine may have been up for a moment only.
    timespec up{};
    clock_gettime(CLOCK_MONOTONIC, &up);
    const int64_t seconds =
        dice_.one_in(3) ? 0 : dice_.between(1 - std::min(up.tv_sec, kDays), kDays);
    server_.options().prepare = in_time_namespace(seconds);
  }
  // A start that is killed at any moment of it, and may have been one with another number of shards.
  void start_briefly() {
    e2e::Process brief(server_.command(), server_.stderr_path());
    brief.wait(milliseconds{dice_.between(0, 150)});
  }

  Report& report_;
  Dice& dice_;
  const bool steps_clocks_;
  const int64_t total_;
  const std::unique_ptr<Disk> disk_;
  e2e::Server server_;
  Sale sale_;
};

}  // namespace

std::unique_ptr<Scenario> make_kills(Report& report, Dice& dice) {
  return std::make_unique<Kills>(report, dice, false);
}

std::unique_ptr<Scenario> make_clocks(Report& report, Dice& dice) {
  return std::make_unique<Kills>(report, dice, true);
}

}  // namespace stampede::soak
