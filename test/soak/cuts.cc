// Power cuts: the disk forgets what was not flushed, block by block as chance has it, in the middle of whatever goes on. ext4
// replays its journal, and the server starts on what is there. It and its buyers' answers must have been right about "durable".
//
// The control is the same with a server that acknowledges without sync: if it loses nothing the cuts do not bite.
#include <signal.h>

#include "machine.h"
#include "sale.h"
#include "scenario.h"

namespace stampede::soak {
namespace {

using e2e::milliseconds;
using Flags = std::vector<std::pair<std::string, std::string>>;

class Cuts : public Scenario {
 public:
  Cuts(Report& report, Dice& dice, const Flags& more = {})
      : report_(report),
        dice_(dice),
        total_(dice.between(200, 3000)),
        server_({.catalog = catalog_of(total_),
                 .shards = draw_shards(),
                 .flags = flags(more),
                 .data = machine_.data(),
                 .starts = false}),
        sale_(report, dice, total_, {&server_}) {
    start(report_, server_);
  }

  void round() override {
    sale_.open();
    sale_.await_answers(static_cast<size_t>(dice_.between(0, dice_.one_in(10) ? 4000 : 400)),
                        milliseconds{dice_.one_in(10) ? 500 : dice_.between(1, 60)});
    if (dice_.one_in(6)) {
      server_.process().signal(SIGTERM);
      server_.process().wait(milliseconds{dice_.between(0, 40)});
    }
    cut();
    if (dice_.one_in(3)) server_.options().shards = draw_shards();
    while (dice_.one_in(3)) start_briefly();
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
  static Flags flags(const Flags& more) {
    Flags all{{"--orders-max", "50000"}, {"--lease-max", "16"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  int draw_shards() { return static_cast<int>(dice_.between(1, 3)); }

  void cut() {
    machine_.disk().cut();
    server_.kill9();
    sale_.rest();
    bring_back();
  }
  void bring_back() {
    machine_.bring_back(dice_);
    server_.options().data = machine_.data();
  }
  // A start that the power cut meets.
  void start_briefly() {
    {
      e2e::Process brief(server_.command(), server_.stderr_path());
      brief.wait(milliseconds{dice_.between(0, 200)});
      machine_.disk().cut();
    }
    bring_back();
  }

  Report& report_;
  Dice& dice_;
  const int64_t total_;
  Machine machine_;
  e2e::Server server_;
  Sale sale_;
};

// Each round is a sale of its own: after a loss nothing can be compared any more.
class Control final : public Scenario {
 public:
  Control(Report& report, Dice& dice) : report_(report), dice_(dice) {}
  void round() override {
    try {
      Cuts(report_, dice_, {{"--durability", "os"}, {"--db", "none"}}).round();
    } catch (const Broken&) {
      // Counted.
    }
  }
  void close() override {}

 private:
  Report& report_;
  Dice& dice_;
};

}  // namespace

std::unique_ptr<Scenario> make_cuts(Report& report, Dice& dice) {
  return std::make_unique<Cuts>(report, dice);
}

std::unique_ptr<Scenario> make_control(Report& report, Dice& dice) {
  return std::make_unique<Control>(report, dice);
}

}  // namespace stampede::soak
