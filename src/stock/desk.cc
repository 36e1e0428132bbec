#include "stock/desk.h"

#include <algorithm>

#include "base/probe.h"
#include "stock/record_values.h"
#include "stock/sale_state.h"

namespace stampede::stock {
namespace {

using orderlog::RecordType;

constexpr int64_t kAskAgainMs = 5;  // while requests wait for units
// Of one order. They are in one bucket, and taking one out of it walks past the others.
constexpr uint32_t kWatchersPerOrderMax = 256;
constexpr uint32_t kWatcherSweepMs = 10;
constexpr uint32_t kWatcherCellsPerSweep = 4'096;
// Until some of a thousand orders are forgotten, and nobody knows when that is: an hour is said.
constexpr int64_t kTooOftenNs = 3'600 * kSecond;
constexpr uint32_t kForgetEveryMs = 10;
constexpr uint32_t kForgetCellsPerSweep = 4'096;
constexpr uint32_t kForgetOrdersPerSweep = 128;

OrderHashes hashes_of(const OrderRequest& request) {
  return {.user = request.user_hash, .key = request.key_hash};
}

uint64_t bucket_of_watched(OrderId order) {
  return mix(order.value);
}

}  // namespace

Desk::Desk(const DeskSettings& settings, StreamState& state, const Catalog& catalog,
           Journal& journal, AnswerSink& answers, OrderRates& rates, uint64_t sequence_max,
           Moment now)
    : settings_(settings),
      state_(state),
      catalog_(catalog),
      journal_(journal),
      answers_(answers),
      wheel_(state.orders_max(), now.boot_ns),
      sequence_(sequence_max),
      rates_(rates),
      user_windows_(settings.shard_count),
      leases_({.stream_count = settings.shard_count,
               .group_count = settings.group_count,
               .lease_max = settings.lease_max},
              state, catalog, journal, now),
      held_(settings.answers_held_max),
      watchers_(bounds::watchers_max),
      watchers_by_order_(bounds::watchers_max) {
  deadlines_.reserve(bounds::open_per_user_max);
  for (uint32_t index = 0; index < state_.orders_touched(); ++index) {
    Order& order = state_.order(index);
    if (!order.is_live || order.state != OrderState::reserved) continue;
    if (order.deadline_boot_ns == 0)
      order.deadline_boot_ns = now.boot_ns + ns_of_ms(order.pay_window_ms);
    wheel_.schedule(index, order.deadline_boot_ns);
  }
}

void Desk::expect(const OrderRequest& request) const {
  if (!is_by_user(request.kind)) return state_.prefetch(request.order);
  state_.prefetch(request.user_hash, request.item);
  if (!request.key.empty()) state_.prefetch_key(hashes_of(request));
  if (limits_.user_requests != 0) user_windows_.prefetch(request.user_hash);
}

void Desk::approach(const OrderRequest& request) const {
  if (is_by_user(request.kind))
    state_.prefetch_cells(request.user_hash, request.item);
  else
    state_.prefetch_cells(request.order);
}

void Desk::handle(const OrderRequest& request, Moment now) {
  // Every request inside the desk has a place for its answer; without one it is not let in.
  if (!has_place_for_answer()) return answers_.deliver(answer_to(request, Verdict::overloaded));
  switch (request.kind) {
    case RequestKind::create:
      return create(request, now, false);
    case RequestKind::link:
      return count_link(request, now);
    case RequestKind::read:
    case RequestKind::watch:
      return read(request, now);
    case RequestKind::list:
      return list(request);
    case RequestKind::cancel:
      return cancel(request, now);
    case RequestKind::pay:
      return pay(request, now, std::nullopt);
  }
}

// ---- create ----

void Desk::create(const OrderRequest& request, Moment now, bool has_waited) {
  // The shard that parsed the request may have heard of a new item before this one.
  if (!catalog_.contains(request.item)) return refuse(request, Verdict::try_again);
  const SaleTerms& terms = catalog_.sale(request.item);
  const OrderHashes hashes = hashes_of(request);
  if (answer_known_key(request, hashes)) return;
  if (answer_limits_of_holding(request, terms)) return;
  if (request.objection == Verdict::rate_limited) return refuse(request, Verdict::rate_limited);
  if (Verdict verdict = sale_verdict(terms, now); verdict != Verdict::ok)
    return refuse(request, verdict);
  if (request.objection != Verdict::ok) return refuse(request, request.objection);
  if (!takes_orders_of(request)) return refuse(request, Verdict::overloaded);
  if (MaybeReached limit = reach_user_rate(request, now, has_waited))
    return refuse(request, *limit);
  if (MaybeReached limit = reach_open_limit(request, terms, now)) return refuse(request, *limit);
  if (MaybeReached limit = reach_order_rate(request, terms, now, has_waited))
    return refuse(request, *limit);
  if (Verdict verdict = room_verdict(); verdict != Verdict::ok) return refuse(request, verdict);

  leases_.note_demand(request.item, now);
  switch (supply_of(request.item, request.quantity, now, has_waited)) {
    case Leases::Supply::here:
      if (!rates_.take(request.item, terms.order_rate, order_rate(), now.boot_ns))
        return refuse(request, lost_token(request, terms, now));
      return reserve(request, hashes, terms, now);
    case Leases::Supply::unknown:
      return wait_for_units(request, now);
    case Leases::Supply::gone:
      return refuse_for_lack_of_units(request, now);
  }
}

void Desk::refuse_for_lack_of_units(const OrderRequest& request, Moment now) {
  // News older than half its life is read again, so that a sold-out item costs its ledger one exchange in 50 ms.
  leases_.ask_if_older(request.item, bounds::sold_out_reread_ms, now);
  const Units left = leases_.unsold(request.item);
  if (left == 0) return refuse(request, Verdict::sold_out);
  OrderAnswer answer = answer_to(request, Verdict::not_enough);
  answer.available = left;
  emit(answer, 0);
}

bool Desk::answer_known_key(const OrderRequest& request, OrderHashes hashes) {
  if (request.key.empty()) return false;
  const uint32_t index = state_.find_by_key(hashes, request.user, request.key);
  if (index == kNone) return false;
  // Not the spelling of the JSON, but what it asks for.
  const Order& order = state_.order(index);
  if (state_.item_of(order) == request.item && order.quantity == request.quantity)
    answer_with_order(request, Verdict::replayed, index);
  else
    refuse(request, Verdict::key_reused);
  return true;
}

// Of an item with a purchase limit a user may hold so many units, and have ordered so often.
bool Desk::answer_limits_of_holding(const OrderRequest& request, const SaleTerms& terms) {
  if (terms.per_user_limit == 0) return false;
  if (request.quantity > terms.per_user_limit) {
    if (request.objection == Verdict::rate_limited) return false;
    refuse(request, Verdict::bad_request);
    return true;
  }
  const uint32_t holding = state_.find_holding(request.user_hash, request.user, request.item);
  if (holding == kNone) return false;
  return answer_purchase_limit(request, terms, holding) || answer_order_count(request, holding);
}

bool Desk::answer_purchase_limit(const OrderRequest& request, const SaleTerms& terms,
                                 uint32_t holding) {
  if (state_.holding(holding).units + request.quantity <= terms.per_user_limit) return false;
  answer_with_order(request, Verdict::limit_reached, state_.newest_active(holding));
  return true;
}

// Whoever reserves and cancels a thousand times is not buying.
bool Desk::answer_order_count(const OrderRequest& request, uint32_t holding) {
  if (state_.holding(holding).orders < bounds::orders_per_holding_max) return false;
  refuse(request, Reached{.limit = Limit::user, .wait_ns = kTooOftenNs});
  return true;
}

Verdict Desk::sale_verdict(const SaleTerms& terms, Moment now) const {
  switch (state_of(terms, now.wall_ms())) {
    case SaleState::ended:
      return Verdict::sale_ended;
    case SaleState::not_started:
      return Verdict::not_started;
    case SaleState::paused:
      return Verdict::sale_paused;
    case SaleState::open:
      return Verdict::ok;
  }
  CHECK(false);
}

// ---- limits ----

bool Desk::takes_orders_of(const OrderRequest& request) const {
  switch (limits_.new_orders) {
    case NewOrders::of_all:
      return true;
    case NewOrders::of_known_users:
      return state_.find_user(request.user_hash, request.user) != kNone;
    case NewOrders::of_nobody:
      return false;
  }
  CHECK(false);
}

Desk::MaybeReached Desk::reach_user_rate(const OrderRequest& request, Moment now, bool has_waited) {
  if (limits_.user_requests == 0 || has_waited) return std::nullopt;
  const int64_t wait_ns =
      user_windows_.count(request.user_hash, limits_.user_requests, limits_.user_window_ms, now);
  if (wait_ns == 0) return std::nullopt;
  return Reached{.limit = Limit::user, .wait_ns = wait_ns};
}

// Whoever asks for the link of a hidden sale wants an order of it: the request counts like one.
void Desk::count_link(const OrderRequest& request, Moment now) {
  if (MaybeReached limit = reach_user_rate(request, now, false)) return refuse(request, *limit);
  OrderAnswer answer = answer_to(request, Verdict::ok);
  answer.order.user = request.user;
  emit(answer, 0);
}

// Unpaid reservations, and the pause behind those that expired.
Desk::MaybeReached Desk::reach_open_limit(const OrderRequest& request, const SaleTerms& terms,
                                          Moment now) {
  if (limits_.open_per_user == 0) return std::nullopt;
  const uint32_t index = state_.find_user(request.user_hash, request.user);
  if (index == kNone) return std::nullopt;
  User& user = state_.user(index);
  const int64_t pause_ns = pause_left_ns(user, terms, now);
  if (user.open < limits_.open_per_user && pause_ns == 0) return std::nullopt;
  const int64_t until_boot_ns = passes_boot_ns(user, terms, now.boot_ns + pause_ns);
  return Reached{.limit = Limit::open, .wait_ns = until_boot_ns - now.boot_ns};
}

int64_t Desk::pause_left_ns(const User& user, const SaleTerms& terms, Moment now) const {
  const int64_t pause_ms = pause_after_lapses_ms(user.lapsed, user.paid, terms.pay_window_s);
  const int64_t left_ns = (user.last_lapse_ms + pause_ms) * kMillisecond - now.wall_ns;
  if (pause_ms == 0 || left_ns <= 0) return 0;
  // A lapse that lies ahead was before the clock was set back: nobody knows when, and nobody waits for it to come again.
  return left_ns > ns_of_ms(pause_ms + bounds::lapse_ahead_ms_max) ? 0 : left_ns;
}

// When the user will be below the limit and in no pause, if he pays and cancels nothing. A reservation that makes room by expiring
// lapses itself, and so does each that expires before the pause behind it is over. Noted until one of the user's changes: whoever
// keeps asking does not have his reservations looked through each time.
int64_t Desk::passes_boot_ns(User& user, const SaleTerms& terms, int64_t pause_ends_boot_ns) {
  const uint32_t note_key = limits_.open_per_user << 22 | static_cast<uint32_t>(terms.pay_window_s);
  if (user.room_key == note_key) return std::max(pause_ends_boot_ns, user.room_boot_ns);
  deadlines_.clear();
  for (uint32_t order = user.first_open; order != kNone; order = state_.order(order).next_open)
    deadlines_.push_back(state_.order(order).deadline_boot_ns);
  std::ranges::sort(deadlines_);
  const size_t must_end =
      user.open < limits_.open_per_user ? 0 : user.open - limits_.open_per_user + 1;
  int64_t until_boot_ns = pause_ends_boot_ns;
  user.room_boot_ns = 0;
  for (size_t i = 0; i < deadlines_.size(); ++i) {
    const int64_t expires_boot_ns = TimerWheel::expires_boot_ns(deadlines_[i]);
    // The moment that is told is a whole millisecond later at most.
    if (i >= must_end && expires_boot_ns > until_boot_ns + kMillisecond) break;
    const int64_t pause_ms =
        pause_after_lapses_ms(user.lapsed + i + 1, user.paid, terms.pay_window_s);
    until_boot_ns = std::max({until_boot_ns, expires_boot_ns, deadlines_[i] + ns_of_ms(pause_ms)});
    user.room_boot_ns = until_boot_ns;
  }
  user.room_key = note_key;
  return until_boot_ns;
}

uint32_t Desk::order_rate() const {
  return limits_.is_order_rate_automatic ? rates_.measured() : limits_.order_rate;
}

Desk::MaybeReached Desk::reach_order_rate(const OrderRequest& request, const SaleTerms& terms,
                                          Moment now, bool has_waited) {
  if (terms.order_rate == 0 && order_rate() == 0) return std::nullopt;
  const Reached reached = next_token(request.item, terms, now);
  if (reached.limit == Limit::none) return std::nullopt;
  // An item that is gone is not to be waited for, and without a question nobody would ever learn that it is.
  leases_.ask_if_older(request.item, bounds::sold_out_reread_ms, now);
  if (supply_of(request.item, request.quantity, now, has_waited) == Leases::Supply::gone)
    return std::nullopt;
  return spread_out(reached, request, terms, now);
}

// Until both buckets have a token, and the one that has it later; no limit: they have.
Desk::Reached Desk::next_token(ItemId item, const SaleTerms& terms, Moment now) {
  const auto wait_ns = [&](RateBucket& bucket, uint32_t per_second) {
    return per_second == 0 ? 0 : bucket.wait_ns(now.boot_ns);
  };
  const int64_t item_ns = wait_ns(rates_.of_item(item), terms.order_rate);
  const int64_t sale_ns = wait_ns(rates_.sale(), order_rate());
  if (item_ns == 0 && sale_ns == 0) return {};
  if (item_ns >= sale_ns) return {.limit = Limit::item, .wait_ns = item_ns};
  return {.limit = Limit::sale, .wait_ns = sale_ns};
}

// Only of those who are refused: each takes a moment, and who hears sold_out does not come back.
Desk::Reached Desk::spread_out(Reached reached, const OrderRequest& request, const SaleTerms& terms,
                               Moment now) {
  const bool is_of_item = reached.limit == Limit::item;
  RateBucket& bucket = is_of_item ? rates_.of_item(request.item) : rates_.sale();
  const uint32_t per_second = is_of_item ? terms.order_rate : order_rate();
  const int64_t turn_ns = bucket.turn_ns(request.user_hash, per_second, now.boot_ns);
  reached.wait_ns = std::max(reached.wait_ns, turn_ns);
  return reached;
}

// Another shard took the last token a moment ago; it may even have put one back since.
Desk::Reached Desk::lost_token(const OrderRequest& request, const SaleTerms& terms, Moment now) {
  const Reached next = next_token(request.item, terms, now);
  if (next.limit == Limit::none) return {.limit = Limit::sale, .wait_ns = kMillisecond};
  return spread_out(next, request, terms, now);
}

// ---- room ----

Verdict Desk::room_verdict() const {
  if (refusal_ != Verdict::ok) return refusal_;
  if (state_.orders_live() >= settings_.orders_max || !state_.has_room_for_order() ||
      !journal_.has_room_for_order())
    return Verdict::overloaded;
  return Verdict::ok;
}

// A log that is sealed takes nothing more; one that is full will again.
Verdict Desk::no_room_verdict() const {
  return refusal_ == Verdict::shutting_down ? Verdict::shutting_down : Verdict::overloaded;
}

void Desk::reserve(const OrderRequest& request, OrderHashes hashes, const SaleTerms& terms,
                   Moment now) {
  const OrderId id = OrderId::make(settings_.node, ++sequence_, slot_of(request.user_hash));
  const int64_t created_ms = now.wall_ms();
  const orderlog::Reserve record{.order = id,
                                 .item = request.item,
                                 .quantity = request.quantity,
                                 .amount = terms.price * request.quantity,
                                 .currency = terms.currency,
                                 .created_ms = created_ms,
                                 .pay_before_ms = created_ms + terms.pay_window_s * 1000,
                                 .body_hash = body_hash_of(request.item, request.quantity),
                                 .user = request.user,
                                 .key = request.key};
  const Lsn lsn = stock::commit(journal_, state_, record, hashes, now);
  const uint32_t index = state_.find_order(id);
  wheel_.schedule(index, state_.order(index).deadline_boot_ns);
  events_[request.item].sold += request.quantity;
  leases_.on_sold(request.item, now);
  OrderAnswer answer = answer_to(request, Verdict::created);
  answer.has_order = true;
  answer.reserved_boot_ns = now.boot_ns;
  answer.order = state_.view(index);
  emit(answer, lsn);
}

// ---- waiting for units ----

// First come, first served: a newcomer does not take units past those who wait.
Leases::Supply Desk::supply_of(ItemId item, Quantity quantity, Moment now, bool has_waited) const {
  const bool is_my_turn = has_waited || lines_.is_empty(item);
  return leases_.supply_of(item, quantity, is_my_turn, now);
}

void Desk::wait_for_units(const OrderRequest& request, Moment now) {
  if (!lines_.push(request, now)) {
    ++stats_.waits_refused;
    return refuse(request, Verdict::overloaded);
  }
  note_line(request.item);
  ++stats_.waits;
  PROBE(request_waits, request.reply_to.shard, request.reply_to.place, request.reply_to.serial,
        request.item, request.quantity);
  leases_.ask_about(request.item);
}

OrderRequest Desk::leave_line(ItemId item) {
  const OrderRequest request = lines_.pop(item);
  note_line(item);
  return request;
}

void Desk::note_line(ItemId item) {
  const Units head = lines_.is_empty(item) ? 0 : lines_.head(item).quantity;
  leases_.set_waiting(item, lines_.units(item), head);
}

// Decides the requests at the head of the line again, as long as each can be decided. One that must go on waiting goes
// on at the head, so its place is kept.
void Desk::serve_line(ItemId item, Moment now) {
  while (!lines_.is_empty(item)) {
    const int64_t since_boot_ns = lines_.head_since_boot_ns(item);
    if (supply_of_head(item, now) == Leases::Supply::unknown) {
      // With nothing free, asking again at once would only spin: news comes when that changes.
      if (leases_.has_free(item)) leases_.ask_about(item);
      return;
    }
    const OrderRequest request = leave_line(item);
    if (request.kind == RequestKind::pay)
      pay(request, now, since_boot_ns);
    else
      create(request, now, true);
  }
}

Leases::Supply Desk::supply_of_head(ItemId item, Moment now) const {
  const OrderRequest& head = lines_.head(item);
  if (head.kind == RequestKind::pay)
    return leases_.supply_for_good(item, head.quantity, true, lines_.head_since_boot_ns(item));
  return leases_.supply_of(item, head.quantity, true, now);
}

// When the head of the line is told to try again.
int64_t Desk::patience_ends_boot_ns(ItemId item) const {
  const bool is_payment = lines_.head(item).kind == RequestKind::pay;
  const int64_t patience_ms = is_payment ? bounds::late_payment_wait_ms : bounds::wait_for_units_ms;
  return lines_.head_since_boot_ns(item) + ns_of_ms(patience_ms);
}

void Desk::give_up_waiting(Moment now) {
  for (size_t i = 0; i < lines_.items().size(); ++i) {
    const ItemId item = lines_.items()[i];
    while (!lines_.is_empty(item) && patience_ends_boot_ns(item) <= now.boot_ns) {
      ++stats_.waits_timed_out;
      refuse(leave_line(item),
             leases_.is_ledger_available(item) ? Verdict::try_again : Verdict::ledger_unavailable);
    }
    // A request behind the one that gave up may need fewer units than are here.
    if (state_.stock(item).pool() > 0) serve_line(item, now);
    // News that the book left out because the lane was crowded is asked for.
    if (!lines_.is_empty(item)) leases_.ask_if_older(item, kAskAgainMs, now);
  }
  lines_.drop_empty();
}

// After a cancel or an expiry: first those who wait here, then everybody else.
void Desk::after_units_came_back(ItemId item, Moment now) {
  serve_line(item, now);
  leases_.on_came_back(item, now);
}

void Desk::take_news(const LedgerNews& news, Moment now) {
  leases_.take_news(news, now);
  serve_line(news.item, now);
  leases_.report_if_scarce(news.item);
}

// ---- reading ----

bool Desk::is_callers(const OrderRequest& request, uint32_t index) const {
  return index != kNone && state_.user_of(state_.order(index)) == request.user.view();
}

void Desk::read(const OrderRequest& request, Moment now) {
  const uint32_t index = state_.find_order(request.order);
  if (!is_callers(request, index)) return refuse(request, Verdict::unknown_order);
  const Order& order = state_.order(index);
  const bool wants_to_watch = request.kind == RequestKind::watch;
  const bool has_room = wants_to_watch && has_room_to_watch(order.id, now);
  if (wants_to_watch && !has_room) ++stats_.watches_refused;
  // A change that is on its way to the disk just now is what a watcher waits for; no room to watch tells at once too.
  const bool may_watch = order.last_lsn <= durable_ && has_room;
  if (!may_watch) return answer_with_order(request, Verdict::ok, index);
  const uint32_t watcher = watchers_.allocate();
  watchers_[watcher] = {.order = order.id,
                        .next = watchers_by_order_.push(bucket_of_watched(order.id), watcher),
                        .reply_to = request.reply_to,
                        .until_boot_ns = now.boot_ns + ns_of_ms(request.wait_ms)};
  OrderAnswer answer = answer_to(request, Verdict::ok);
  answer.is_watching = true;
  emit(answer, 0);
}

// Polls whose time is over have gone to look for themselves, and leave their places to this one.
bool Desk::has_room_to_watch(OrderId order, Moment now) {
  uint32_t watching = 0;
  for (uint32_t at = watchers_by_order_.first(bucket_of_watched(order)); at != kNone;) {
    const uint32_t next = watchers_[at].next;
    if (watchers_[at].until_boot_ns <= now.boot_ns)
      drop_watcher(at);
    else
      watching += watchers_[at].order == order;
    at = next;
  }
  return watching < kWatchersPerOrderMax && !watchers_.is_full();
}

// Those of an order that was forgotten hear nothing: their polls end at their deadline, which asks again and learns that.
void Desk::tell_watchers(uint32_t index, Moment now) {
  if (watchers_.used() == 0) return;
  const OrderId order = state_.order(index).id;
  for (uint32_t at = watchers_by_order_.first(bucket_of_watched(order)); at != kNone;) {
    const uint32_t next = watchers_[at].next;
    if (watchers_[at].order == order) {
      const bool has_place = has_place_for_answer();
      if (watchers_[at].until_boot_ns > now.boot_ns && has_place) {
        OrderAnswer answer;
        answer.reply_to = watchers_[at].reply_to;
        answer.kind = RequestKind::watch;
        answer.verdict = Verdict::ok;
        answer.is_notice = true;
        answer.has_order = true;
        answer.order = state_.view(index);
        emit(answer, state_.order(index).last_lsn);
      }
      drop_watcher(at);
    }
    at = next;
  }
}

void Desk::list(const OrderRequest& request) {
  const uint32_t holding = state_.find_holding(request.user_hash, request.user, request.item);
  uint32_t index = holding == kNone ? kNone : state_.holding(holding).newest;
  // Pages of one order each; the caller names the last one it has.
  if (request.order.value != 0) {
    index = state_.find_order(request.order);
    index = is_callers(request, index) ? state_.order(index).older : kNone;
  }
  if (index == kNone) return emit(answer_to(request, Verdict::ok), 0);
  OrderAnswer answer = answer_to(request, Verdict::ok);
  answer.has_order = true;
  answer.order = state_.view(index);
  answer.has_more = state_.order(index).older != kNone;
  emit(answer, state_.order(index).last_lsn);
}

// ---- cancel ----

void Desk::cancel(const OrderRequest& request, Moment now) {
  const uint32_t index = state_.find_order(request.order);
  if (!is_callers(request, index)) return refuse(request, Verdict::unknown_order);
  switch (state_.order(index).state) {
    case OrderState::paid:
      return answer_with_order(request, Verdict::already_paid, index);
    case OrderState::cancelled:
    case OrderState::expired:
      return answer_with_order(request, Verdict::ok, index);
    case OrderState::reserved:
      break;
  }
  if (!journal_.has_room_for_change()) return refuse(request, no_room_verdict());
  commit(orderlog::Cancel{.order = request.order, .at_ms = now.wall_ms()}, now);
  events_[state_.item_of(state_.order(index))].cancelled += state_.order(index).quantity;
  wheel_.cancel(index);
  // The caller first: a notice may take any place that is left, and the caller's is one that it was promised.
  answer_with_order(request, Verdict::ok, index);
  tell_watchers(index, now);
  after_units_came_back(state_.item_of(state_.order(index)), now);
}

// ---- pay ----

void Desk::pay(const OrderRequest& request, Moment now,
               std::optional<int64_t> waits_since_boot_ns) {
  const uint32_t index = state_.find_order(request.order);
  if (index == kNone) return refuse(request, Verdict::unknown_order);
  if (request.payment_status == PaymentStatus::failed) {
    ++stats_.payments_failed;
    return answer_with_order(request, Verdict::ok, index);
  }
  // Decided once: a redelivery gets the same answer and changes nothing.
  if (const uint32_t known = state_.find_payment(index, request.payment); known != kNone) {
    const bool was_rejected = state_.payment(known).outcome == RecordType::payment_rejected;
    return answer_with_order(request, was_rejected ? Verdict::not_payable : Verdict::ok, index);
  }
  if (!journal_.has_room_for_change() || !state_.has_room_for_payment())
    return refuse(request, no_room_verdict());
  const Order& order = state_.order(index);
  if (request.amount != order.amount || request.currency != order.currency)
    return decide_payment(request, index, RecordType::payment_rejected, now);
  switch (order.state) {
    case OrderState::reserved:
      return decide_payment(request, index, RecordType::paid, now);
    case OrderState::paid:
    case OrderState::cancelled:
      return decide_payment(request, index, RecordType::refund_due, now);
    case OrderState::expired:
      return pay_late(request, index, now, waits_since_boot_ns);
  }
}

// The money came after the reservation had expired: all its units are taken again, or it must go back. Doubt waits.
void Desk::pay_late(const OrderRequest& request, uint32_t index, Moment now,
                    std::optional<int64_t> waits_since_boot_ns) {
  const Order& order = state_.order(index);
  const ItemId item = state_.item_of(order);
  const bool is_my_turn = waits_since_boot_ns || lines_.is_empty(item);
  switch (leases_.supply_for_good(item, order.quantity, is_my_turn,
                                  waits_since_boot_ns.value_or(now.boot_ns))) {
    case Leases::Supply::here:
      return decide_payment(request, index, RecordType::late_paid, now);
    case Leases::Supply::gone:
      return decide_payment(request, index, RecordType::refund_due, now);
    case Leases::Supply::unknown:
      break;
  }
  OrderRequest waiting = request;
  waiting.item = item;
  waiting.quantity = order.quantity;
  wait_for_units(waiting, now);
}

void Desk::decide_payment(const OrderRequest& request, uint32_t index, RecordType outcome,
                          Moment now) {
  commit(orderlog::Payment{.outcome = outcome,
                           .order = request.order,
                           .amount = request.amount,
                           .currency = request.currency,
                           .received_ms = now.wall_ms(),
                           .payment_id = request.payment},
         now);
  count_payment(outcome);
  const ItemId item = state_.item_of(state_.order(index));
  if (outcome == RecordType::paid) wheel_.cancel(index);
  if (outcome == RecordType::late_paid) {
    events_[item].sold += state_.order(index).quantity;
    leases_.ask_about(item);
  }
  if (outcome == RecordType::payment_rejected)
    return answer_with_order(request, Verdict::not_payable, index);
  answer_with_order(request, Verdict::ok, index);
  tell_watchers(index, now);  // behind the caller, as of a cancel
}

void Desk::count_payment(RecordType outcome) {
  switch (outcome) {
    case RecordType::paid:
      ++stats_.paid;
      return;
    case RecordType::late_paid:
      ++stats_.late_paid;
      return;
    case RecordType::refund_due:
      ++stats_.refund_due;
      return;
    default:
      ++stats_.payments_rejected;
  }
}

ItemFigures Desk::figures(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  const Leases::LastNews news = leases_.last_news(item);
  return {.held = stock.accepted - stock.returned,
          .leased = stock.pool(),
          .reserved = stock.reserved,
          .paid = stock.paid,
          .waiting = lines_.units(item),
          .events = events_[item],
          .free = news.free,
          .news_boot_ns = news.at_boot_ns};
}

// ---- time ----

void Desk::pass_time(Moment now) {
  expire_due(now);
  give_up_waiting(now);
  leases_.return_idle(now);
  drop_stale_watchers(now);
  forget_some(now);
}

void Desk::expire_due(Moment now) {
  uint32_t budget = bounds::expiries_per_turn_max;
  while (journal_.has_room_for_change()) {
    const uint32_t index = wheel_.next_due(now.boot_ns, budget);
    if (index == kNone) return;
    const Order& order = state_.order(index);
    CHECK(order.is_live);
    CHECK(order.state == OrderState::reserved);
    commit(orderlog::Expire{.order = order.id, .at_ms = now.wall_ms()}, now);
    PROBE(order_expired, order.id.value, order.last_lsn, order.quantity);
    ++stats_.orders_expired;
    events_[state_.item_of(order)].expired += order.quantity;
    tell_watchers(index, now);
    after_units_came_back(state_.item_of(order), now);
  }
}

// Some cells a sweep, and a second's rest behind the last one.
void Desk::drop_stale_watchers(Moment now) {
  if (now.boot_ns < next_watcher_sweep_ns_ || watchers_.used() == 0) return;
  next_watcher_sweep_ns_ = now.boot_ns + ns_of_ms(kWatcherSweepMs);
  for (uint32_t cells = kWatcherCellsPerSweep; cells > 0; --cells) {
    if (watcher_cursor_ >= watchers_.touched()) {
      watcher_cursor_ = 0;
      next_watcher_sweep_ns_ = now.boot_ns + kSecond;
      return;
    }
    const uint32_t at = watcher_cursor_++;
    if (watchers_[at].until_boot_ns != 0 && watchers_[at].until_boot_ns <= now.boot_ns)
      drop_watcher(at);
  }
}

void Desk::drop_watcher(uint32_t watcher) {
  watchers_by_order_.remove(bucket_of_watched(watchers_[watcher].order), watcher,
                            [&](uint32_t i) -> uint32_t& { return watchers_[i].next; });
  watchers_[watcher].until_boot_ns = 0;  // the sweep sees a free cell
  watchers_.release(watcher);
}

bool Desk::is_over_retention(const SaleTerms& terms, Moment now) const {
  if (terms.ends_ms == 0) return false;
  return wall_.has_passed(terms.ends_ms + terms.pay_window_s * 1000 + settings_.retain_ms, now);
}

// Only of an item that was ended for good, durably and on every shard: whatever else may still be put on sale again, and needs its
// keys and purchase limits.
bool Desk::may_forget(uint32_t index, Moment now) const {
  const Order& order = state_.order(index);
  if (!order.is_live || order.state == OrderState::reserved || order.last_lsn > drained_)
    return false;
  const SaleTerms& terms = catalog_.sale(state_.item_of(order));
  return terms.is_ended && is_over_retention(terms, now);
}

// Memory has an end: some cells a sweep, round and round.
void Desk::forget_some(Moment now) {
  if (now.boot_ns < next_forget_ns_) return;
  wall_.observe(now);
  next_forget_ns_ = now.boot_ns + ns_of_ms(kForgetEveryMs);
  uint32_t orders = kForgetOrdersPerSweep;
  for (uint32_t cells = kForgetCellsPerSweep; cells > 0 && orders > 0; --cells) {
    if (forget_cursor_ >= state_.orders_touched()) {
      forget_cursor_ = 0;
      next_forget_ns_ = now.boot_ns + kSecond;
      return;
    }
    const uint32_t index = forget_cursor_++;
    if (!may_forget(index, now) || !journal_.has_room_for_change()) continue;
    commit(orderlog::Forget{.order = state_.order(index).id}, now);
    ++stats_.orders_forgotten;
    --orders;
  }
}

int64_t Desk::quiet_until_ns() const {
  int64_t until = wheel_.quiet_until_ns();
  until = std::min(until, leases_.quiet_until_ns());
  for (const ItemId item : lines_.items()) {
    if (lines_.is_empty(item)) continue;
    until = std::min(
        {until, patience_ends_boot_ns(item), leases_.asks_again_boot_ns(item, kAskAgainMs)});
  }
  return until;
}

bool Desk::wind_up() {
  for (const ItemId item : lines_.items())
    while (!lines_.is_empty(item)) refuse(leave_line(item), Verdict::shutting_down);
  lines_.drop_empty();
  return leases_.return_all() && held_.empty() && !leases_.is_returning();
}

// ---- answers ----

Lsn Desk::commit(const orderlog::Record& record, Moment now) {
  return stock::commit(journal_, state_, record, now);
}

void Desk::refuse_new_orders(Verdict why) {
  refusal_ = why;
  leases_.set_stopping(why == Verdict::shutting_down);
}

bool Desk::has_place_for_answer() const {
  return held_.size() + lines_.size() < settings_.answers_held_max;
}

OrderAnswer Desk::answer_to(const OrderRequest& request, Verdict verdict) const {
  OrderAnswer answer;
  answer.reply_to = request.reply_to;
  answer.kind = request.kind;
  answer.verdict = verdict;
  answer.received_boot_ns = request.received_boot_ns;
  answer.order.item = request.item;
  return answer;
}

void Desk::refuse(const OrderRequest& request, Verdict verdict) {
  OrderAnswer answer = answer_to(request, verdict);
  if (verdict == request.objection) {
    answer.limit = request.objection_limit;
    answer.retry_after_ms = request.objection_retry_ms;
  }
  if (verdict == Verdict::not_started) answer.starts_at_ms = catalog_.sale(request.item).starts_ms;
  emit(answer, 0);
}

// Rounded up: a millisecond earlier would be too early.
void Desk::refuse(const OrderRequest& request, const Reached& reached) {
  OrderAnswer answer = answer_to(request, Verdict::rate_limited);
  answer.limit = reached.limit;
  answer.retry_after_ms = static_cast<uint32_t>(
      std::clamp<int64_t>((reached.wait_ns + kMillisecond - 1) / kMillisecond, 1, UINT32_MAX));
  emit(answer, 0);
}

// Whatever shows an order's state leaves only when the order's last record is durable, whoever asked.
void Desk::answer_with_order(const OrderRequest& request, Verdict verdict, uint32_t index) {
  OrderAnswer answer = answer_to(request, verdict);
  answer.has_order = true;
  answer.order = state_.view(index);
  emit(answer, state_.order(index).last_lsn);
}

void Desk::emit(const OrderAnswer& answer, Lsn lsn) {
  PROBE(request_decided, answer.reply_to.shard, answer.reply_to.place, answer.reply_to.serial,
        answer.verdict, answer.order.id.value, lsn);
  if (lsn <= durable_) return answers_.deliver(answer);
  held_.push() = {.lsn = lsn, .answer = answer};
}

// `held_` is in the order of the decisions and not strictly of the records: an answer whose record is durable may wait behind one
// whose record is later.
void Desk::release(Lsn durable) {
  durable_ = durable;
  while (!held_.empty() && held_.front().lsn <= durable) {
    const OrderAnswer& answer = held_.front().answer;
    PROBE(request_durable, answer.reply_to.shard, answer.reply_to.place, answer.reply_to.serial,
          answer.order.id.value, held_.front().lsn);
    answers_.deliver(answer);
    held_.pop();
  }
  leases_.on_durable(durable);
}

}  // namespace stampede::stock
