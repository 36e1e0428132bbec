#include "load/verification.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "base/hex.h"
#include "load/number_text.h"

namespace stampede::load {
namespace {

Units held(const ItemAudit& audit) {
  return audit.reserved + audit.paid;
}

// False for a user who did neither.
bool is_settled_as(Settled settled, std::string_view state) {
  return (settled == Settled::paid && state == "paid") ||
         (settled == Settled::cancelled && state == "cancelled");
}

uint64_t above(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

}  // namespace

Verification::Verification(const Plan& plan, const Answers& answers, const ItemAudit& before)
    : plan_(plan), answers_(answers), before_(before), names_(plan), is_in_database_(plan.users) {
  note_users();
}

void Verification::note_users() {
  std::vector<OrderId> orders;
  for (uint64_t number = 0; number < plan_.users; ++number) {
    UserEnd end = answers_.end_of(number);
    if (end == UserEnd::sold) orders.push_back(answers_.order_of(number));
    settled_ += answers_.settled_of(number) != Settled::none;
    // With a duration some users are cut off in the middle of their retries: they were not refused
    // for good.
    unserved_ += end == UserEnd::sold_out || (end == UserEnd::gave_up && plan_.duration_ns == 0);
  }
  acknowledged_ = orders.size();
  std::sort(orders.begin(), orders.end());
  distinct_ = static_cast<uint64_t>(std::unique(orders.begin(), orders.end()) - orders.begin());
}

void Verification::add_row(const OrderRow& row) {
  bool holds_units = row.state == "reserved" || row.state == "paid";
  if (row.item == plan_.item && holds_units)
    units_held_ += static_cast<Units>(std::max<int64_t>(row.quantity, 0));
  if (auto number = names_.number_of(row.user)) add_row_of_run(*number, row, holds_units);
}

void Verification::add_row_of_run(uint64_t number, const OrderRow& row, bool holds_units) {
  ++rows_;
  (holds_units ? units_held_by_run_ : units_back_from_run_) +=
      static_cast<Units>(std::max<int64_t>(row.quantity, 0));
  OrderId id{parse_hex64(row.order_id).value_or(0)};
  UserEnd end = answers_.end_of(number);
  if (end != UserEnd::sold && end != UserEnd::unknown) {
    ++unacknowledged_;
  } else if (end == UserEnd::sold && answers_.order_of(number) != id) {
    ++unacknowledged_;
  } else if (is_in_database_[number]) {
    ++doubled_;
  } else if (row.item != plan_.item || row.quantity != plan_.quantity) {
    ++wrong_;
  } else {
    is_in_database_[number] = true;
    settled_right_ += is_settled_as(answers_.settled_of(number), row.state);
    matched_ += end == UserEnd::sold;
    return;
  }
  if (example_.empty())
    example_ = ", for example " + std::string(row.order_id) + " of " + std::string(row.user);
}

std::vector<Check> Verification::finish(const ItemAudit& after) {
  return {check_acknowledged(), check_database(),      check_unacknowledged(),
          check_settled(),      check_oversold(after), check_unsold(after)};
}

Check Verification::check_acknowledged() const {
  uint64_t second = answers_.second_orders();
  return {.name = "acknowledged",
          .numbers = format("%s users hold %s distinct orders, %s got a second one",
                            grouped(acknowledged_).c_str(), grouped(distinct_).c_str(),
                            grouped(second).c_str()),
          .is_kept = acknowledged_ == distinct_ && second == 0};
}

Check Verification::check_database() const {
  return {.name = "in the database",
          .numbers = format("%s of %s acknowledged orders once and right, %s wrong, %s doubled",
                            grouped(matched_).c_str(), grouped(acknowledged_).c_str(),
                            grouped(wrong_).c_str(), grouped(doubled_).c_str()) +
                     (wrong_ + doubled_ > 0 ? example_ : ""),
          .is_kept = matched_ == acknowledged_ && wrong_ == 0 && doubled_ == 0};
}

Check Verification::check_unacknowledged() const {
  return {.name = "unacknowledged",
          .numbers = format("%s orders that no answer named", grouped(unacknowledged_).c_str()) +
                     (unacknowledged_ > 0 ? example_ : ""),
          .is_kept = unacknowledged_ == 0};
}

Check Verification::check_settled() const {
  return {.name = "settled",
          .numbers = format("%s of %s answered payments and cancels stand in the database",
                            grouped(settled_right_).c_str(), grouped(settled_).c_str()),
          .is_kept = settled_right_ == settled_};
}

Check Verification::check_oversold(const ItemAudit& after) {
  oversold_ = std::max(above(held(after), after.total), above(units_held_, after.total));
  bool adds_up = after.ok && after.free + after.leased + held(after) == after.total;
  return {.name = "oversold",
          .numbers = format("%s reserved + %s paid of %s in stock, %s held in the database%s",
                            grouped(after.reserved).c_str(), grouped(after.paid).c_str(),
                            grouped(after.total).c_str(), grouped(units_held_).c_str(),
                            adds_up ? "" : "; the audit does not add up"),
          .is_kept = oversold_ == 0 && adds_up};
}

// Units may be left after somebody was refused when they came back later: cancelled or expired
// orders of this run, fewer held by others than before, more stock than before. Fewer units than
// one order asks for are no use to anybody.
Check Verification::check_unsold(const ItemAudit& after) {
  Units left = after.free + after.leased;
  Units others_before = held(before_), others_after = above(held(after), units_held_by_run_);
  Units came_back =
      units_back_from_run_ + above(others_before, others_after) + above(after.total, before_.total);
  unsold_ = unserved_ > 0 ? above(left, came_back) : 0;
  if (unsold_ < plan_.quantity) unsold_ = 0;
  return {
      .name = "unsold",
      .numbers = format("%s free + %s leased left, %s users without", grouped(after.free).c_str(),
                        grouped(after.leased).c_str(), grouped(unserved_).c_str()) +
                 (came_back > 0 ? format(", %s came back", grouped(came_back).c_str()) : ""),
      .is_kept = unsold_ == 0};
}

}  // namespace stampede::load
