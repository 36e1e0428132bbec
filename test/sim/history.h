// What clients were told, and whether it can be true. Everything here comes from answers alone; the state of the nodes is held
// against it at a few places (see Truth).
//
// Broken promises are collected as sentences; one is enough to end a simulation.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stampede::sim {

// One order as somebody was told last.
struct Told {
  std::string id, user, item, key;
  uint32_t quantity = 0;
  std::string state;  // reserved, paid, cancelled, expired
  int64_t refund_due = 0;
  int64_t told_ns = 0;   // when
  int64_t made_ns = 0;   // it was reserved at or after this moment; 0: not known
  bool is_made = false;  // somebody was told that his request made it
  // Somebody asked for that; whether it was done is not known.
  bool may_be_cancelled = false, may_be_paid = false;
};

// An order in an answer.
struct Shown {
  std::string id, user, item, state;
  uint32_t quantity = 0;
  int64_t refund_due = 0;
};

class History {
 public:
  // An answer with an order arrived at `now_ns` to a request of `sent_ns`. `is_new`: 201. `key`: of an order request; empty:
  // another request.
  void show(const Shown& shown, bool is_new, const std::string& key, int64_t sent_ns,
            int64_t now_ns);
  // A start that accepted a loss may have lost this order, or a part of what happened to it: nothing that was told of it holds any
  // more, but that nobody else is given its id.
  void lose(uint64_t number);
  [[nodiscard]] bool is_lost(uint64_t number) const { return lost_.contains(number); }
  // The user may have lost an order of the item, and may not.
  [[nodiscard]] bool has_lost(const std::string& user, const std::string& item) const {
    return losers_.contains({user, item});
  }
  // The owner was told that there is no such order.
  void deny(const std::string& id);

  // Somebody was told the order that this key made, or makes.
  [[nodiscard]] bool knows_key(const std::string& user, const std::string& key) const {
    return id_of_key_.contains({user, key});
  }
  void broken(std::string sentence) { broken_.push_back(std::move(sentence)); }
  [[nodiscard]] const std::vector<std::string>& broken_promises() const { return broken_; }
  [[nodiscard]] const std::map<std::string, Told>& orders() const { return orders_; }
  // Null: nothing is known of it.
  [[nodiscard]] Told* find_order(const std::string& id) {
    const auto found = orders_.find(id);
    return found == orders_.end() ? nullptr : &found->second;
  }
  // An order that was told to be the one may be the other later.
  static bool may_follow(const std::string& before, const std::string& now);

 private:
  std::map<std::string, Told> orders_;                                    // by id
  std::map<std::pair<std::string, std::string>, std::string> id_of_key_;  // (user, key)
  std::set<uint64_t> lost_;
  std::set<std::pair<std::string, std::string>> losers_;  // (user, item)
  std::vector<std::string> broken_;
};

}  // namespace stampede::sim
