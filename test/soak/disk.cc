// A disk that is full, fails, or takes its time, under load and in starts. Full: new orders are refused, and it goes on by itself
// when there is room. A write that fails ends the server (71); it starts again on the mended disk. A stall is waited out.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "machine.h"
#include "sale.h"
#include "scenario.h"

namespace stampede::soak {
namespace {

using e2e::milliseconds;

constexpr int kWriteFailed = 71, kCouldNotGoOn = 1;  // of the exit codes

class Disk final : public Scenario {
 public:
  Disk(Report& report, Dice& dice)
      : report_(report),
        dice_(dice),
        total_(dice.between(200, 3000)),
        server_({.catalog = catalog_of(total_),
                 .shards = static_cast<int>(dice.between(1, 2)),
                 .flags = {{"--orders-max", "50000"}, {"--lease-max", "16"}},
                 .data = machine_.data(),
                 .starts = false}),
        sale_(report, dice, total_, {&server_}) {
    start(report_, server_);
  }

  void round() override {
    sale_.open();
    load();
    switch (dice_.between(1, 4)) {
      case 1:
        be_full();
        break;
      case 2:
        fail();
        break;
      case 3:
        fail_in_start();
        break;
      case 4:
        stall();
        break;
    }
    sale_.check();
  }

  void close() override {
    sale_.close([this](const std::string& sql) {
      return e2e::Database(server_.database_path()).rows(sql);
    });
    audit(report_, {"--data", server_.data()});
  }

 private:
  void load() {
    sale_.await_answers(static_cast<size_t>(dice_.between(0, 400)),
                        milliseconds{dice_.between(1, 60)});
  }

  std::string filler() const { return machine_.path("filler"); }
  // A server of another sale must not inherit it, or its blocks are taken as long as that lives.
  void fill() {
    const int fd = open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (const size_t piece : {size_t{1} << 20, size_t{1} << 12, size_t{1}}) {
      const std::string bytes(piece, 'x');
      while (write(fd, bytes.data(), piece) > 0) continue;
    }
    ::close(fd);
  }

  // To the last block, so that nothing can be made ready: buyers who go on for long enough are refused.
  void be_full() {
    fill();
    sale_.await_answers(static_cast<size_t>(dice_.between(0, 2000)), milliseconds{300});
    const bool is_killed = dice_.one_in(3);
    if (is_killed) {
      server_.kill9();
      // Whether it can start on a full disk is its own decision: it must say so, or work.
      if (dice_.one_in(2) && !server_.try_start()) server_.kill9();
    }
    std::remove(filler().c_str());
    if (!is_killed) load();
    sale_.rest();
    if (is_killed) start(report_, server_);
  }

  void fail() {
    machine_.disk().fail();
    server_.process().wait(milliseconds{dice_.between(0, 100)});
    end_and_mend();
    start(report_, server_);
  }

  void fail_in_start() {
    server_.kill9();
    sale_.rest();
    {
      e2e::Process brief(server_.command(), server_.stderr_path());
      brief.wait(milliseconds{dice_.between(0, 150)});
      machine_.disk().fail();
      brief.wait(milliseconds{dice_.between(0, 100)});
    }
    bring_back();
    start(report_, server_);
  }

  void end_and_mend() {
    const auto code = server_.process().wait(milliseconds{0});
    if (code && *code != kWriteFailed && *code != kCouldNotGoOn)
      report_.add(Wrong::other,
                  "a failed write ended it with " + std::to_string(*code) + ": " + server_.said());
    if (!code) server_.kill9();
    sale_.rest();
    bring_back();
  }
  void bring_back() {
    machine_.bring_back(dice_);
    // A failed disk may never have heard that the file is gone.
    std::remove(filler().c_str());
    server_.options().data = machine_.data();
  }

  void stall() {
    machine_.disk().stall();
    std::this_thread::sleep_for(milliseconds{dice_.between(1, 300)});
    const bool is_killed = dice_.one_in(2);
    if (is_killed) server_.process().signal(SIGKILL);
    machine_.disk().resume();
    if (!is_killed) load();
    if (is_killed) server_.kill9();
    sale_.rest();
    if (is_killed) start(report_, server_);
  }

  Report& report_;
  Dice& dice_;
  const int64_t total_;
  Machine machine_;
  e2e::Server server_;
  Sale sale_;
};

}  // namespace

std::unique_ptr<Scenario> make_disk(Report& report, Dice& dice) {
  return std::make_unique<Disk>(report, dice);
}

}  // namespace stampede::soak
