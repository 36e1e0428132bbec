// Operators, at bad moments: they restock and withdraw units, pause and resume, put new items and new terms on sale, block users and
// addresses, turn levers, give something up to keep the rest going, change files and have them read again, look. One who hears nothing asks again with the same
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
  Operators(const Plan& plan, Servers& servers, Hosts& hosts, History& history, Truth& truth,
            Random random, std::function<void(const std::string&)> note);

  void step();
  [[nodiscard]] int64_t next_ns() const;

  // A start has accepted a loss, and has paused what it may sell: they see it, and resume each item when they have looked.
  void note_loss(Host& host);

  // They finish what they have begun, resume what is paused, and take off sale what nobody would live to buy.
  void close_sale() { is_closing_ = true; }
  [[nodiscard]] bool has_closed() const;
  // Then every item's sale is over: ended for good, or by new terms. For some hours they put an item on sale again now and then,
  // and end it once more; as long as a node agrees to that it has forgotten none of the item's orders.
  void end_sale(int64_t hours_ns);
  [[nodiscard]] bool has_ended() const;
  // Nodes have forgotten all orders: each item is put on sale once more, and every node must refuse.
  void sell_forgotten();
  [[nodiscard]] bool has_tried_all() const { return has_ended() && tries_.empty(); }
  // Of an item: what the catalog said and every restock that was applied.
  [[nodiscard]] int64_t supplied(uint32_t item) const { return supplied_[item]; }
  // A loss may have taken restocks with it, so that it does not add up.
  [[nodiscard]] bool knows_supply() const { return !has_lost_; }

 private:
  struct Wish {
    uint32_t node = 0;
    uint32_t item = 0;
    // restock, pause, resume, end, close, again, block, unblock, bar, let_in, look, levers, put, make, try, reload
    std::string what;
    std::string
        text;  // what is looked at; the levers; the code of an item that is made, tried or ended
    std::string user;  // who is blocked
    int64_t delta = 0;
    std::string op_id;
  };

  void take_answer();
  void note_done(const Wish& wish);
  void take_item_answer(const Wish& wish, const world::Answer& answer);
  void choose();
  void choose_freely();
  [[nodiscard]] bool choose_harmless(Wish& wish);
  [[nodiscard]] bool choose_levers(Wish& wish);
  [[nodiscard]] bool choose_item(Wish& wish);
  [[nodiscard]] bool choose_reload(Wish& wish);
  void choose_block(Wish& wish);
  void choose_sale(Wish& wish);
  [[nodiscard]] std::optional<Wish> degraded() const;
  [[nodiscard]] std::optional<Wish> barred() const;
  void ask();
  // What it says of the wish to the server.
  struct Request {
    std::string method, target, headers, body;
  };
  [[nodiscard]] Request request_of(const Wish& wish);
  [[nodiscard]] std::string terms_of(uint32_t item);
  [[nodiscard]] std::string ended_terms_of(uint32_t item);
  void note_meant(const Wish& wish);
  // Whoever was to be asked does not come back.
  [[nodiscard]] bool is_for_nobody(const Wish& wish) const;
  [[nodiscard]] uint32_t draw_node();
  [[nodiscard]] std::optional<Wish> paused() const;
  [[nodiscard]] std::optional<Wish> too_many() const;
  [[nodiscard]] std::optional<Wish> not_over() const;
  [[nodiscard]] std::optional<Wish> due_try();
  void take_sale_answer(const Wish& wish, const world::Answer& answer);
  void check_remembered(const Wish& wish);
  [[nodiscard]] Host& host_of(const Wish& wish) const { return *hosts_[wish.node]; }

  const Plan& plan_;
  Servers& servers_;
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
  std::vector<std::vector<bool>> is_paused_;
  std::vector<bool> is_barred_;                 // by node: the network of kOperatorsNetwork
  std::vector<std::vector<std::string>> made_;  // by node: items that it has said it sells
  uint32_t items_made_ = 0;
  bool asked_without_leak_ = false;
  std::vector<uint64_t>
      degraded_life_;  // by node: of the process that gives something up; the next one does not
  std::vector<int64_t> supplied_;
  // An item of a node that is put on sale again, and when.
  struct Try {
    int64_t at_ns = 0;
    uint32_t node = 0, item = 0;
  };
  std::vector<Try> tries_;
  // By node: the orders that were in memory when the sale ended.
  std::vector<std::vector<std::pair<OrderId, ItemId>>> sold_;
  bool are_forgotten_ = false;
  bool is_closing_ = false, is_ending_ = false, has_lost_ = false;
};

}  // namespace stampede::sim
