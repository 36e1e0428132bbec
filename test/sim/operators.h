// Operators, at bad moments: they restock and withdraw units, pause and resume, block users, give
// something up to keep the rest going, look. One who hears nothing asks again with the same
// op_id until he knows, as the contract asks of him; so what was applied is known at the end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "../world/buyer.h"
#include "history.h"
#include "hosts.h"
#include "plan.h"
#include "truth.h"

namespace stampede::sim {

class Operators {
 public:
  Operators(const Plan& plan, Hosts& hosts, History& history, Truth& truth, world::FakeClock& clock,
            Random random, std::function<void(const std::string&)> note);

  void step();
  [[nodiscard]] int64_t next_ns() const;

  // A start has accepted a loss, and has paused what it may sell: they see it, and resume each item when they have looked.
  void note_loss(Host& host);

  // They finish what they have begun, resume what is paused, and take off sale what nobody would live to buy.
  void close_sale() { is_closing_ = true; }
  [[nodiscard]] bool has_closed() const;
  // Then every item's sale is over.
  void end_sale() { is_ending_ = true; }
  [[nodiscard]] bool has_ended() const;
  // Of an item: what the catalog said and every restock that was applied.
  [[nodiscard]] int64_t supplied(uint32_t item) const { return supplied_[item]; }
  // A loss may have taken restocks with it, so that it does not add up.
  [[nodiscard]] bool knows_supply() const { return !has_lost_; }

 private:
  struct Wish {
    uint32_t node = 0;
    uint32_t item = 0;
    std::string what;  // restock, pause, resume, end, block, unblock, look, degrade
    std::string text;  // what is looked at; the level
    std::string user;  // who is blocked
    int64_t delta = 0;
    std::string op_id;
  };

  void take_answer();
  void note_done(const Wish& wish);
  void choose();
  void choose_freely();
  [[nodiscard]] bool choose_harmless(Wish& wish);
  [[nodiscard]] std::optional<Wish> degraded() const;
  void ask();
  // Whoever was to be asked does not come back.
  [[nodiscard]] bool is_for_nobody(const Wish& wish) const;
  [[nodiscard]] uint32_t draw_node();
  [[nodiscard]] std::optional<Wish> paused() const;
  [[nodiscard]] std::optional<Wish> too_many() const;
  [[nodiscard]] std::optional<Wish> not_ended() const;
  [[nodiscard]] Host& host_of(const Wish& wish) const { return *hosts_[wish.node]; }

  const Plan& plan_;
  Hosts& hosts_;
  History& history_;
  Truth& truth_;
  world::FakeClock& clock_;
  Random random_;
  std::function<void(const std::string&)> note_;
  std::unique_ptr<world::Buyer> line_;
  uint64_t life_ = 0;
  std::optional<Wish> wish_;  // until its answer is known
  int64_t asked_ns_ = 0, acts_ns_ = 0;
  uint32_t ops_ = 0;
  // By node and item.
  std::vector<std::vector<bool>> is_paused_, is_ended_;
  std::vector<uint64_t>
      degraded_life_;  // by node: of the process that gives something up; the next one does not
  std::vector<int64_t> supplied_;
  bool is_closing_ = false, is_ending_ = false, has_lost_ = false;
};

}  // namespace stampede::sim
