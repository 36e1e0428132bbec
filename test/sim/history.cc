#include "history.h"

#include "../world/buyer.h"

namespace stampede::sim {

// A late payment turns an expired order into a paid one; nothing else goes back.
bool History::may_follow(const std::string& before, const std::string& now) {
  if (before == now || before == "reserved") return true;
  return before == "expired" && now == "paid";
}

void History::show(const Shown& shown, bool is_new, const std::string& key, int64_t sent_ns,
                   int64_t now_ns) {
  if (is_lost(world::order_number(shown.id))) {
    if (is_new) broken("the id " + shown.id + " was lost and is given again");
    return;
  }
  if (!key.empty()) {
    const auto [place, is_first] = id_of_key_.try_emplace({shown.user, key}, shown.id);
    if (place->second != shown.id)
      broken("one key, two orders: " + place->second + " and " + shown.id + " of " + shown.user);
    if (!is_first && is_new) broken("order " + shown.id + " was made although its key was known");
  }
  const auto [place, is_first] = orders_.try_emplace(shown.id, Told{.id = shown.id,
                                                                    .user = shown.user,
                                                                    .item = shown.item,
                                                                    .key = key,
                                                                    .quantity = shown.quantity,
                                                                    .state = shown.state,
                                                                    .refund_due = shown.refund_due,
                                                                    .told_ns = now_ns,
                                                                    .made_ns = is_new ? sent_ns : 0,
                                                                    .is_made = is_new});
  if (is_first) return;
  Told& told = place->second;
  // A list may show an order that was asked for behind it: it is made when its turn comes to be sent.
  if (is_new && told.is_made) broken("the id " + shown.id + " was given twice");
  told.is_made |= is_new;
  if (told.user != shown.user || told.item != shown.item || told.quantity != shown.quantity)
    broken("order " + shown.id + " is another one now");
  // What was asked before the last answer came may be older than it.
  const bool is_behind = sent_ns >= told.told_ns;
  if (is_behind && !may_follow(told.state, shown.state))
    broken("order " + shown.id + " was " + told.state + " and is " + shown.state);
  if (is_behind && shown.refund_due < told.refund_due)
    broken("the refund due of " + shown.id + " has shrunk");
  if (!is_behind && told.state != "reserved") return;
  told.state = shown.state;
  told.refund_due = shown.refund_due;
  told.told_ns = now_ns;
}

void History::lose(uint64_t number) {
  lost_.insert(number);
  std::erase_if(id_of_key_, [number](const auto& entry) {
    return world::order_number(entry.second) == number;
  });
  std::erase_if(orders_, [&](const auto& entry) {
    if (world::order_number(entry.first) != number) return false;
    losers_.emplace(entry.second.user, entry.second.item);
    return true;
  });
}

void History::deny(const std::string& id) {
  if (orders_.contains(id)) broken("order " + id + " was acknowledged and is unknown");
}

}  // namespace stampede::sim
