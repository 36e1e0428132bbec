#include "load/verification.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "base/hex.h"
#include "base/words.h"
#include "load/number_text.h"

namespace stampede::load {
namespace {

Units units_held(const ItemAudit& audit) {
  return audit.reserved + audit.paid;
}

// False for an order without an end.
bool has_ended_as(OrderEnd end, std::string_view state) {
  return (end == OrderEnd::paid && state == "paid") ||
         (end == OrderEnd::cancelled && state == "cancelled");
}

uint64_t above(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

}  // namespace

Verification::Verification(const Plan& plan, const Answers& answers,
                           const std::vector<ItemAudit>& before)
    : plan_(plan), answers_(answers), wishes_(plan), names_(plan), is_in_database_(plan.users) {
  for (const std::string& item : wishes_.items())
    books_.push_back({.item = item, .before = before[books_.size()]});
  note_users();
}

void Verification::note_users() {
  std::vector<OrderId> orders;
  for (uint64_t number = 0; number < plan_.users; ++number) {
    UserEnd end = answers_.end_of(number);
    if (end == UserEnd::sold) orders.push_back(answers_.order_of(number));
    ended_ += answers_.order_end_of(number) != OrderEnd::none;
    gave_up_ += end == UserEnd::gave_up;
    // Only they were told that nothing is left: an order rate, a limit or the end of the run turn users away from a full shelf.
    if (end != UserEnd::sold_out) continue;
    const Wish& wish = wishes_.of(number);
    Books& books = *books_of(wish.item);
    ++books.unserved;
    books.least_wanted = std::min(books.least_wanted, wish.quantity);
  }
  acknowledged_ = orders.size();
  std::sort(orders.begin(), orders.end());
  distinct_ = static_cast<uint64_t>(std::unique(orders.begin(), orders.end()) - orders.begin());
}

Verification::Books* Verification::books_of(std::string_view item) {
  for (Books& books : books_)
    if (books.item == item) return &books;
  return nullptr;
}

void Verification::add_row(const OrderRow& row) {
  const bool holds_units = row.state == "reserved" || row.state == "paid";
  const auto units = static_cast<Units>(std::max<int64_t>(row.quantity, 0));
  const std::optional<uint64_t> number = names_.number_of(row.user);
  if (Books* books = books_of(row.item)) {
    if (holds_units) books->held += units;
    if (number) (holds_units ? books->held_by_run : books->back_from_run) += units;
  }
  if (number) add_row_of_run(*number, row);
}

void Verification::add_row_of_run(uint64_t number, const OrderRow& row) {
  ++rows_;
  OrderId id{parse_hex64(row.order_id).value_or(0)};
  UserEnd end = answers_.end_of(number);
  if (end != UserEnd::sold && end != UserEnd::unknown) {
    ++unacknowledged_;
  } else if (end == UserEnd::sold && answers_.order_of(number) != id) {
    ++unacknowledged_;
  } else if (is_in_database_[number]) {
    ++doubled_;
  } else if (row.item != wishes_.of(number).item || row.quantity != wishes_.of(number).quantity) {
    ++wrong_;
  } else {
    is_in_database_[number] = true;
    ended_right_ += has_ended_as(answers_.order_end_of(number), row.state);
    matched_ += end == UserEnd::sold;
    return;
  }
  if (example_.empty())
    example_ = ", for example " + std::string(row.order_id) + " of " + std::string(row.user);
}

std::vector<Check> Verification::finish(const std::vector<ItemAudit>& after) {
  for (size_t item = 0; item < books_.size(); ++item) books_[item].after = after[item];
  return {check_acknowledged(), check_database(), check_unacknowledged(),
          check_order_ends(),   check_oversold(), check_unsold()};
}

bool Verification::Books::adds_up() const {
  return after.ok && after.free + after.leased + units_held(after) == after.total;
}

uint64_t Verification::Books::oversold() const {
  return std::max(above(units_held(after), after.total), above(held, after.total));
}

// Units may be left after a user was refused when they came back later: cancelled or expired
// orders of this run, fewer held by others than before, more stock than before.
Units Verification::Books::came_back() const {
  const Units others_before = units_held(before);
  const Units others_after = above(units_held(after), held_by_run);
  return back_from_run + above(others_before, others_after) + above(after.total, before.total);
}

uint64_t Verification::Books::unsold() const {
  if (unserved == 0) return 0;
  const uint64_t left = above(after.free + after.leased, came_back());
  return left < least_wanted ? 0 : left;
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

Check Verification::check_order_ends() const {
  return {.name = "settled",
          .numbers = format("%s of %s answered payments and cancels stand in the database",
                            grouped(ended_right_).c_str(), grouped(ended_).c_str()),
          .is_kept = ended_right_ == ended_};
}

// All items together: one that is broken breaks the promise.
Check Verification::check_oversold() {
  ItemAudit after;
  Units held = 0;
  bool adds_up = true;
  for (const Books& books : books_) {
    after.reserved += books.after.reserved;
    after.paid += books.after.paid;
    after.total += books.after.total;
    held += books.held;
    oversold_ += books.oversold();
    adds_up &= books.adds_up();
  }
  return {.name = "oversold",
          .numbers = format("%s reserved + %s paid of %s in stock, %s held in the database%s",
                            grouped(after.reserved).c_str(), grouped(after.paid).c_str(),
                            grouped(after.total).c_str(), grouped(held).c_str(),
                            adds_up ? "" : "; the audit does not add up"),
          .is_kept = oversold_ == 0 && adds_up};
}

Check Verification::check_unsold() {
  Units free = 0, leased = 0, came_back = 0;
  uint64_t unserved = 0;
  for (const Books& books : books_) {
    free += books.after.free;
    leased += books.after.leased;
    came_back += books.came_back();
    unserved += books.unserved;
    unsold_ += books.unsold();
  }
  return {.name = "unsold",
          .numbers = format("%s free + %s leased left, %s users without", grouped(free).c_str(),
                            grouped(leased).c_str(), grouped(unserved).c_str()) +
                     (gave_up_ > 0 ? format(", %s gave up", grouped(gave_up_).c_str()) : "") +
                     (came_back > 0 ? format(", %s came back", grouped(came_back).c_str()) : ""),
          .is_kept = unsold_ == 0};
}

}  // namespace stampede::load
