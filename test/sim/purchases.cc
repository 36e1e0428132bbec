#include "purchases.h"

#include "base/clock.h"

namespace stampede::sim {

void Purchases::note_sent(const Wish& wish) {
  // Whatever comes of one without a key, its order may come of it.
  if (wish.key.empty()) {
    lost_[{wish.user, wish.item}] += wish.quantity;
    return;
  }
  const auto [open, is_first] = open_[{wish.user, wish.item}].try_emplace(wish.key);
  open->second.quantity = wish.quantity;
  open->second.has_copies |= !is_first;
}

void Purchases::take_order(const Wish& wish, bool is_new, int64_t now_ns) {
  if (wish.key.empty())
    lost_[{wish.user, wish.item}] -= wish.quantity;
  else
    open_[{wish.user, wish.item}].erase(wish.key);
  if (!is_new || plan_.per_user_limit == 0) return;
  const uint64_t held = held_at_least(wish, now_ns);
  if (held + wish.quantity > plan_.per_user_limit)
    history_.broken(wish.user + " held " + std::to_string(held) + " of " + wish.item +
                    " and was given " + std::to_string(wish.quantity) + " more; the limit is " +
                    std::to_string(plan_.per_user_limit));
}

void Purchases::take_limit_reached(const Wish& wish) {
  const uint64_t held = held_at_most(wish);
  if (!history_.has_lost(wish.user, wish.item) && held + wish.quantity <= plan_.per_user_limit)
    history_.broken(wish.user + " heard limit_reached of " + wish.item + " for " +
                    std::to_string(wish.quantity) + ", and holds no more than " +
                    std::to_string(held));
  if (plan_.per_user_limit == 0) history_.broken("there is no limit, and it was reached");
  take_refusal(wish);
}

void Purchases::take_refusal(const Wish& wish) {
  if (wish.key.empty()) {
    lost_[{wish.user, wish.item}] -= wish.quantity;
    return;
  }
  ByKey& open = open_[{wish.user, wish.item}];
  const auto found = open.find(wish.key);
  if (found != open.end() && !found->second.has_copies) open.erase(found);
}

// When it was decided: of orders that were known when it was asked for, those that were held until now.
uint64_t Purchases::held_at_least(const Wish& wish, int64_t now_ns) const {
  uint64_t units = 0;
  for (const auto& [id, told] : history_.orders()) {
    if (told.user != wish.user || told.item != wish.item || told.told_ns > wish.sent_ns) continue;
    const bool is_in_time =
        told.made_ns != 0 && now_ns < told.made_ns + plan_.pay_window_s * kSecond;
    if (told.state == "paid" || (told.state == "reserved" && is_in_time && !told.may_be_cancelled))
      units += told.quantity;
  }
  return units;
}

uint64_t Purchases::held_at_most(const Wish& wish) {
  uint64_t units = wish.key.empty() ? lost_[{wish.user, wish.item}] - wish.quantity
                                    : lost_[{wish.user, wish.item}];
  for (const auto& [key, open] : open_[{wish.user, wish.item}])
    if (key != wish.key) units += open.quantity;
  for (const auto& [id, told] : history_.orders()) {
    if (told.user != wish.user || told.item != wish.item) continue;
    const bool was_given_back =
        told.state == "cancelled" || (told.state == "expired" && !told.may_be_paid);
    if (!was_given_back || told.told_ns > wish.sent_ns) units += told.quantity;
  }
  return units;
}

}  // namespace stampede::sim
