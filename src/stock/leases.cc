#include "stock/leases.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace stampede::stock {
namespace {

constexpr uint32_t kIdleChecksPerTurn = 256;
constexpr uint32_t kReturnsUnderWayMax = bounds::item_count_max;

}  // namespace

Leases::Leases(const LeaseSettings& settings, StreamState& state, const Catalog& catalog,
               Journal& journal, Moment now)
    : settings_(settings),
      state_(state),
      catalog_(catalog),
      journal_(journal),
      asking_(settings.group_count),
      idle_checks_(bounds::item_count_max),
      returning_(kReturnsUnderWayMax) {
  for (ItemId item = 0; item < state_.stocks().size(); ++item) {
    const ItemStock& stock = state_.stock(item);
    at(item).returned_durable = at(item).returned_counted = stock.returned;
    at(item).reported_pool = at(item).peak_asked = at(item).peak_answered = stock.pool();
    if (stock.pool() > 0) watch_idle(item, now.boot_ns);
  }
}

Leases::Item& Leases::at(ItemId item) {
  if (item >= items_.size()) items_.resize(std::max<size_t>(item + 1, catalog_.id_end()));
  return items_[item];
}

const Leases::Item& Leases::at(ItemId item) const {
  static constexpr Item kUntouched;
  return item < items_.size() ? items_[item] : kUntouched;
}

// ---- answers about the stock ----

// Units that have left the pool for the ledger and that the last news does not count among the returned ones: without them there
// would be a moment in which nobody counts them.
Units Leases::on_way_back(ItemId item) const {
  return state_.stock(item).returned - at(item).returned_counted;
}

// Units that the ledger is to count as unsold here: the pool, and those whose return is not durable yet. Durable returns are
// in the same ask, as returned.
Units Leases::pool_to_report(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  CHECK(stock.returned >= at(item).returned_durable);
  return stock.pool() + (stock.returned - at(item).returned_durable);
}

// See the top of leases.h.
Units Leases::unsold(ItemId item) const {
  const Item& known = at(item);
  const Units pool = std::max(state_.stock(item).pool(), known.peak_answered);
  return pool + on_way_back(item) + known.free + known.pool_elsewhere;
}

bool Leases::is_here(ItemId item, Quantity quantity, bool is_my_turn) const {
  return is_my_turn && state_.stock(item).pool() >= quantity;
}

Leases::Supply Leases::supply_of(ItemId item, Quantity quantity, bool is_my_turn,
                                 Moment now) const {
  if (is_here(item, quantity, is_my_turn)) return Supply::here;
  const int64_t news_boot_ns = at(item).news_boot_ns;
  const bool is_news_fresh =
      news_boot_ns != 0 && now.boot_ns - news_boot_ns <= ns_of_ms(bounds::sold_out_valid_ms);
  return is_news_fresh && unsold(item) < quantity ? Supply::gone : Supply::unknown;
}

Leases::Supply Leases::supply_for_good(ItemId item, Quantity quantity, bool is_my_turn,
                                       int64_t arrived_boot_ns) const {
  if (is_here(item, quantity, is_my_turn)) return Supply::here;
  const bool is_news_behind =
      at(item).answered_boot_ns >= arrived_boot_ns + ns_of_ms(bounds::sold_out_valid_ms);
  return is_news_behind && unsold(item) < quantity ? Supply::gone : Supply::unknown;
}

Leases::Glance Leases::glance(ItemId item, Moment now) {
  const Item& known = at(item);
  const int64_t age_ns = now.boot_ns - known.news_boot_ns;
  if (known.news_boot_ns == 0 || age_ns > kSecond / 2) ask_about(item);
  Glance glance{.is_news_coming = is_ledger_available(item)};
  if (known.news_boot_ns == 0) return glance;
  const Units here = state_.stock(item).pool() + on_way_back(item);
  glance.available = here + known.free + known.pool_elsewhere;
  glance.age_ns = age_ns;
  glance.is_known = true;
  return glance;
}

// ---- the desk's reports ----

void Leases::on_sold(ItemId item, Moment now) {
  at(item).has_let_go = false;  // what came was of use
  const Units ahead = lookahead(item, now);
  if (state_.stock(item).pool() < ahead / 2 || at(item).free == 0) ask_about(item);
  watch_idle(item, now.boot_ns + ns_of_ms(bounds::idle_pool_ms));
}

void Leases::on_came_back(ItemId item, Moment now) {
  const Units pool = state_.stock(item).pool();
  if (pool == 0) return;
  Item& known = at(item);
  known.peak_asked = std::max(known.peak_asked, pool);
  known.peak_answered = std::max(known.peak_answered, pool);
  // Other streams may be answering sold_out: they must get news of these units within 100 ms.
  if (known.free == 0) ask_about(item);
  watch_idle(item, now.boot_ns);
}

// ---- exchanges with the ledger ----

uint32_t Leases::group_of(ItemId item) const {
  if (settings_.group_count == 1) return 0;
  return stampede::group_of(catalog_.code(item), settings_.group_count);
}

bool Leases::is_ledger_available(ItemId item) const {
  return (available_groups_ >> group_of(item) & 1) != 0;
}

void Leases::ask_about(ItemId item) {
  Item& known = at(item);
  if (known.is_asking) return;
  known.is_asking = true;
  const uint32_t group = group_of(item);
  asking_[group].push_back(item);
  asking_groups_ |= uint32_t{1} << group;
}

void Leases::ask_if_older(ItemId item, int64_t age_ms, Moment now) {
  if (now.boot_ns - at(item).news_boot_ns >= ns_of_ms(age_ms)) ask_about(item);
}

int64_t Leases::asks_again_boot_ns(ItemId item, int64_t age_ms) const {
  return at(item).is_asking ? INT64_MAX : at(item).news_boot_ns + ns_of_ms(age_ms);
}

// min(2 % of the free units / streams, --lease-max): 0 when stock is scarce. Only for an item whose pool would not count as
// idle just now; otherwise units that were given back would be leased again at once.
Units Leases::lookahead(ItemId item, Moment now) const {
  const Item& known = at(item);
  if (is_stopping_) return 0;
  if (known.demand_boot_ns == 0 ||
      now.boot_ns - known.demand_boot_ns >= ns_of_ms(bounds::idle_pool_ms))
    return 0;
  return std::min<Units>(known.free / 50 / settings_.stream_count, settings_.lease_max);
}

// For the head of the line, by the last news: all that is here and all that is free.
bool Leases::is_too_little(ItemId item) const {
  const Item& known = at(item);
  return state_.stock(item).pool() + known.free < known.head;
}

// The one who needs all the halves leaves them free until they lie together: whichever stream hears of that first has them.
bool Leases::is_yielding(ItemId item) const {
  return at(item).has_let_go && is_too_little(item);
}

Units Leases::wanted(ItemId item, Moment now) const {
  if (is_yielding(item)) return 0;
  const Units target = at(item).waiting + lookahead(item, now);
  const Units pool = state_.stock(item).pool();
  return target > pool ? target - pool : 0;
}

ItemId Leases::take_asking(uint32_t group) {
  const ItemId item = asking_[group].back();
  asking_[group].pop_back();
  if (asking_[group].empty()) asking_groups_ &= ~(uint32_t{1} << group);
  at(item).is_asking = false;
  return item;
}

size_t Leases::collect_asks(uint32_t groups, std::span<LedgerAsk> asks, Moment now) {
  size_t count = 0;
  while (count < asks.size() && (groups & asking_groups_) != 0) {
    const auto group = static_cast<uint32_t>(std::countr_zero(groups & asking_groups_));
    const ItemId item = take_asking(group);
    Item& known = at(item);
    // An exchange that was lost with its epoch is never answered: the next answer may be older than the ask that is made now.
    const Units pool = state_.stock(item).pool();
    known.peak_asked = known.is_in_exchange ? std::max(known.peak_asked, pool) : pool;
    if (!known.is_in_exchange) known.asked_boot_ns = now.boot_ns;
    known.is_in_exchange = true;
    known.reported_pool = pool_to_report(item);
    asks[count++] = {.item = item,
                     .group = group,
                     .accepted = state_.stock(item).accepted,
                     .returned = known.returned_durable,
                     .pool = known.reported_pool,
                     // A grant needs a record.
                     .want = journal_.has_room_for_change() ? wanted(item, now) : 0};
  }
  return count;
}

void Leases::take_news(const LedgerNews& news, Moment now) {
  Item& known = at(news.item);
  // The ledger has no return before its record is durable.
  CHECK(news.returned <= known.returned_durable);
  if (!news.is_unasked) {
    known.is_in_exchange = false;
    known.peak_answered = known.peak_asked;
    known.answered_boot_ns = known.asked_boot_ns;
  }
  const Units accepted = state_.stock(news.item).accepted;
  if (news.accepted > accepted) {
    const Units granted = news.accepted - accepted;
    stats_.units_granted += granted;
    ++stats_.grants;
    // The ledger counts them here from the grant on.
    for (Units* units : {&known.reported_pool, &known.peak_asked, &known.peak_answered})
      *units += granted;
    commit(journal_, state_, orderlog::Grant{.item = news.item, .accepted = news.accepted}, now);
    watch_idle(news.item, now.boot_ns + ns_of_ms(bounds::idle_pool_ms));
  }
  known.returned_counted = news.returned;
  known.free = news.free;
  known.pool_elsewhere = news.pool_elsewhere;
  known.news_boot_ns = now.boot_ns;
}

void Leases::report_if_scarce(ItemId item) {
  const Item& known = at(item);
  const bool is_reported = pool_to_report(item) == known.reported_pool;
  const bool is_peak_past = known.peak_answered > state_.stock(item).pool();
  if (known.free == 0 && (!is_reported || is_peak_past)) ask_about(item);
}

void Leases::begin_epoch(uint32_t groups, uint32_t stream_count) {
  CHECK(stream_count > 0);
  settings_.stream_count = stream_count;
  for (ItemId item = 0; item < catalog_.id_end(); ++item)
    if (catalog_.contains(item) && (groups >> group_of(item) & 1) != 0) ask_about(item);
}

StreamCount Leases::count(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  return {.accepted = stock.accepted,
          .returned = stock.returned,
          .reserved = stock.reserved,
          .paid = stock.paid,
          .pool = stock.pool()};
}

StreamCount Leases::durable_count(ItemId item) const {
  StreamCount count = this->count(item);
  count.returned = at(item).returned_durable;
  count.pool = pool_to_report(item);
  return count;
}

// ---- giving back ----

void Leases::watch_idle(ItemId item, int64_t at_boot_ns) {
  if (at(item).is_idle_queued) return;
  at(item).is_idle_queued = true;
  idle_checks_.push() = {.item = item, .at_boot_ns = at_boot_ns};
}

void Leases::return_idle(Moment now) {
  for (uint32_t budget = kIdleChecksPerTurn; budget > 0 && !idle_checks_.empty(); --budget) {
    if (idle_checks_.front().at_boot_ns > now.boot_ns || !journal_.has_room_for_change()) return;
    const ItemId item = idle_checks_.front().item;
    idle_checks_.pop();
    check_idle(item, now);
  }
}

void Leases::check_idle(ItemId item, Moment now) {
  Item& known = at(item);
  known.is_idle_queued = false;
  // Units may have been sold since the last ask without another one. The ledger still counts them as unsold here, which would keep
  // all other streams from answering sold_out.
  if (pool_to_report(item) != known.reported_pool) ask_about(item);
  if (state_.stock(item).pool() == 0) return;
  // Units given back to a ledger that cannot be reached could not be bought anywhere: here they can.
  if (!is_ledger_available(item))
    return watch_idle(item, now.boot_ns + ns_of_ms(bounds::idle_pool_ms));
  const int64_t idle_at =
      known.demand_boot_ns == 0 ? 0 : known.demand_boot_ns + ns_of_ms(bounds::idle_pool_ms);
  // A pool that the head of the line cannot use is idle too: two shards that hold half of an order each must let go.
  const bool is_stuck = is_too_little(item);
  known.has_let_go = known.has_let_go || is_stuck;
  if (idle_at <= now.boot_ns || is_stuck) return give_back_pool(item);
  watch_idle(item, idle_at);
}

void Leases::give_back_pool(ItemId item) {
  const ItemStock& stock = state_.stock(item);
  stats_.units_returned += stock.pool();
  const Units returned = stock.returned + stock.pool();
  const Lsn lsn =
      commit(journal_, state_, orderlog::GiveBack{.item = item, .returned = returned}, Moment{});
  CHECK(state_.stock(item).pool() == 0);
  returning_.push() = {.item = item, .returned = returned, .lsn = lsn};
}

bool Leases::return_all() {
  for (ItemId item = 0; item < state_.stocks().size(); ++item) {
    if (state_.stock(item).pool() == 0) continue;
    if (!journal_.has_room_for_change()) return false;
    give_back_pool(item);
  }
  return true;
}

void Leases::on_durable(Lsn durable) {
  while (!returning_.empty() && returning_.front().lsn <= durable) {
    const Returning& returning = returning_.front();
    CHECK(returning.returned >= at(returning.item).returned_durable);
    at(returning.item).returned_durable = returning.returned;
    ask_about(returning.item);
    returning_.pop();
  }
}

int64_t Leases::quiet_until_ns() const {
  return idle_checks_.empty() ? INT64_MAX : idle_checks_.front().at_boot_ns;
}

}  // namespace stampede::stock
