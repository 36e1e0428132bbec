// What each user holds of each item, as far as clients can know: certainly, and at most. The purchase limit is held against both.
//
// What was asked for and neither answered with an order nor refused for good may have become an order; so may a copy of a request
// whose other copy was refused.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "history.h"
#include "plan.h"

namespace stampede::sim {

class Purchases {
 public:
  Purchases(const Plan& plan, History& history) : plan_(plan), history_(history) {}

  // `key` is empty for none.
  struct Wish {
    const std::string& user;
    const std::string& item;
    const std::string& key;
    uint32_t quantity;
    int64_t sent_ns;
  };
  void note_sent(const Wish& wish);
  // Its answer came: an order that was made for it, the limit, or whatever else ends it.
  void take_order(const Wish& wish, bool is_new, int64_t now_ns);
  void take_limit_reached(const Wish& wish);
  void take_refusal(const Wish& wish);

 private:
  struct Open {
    uint32_t quantity = 0;
    bool has_copies = false;
  };
  using ByKey = std::map<std::string, Open>;

  [[nodiscard]] uint64_t held_at_least(const Wish& wish, int64_t now_ns) const;
  [[nodiscard]] uint64_t held_at_most(const Wish& wish);

  const Plan& plan_;
  History& history_;
  std::map<std::pair<std::string, std::string>, ByKey> open_;  // by user and item
  std::map<std::pair<std::string, std::string>, uint64_t>
      lost_;  // units that were asked for without a key
};

}  // namespace stampede::sim
