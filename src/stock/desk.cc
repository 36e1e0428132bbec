#include "stock/desk.h"

#include <algorithm>
#include <bit>

namespace stampede::stock {
namespace {

using orderlog::RecordType;

constexpr int64_t ms(int64_t milliseconds) {
  return milliseconds * kMillisecond;
}

constexpr int64_t kAskAgainMs = 5;  // while requests wait for units
constexpr uint32_t kWatcherSweepMs = 1'000;
constexpr uint32_t kForgetEveryMs = 10;
constexpr uint32_t kForgetCellsPerSweep = 4'096;
constexpr uint32_t kForgetOrdersPerSweep = 128;
constexpr uint32_t kIdleChecksPerTurn = 256;
constexpr uint32_t kReturnsUnderWayMax = bounds::item_count_max;

}  // namespace

Desk::Desk(const DeskSettings& settings, StreamState& state, const Catalog& catalog,
           Journal& journal, AnswerSink& answers, uint64_t sequence_max, Moment now)
    : settings_(settings),
      state_(state),
      catalog_(catalog),
      journal_(journal),
      answers_(answers),
      wheel_(state.orders_max(), now.boot_ns),
      sequence_(sequence_max),
      waiting_slab_(bounds::orders_waiting_max),
      held_(settings.answers_held_max),
      asking_(settings.group_count),
      idle_checks_(bounds::item_count_max),
      returning_(kReturnsUnderWayMax),
      watchers_(bounds::watchers_max),
      watchers_by_order_(bounds::watchers_max) {
  for (uint32_t index = 0; index < state_.orders_touched(); ++index) {
    Order& order = state_.order(index);
    if (!order.is_live || order.state != OrderState::reserved) continue;
    if (order.deadline_boot_ns == 0)
      order.deadline_boot_ns = now.boot_ns + ms(order.pay_before_ms - order.created_ms);
    wheel_.schedule(index, order.deadline_boot_ns);
  }
  for (ItemId item = 0; item < state_.stocks().size(); ++item) {
    sale(item).returned_durable = sale(item).returned_told = state_.stock(item).returned;
    sale(item).known_pool = state_.stock(item).pool();
    if (state_.stock(item).pool() > 0) watch_idle(item, now.boot_ns);
  }
}

Desk::Sale& Desk::sale(ItemId item) {
  if (item >= sales_.size()) sales_.resize(std::max<size_t>(item + 1, catalog_.id_end()));
  return sales_[item];
}

void Desk::handle(const OrderRequest& request, Moment now) {
  // Every request inside the desk has a place for its answer; without one it is not let in.
  if (held_.size() + waiting_count_ >= settings_.answers_held_max)
    return answers_.deliver(answer_to(request, Verdict::overloaded));
  switch (request.kind) {
    case RequestKind::create:
      return create(request, now, false);
    case RequestKind::read:
    case RequestKind::watch:
      return read(request, now);
    case RequestKind::list:
      return list(request);
    case RequestKind::cancel:
      return cancel(request, now);
    case RequestKind::pay:
      return pay(request, now, false);
  }
}

// ---- create ----

void Desk::create(const OrderRequest& request, Moment now, bool has_waited) {
  // The shard that parsed the request may have heard of a new item before this one.
  if (!catalog_.contains(request.item)) return refuse(request, Verdict::try_again);
  const SaleTerms& terms = catalog_.sale(request.item);
  if (answer_known_key(request)) return;
  if (answer_purchase_limit(request, terms)) return;
  if (Verdict verdict = sale_verdict(terms, now); verdict != Verdict::ok)
    return refuse(request, verdict);
  if (Verdict verdict = room_verdict(); verdict != Verdict::ok) return refuse(request, verdict);

  sale(request.item).demand_boot_ns = now.boot_ns;
  switch (supply_of(request.item, request.quantity, now, has_waited)) {
    case Supply::here:
      return reserve(request, terms, now);
    case Supply::unknown:
      return wait_for_units(request, now);
    case Supply::gone:
      break;
  }
  const Units left = unsold_here(request.item);
  // News older than half its life is read again, so that a sold-out item costs its ledger one exchange in 50 ms.
  if (now.boot_ns - sale(request.item).told_boot_ns >= ms(bounds::sold_out_reread_ms))
    ask_about(request.item);
  if (left == 0 && sale(request.item).pool_elsewhere == 0 && sale(request.item).free == 0)
    return refuse(request, Verdict::sold_out);
  OrderAnswer answer = answer_to(request, Verdict::not_enough);
  answer.available = left + sale(request.item).pool_elsewhere + sale(request.item).free;
  emit(answer, 0);
}

bool Desk::answer_known_key(const OrderRequest& request) {
  if (request.key.empty()) return false;
  const uint32_t index = state_.find_by_key(request.user_hash, request.user, request.key);
  if (index == kNone) return false;
  if (state_.order(index).body_hash == request.body_hash)
    answer_with_order(request, Verdict::replayed, index);
  else
    refuse(request, Verdict::key_reused);
  return true;
}

bool Desk::answer_purchase_limit(const OrderRequest& request, const SaleTerms& terms) {
  if (terms.per_user_limit == 0) return false;
  if (request.quantity > terms.per_user_limit) {
    refuse(request, Verdict::bad_request);
    return true;
  }
  const uint32_t index = state_.find_holding(request.user_hash, request.user, request.item);
  if (index == kNone) return false;
  const Holding& holding = state_.holding(index);
  if (holding.units + request.quantity > terms.per_user_limit) {
    answer_with_order(request, Verdict::limit_reached, holding.newest_active);
    return true;
  }
  // Whoever reserves and cancels a thousand times is not buying.
  if (holding.orders < bounds::orders_per_holding_max) return false;
  refuse(request, Verdict::rate_limited);
  return true;
}

Verdict Desk::sale_verdict(const SaleTerms& terms, Moment now) const {
  if (terms.is_ended || (terms.ends_ms != 0 && now.wall_ms() >= terms.ends_ms))
    return Verdict::sale_ended;
  if (terms.starts_ms != 0 && now.wall_ms() < terms.starts_ms) return Verdict::not_started;
  if (terms.is_paused) return Verdict::sale_paused;
  return Verdict::ok;
}

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

void Desk::reserve(const OrderRequest& request, const SaleTerms& terms, Moment now) {
  const OrderId id = OrderId::make(settings_.node, ++sequence_, slot_of(request.user_hash));
  const int64_t created_ms = now.wall_ms();
  const Lsn lsn = commit(orderlog::Reserve{.order = id,
                                           .item = request.item,
                                           .quantity = request.quantity,
                                           .amount = terms.price * request.quantity,
                                           .currency = terms.currency,
                                           .created_ms = created_ms,
                                           .pay_before_ms = created_ms + terms.pay_window_s * 1000,
                                           .body_hash = request.body_hash,
                                           .user = request.user,
                                           .key = request.key},
                         now);
  const uint32_t index = state_.find_order(id);
  wheel_.schedule(index, state_.order(index).deadline_boot_ns);
  // Lease the next units while there are still some: the exchange takes a turn or more.
  const Units ahead = lookahead(request.item, now);
  if (state_.stock(request.item).pool() < ahead / 2 || sale(request.item).free == 0)
    ask_about(request.item);
  watch_idle(request.item, now.boot_ns + ms(bounds::idle_pool_ms));
  OrderAnswer answer = answer_to(request, Verdict::created);
  answer.has_order = true;
  answer.reserved_boot_ns = now.boot_ns;
  answer.order = state_.view(index);
  emit(answer, lsn);
}

// ---- units ----

// Units that the ledger's last news does not count and somebody will be able to buy: the pool, and what is on its way back
// until the ledger says that it has arrived. Without the latter there would be a moment in which nobody counts them.
Units Desk::unsold_here(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  const Units on_their_way = item < sales_.size() ? stock.returned - sales_[item].returned_told : 0;
  return stock.pool() + on_their_way;
}

// What the ledger is to take for unsold here: the pool and what is going back but not durably so. What is durable stands in
// the same ask as returned.
Units Desk::pool_to_report(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  return stock.pool() + (stock.returned - sales_[item].returned_durable);
}

Desk::Supply Desk::supply_of(ItemId item, Quantity quantity, Moment now, bool has_waited) const {
  const Sale& sale = sales_[item];
  // First come, first served: a newcomer does not take units past those who wait.
  const bool is_my_turn = has_waited || sale.line_head == kNone;
  if (is_my_turn && state_.stock(item).pool() >= quantity) return Supply::here;
  const bool is_news_fresh =
      sale.told_boot_ns != 0 && now.boot_ns - sale.told_boot_ns <= ms(bounds::sold_out_valid_ms);
  // What this stream still held when the ledger spoke counts too, though it is sold by now: in between others may have got
  // units back, and then there was no moment without one.
  const Units here = std::max(unsold_here(item), sale.known_pool);
  if (is_news_fresh && here + sale.free + sale.pool_elsewhere < quantity) return Supply::gone;
  return Supply::unknown;
}

void Desk::wait_for_units(const OrderRequest& request, Moment now) {
  const uint32_t index = waiting_slab_.allocate();
  if (index == kNone) return refuse(request, Verdict::overloaded);
  Waiting& waiting = waiting_slab_[index];
  waiting = {.request = request, .since_boot_ns = now.boot_ns, .next = kNone};
  Sale& sale = this->sale(request.item);
  if (sale.line_head == kNone)
    sale.line_head = index;
  else
    waiting_slab_[sale.line_tail].next = index;
  sale.line_tail = index;
  if (!sale.is_in_lines) lines_.push_back(request.item);
  sale.is_in_lines = true;
  ++sale.line_size;
  sale.line_units += request.quantity;
  ++waiting_count_;
  ++stats_.waits;
  ask_about(request.item);
}

OrderRequest Desk::pop_line(Sale& sale) {
  const uint32_t index = sale.line_head;
  const OrderRequest request = waiting_slab_[index].request;
  sale.line_head = waiting_slab_[index].next;
  --sale.line_size;
  sale.line_units -= request.quantity;
  --waiting_count_;
  waiting_slab_.release(index);
  return request;
}

// Decides the requests at the head of the line again, as long as each can be decided. One that must go on waiting goes
// on at the head, so its place is kept.
void Desk::serve_line(ItemId item, Moment now) {
  Sale& sale = this->sale(item);
  while (sale.line_head != kNone) {
    const OrderRequest& head = waiting_slab_[sale.line_head].request;
    if (supply_of(item, head.quantity, now, true) == Supply::unknown) {
      // With nothing free, asking again at once would only spin: the ledger tells when that changes.
      if (sale.free > 0) ask_about(item);
      return;
    }
    const OrderRequest request = pop_line(sale);
    if (request.kind == RequestKind::pay)
      pay(request, now, true);
    else
      create(request, now, true);
  }
}

void Desk::give_up_waiting(Moment now) {
  for (size_t i = 0; i < lines_.size();) {
    const ItemId item = lines_[i];
    Sale& sale = this->sale(item);
    while (sale.line_head != kNone && now.boot_ns - waiting_slab_[sale.line_head].since_boot_ns >=
                                          ms(bounds::wait_for_units_ms)) {
      ++stats_.waits_timed_out;
      const OrderRequest request = pop_line(sale);
      refuse(request, is_ledger_available(item) ? Verdict::try_again : Verdict::ledger_unavailable);
    }
    // Whoever was behind may need fewer units than are here.
    if (sale.line_head != kNone && state_.stock(item).pool() > 0) serve_line(item, now);
    // News that got lost in a crowded lane is made up for.
    if (sale.line_head != kNone && now.boot_ns - sale.told_boot_ns >= ms(kAskAgainMs))
      ask_about(item);
    if (sale.line_head == kNone) {
      sale.is_in_lines = false;
      lines_[i] = lines_.back();
      lines_.pop_back();
    } else {
      ++i;
    }
  }
}

// After a cancel or an expiry: first those who wait here, then everybody else.
void Desk::after_units_came_back(ItemId item, Moment now) {
  if (sale(item).line_head != kNone) serve_line(item, now);
  if (state_.stock(item).pool() == 0) return;
  // Others may be answering sold_out: they must hear of these units within 100 ms.
  if (sale(item).free == 0) ask_about(item);
  watch_idle(item, now.boot_ns);
}

// ---- ledger ----

uint32_t Desk::group_of(ItemId item) const {
  if (settings_.group_count == 1) return 0;
  return stampede::group_of(catalog_.code(item), settings_.group_count);
}

bool Desk::is_ledger_available(ItemId item) const {
  return (available_groups_ >> group_of(item) & 1) != 0;
}

void Desk::ask_about(ItemId item) {
  Sale& sale = this->sale(item);
  if (sale.is_asking) return;
  sale.is_asking = true;
  const uint32_t group = group_of(item);
  asking_[group].push_back(item);
  asking_groups_ |= uint32_t{1} << group;
}

// min(2 % of what is free / streams, --lease-max): 0 when stock is scarce. Only for an item whose pool would not count as
// idle just now; otherwise what was given back would be leased again at once.
Units Desk::lookahead(ItemId item, Moment now) const {
  const Sale& sale = sales_[item];
  if (refusal_ == Verdict::shutting_down) return 0;
  if (sale.demand_boot_ns == 0 || now.boot_ns - sale.demand_boot_ns >= ms(bounds::idle_pool_ms))
    return 0;
  return std::min<Units>(sale.free / 50 / settings_.shard_count, settings_.lease_max);
}

Units Desk::wanted(ItemId item, Moment now) const {
  const Units target = sales_[item].line_units + lookahead(item, now);
  const Units pool = state_.stock(item).pool();
  return target > pool ? target - pool : 0;
}

size_t Desk::collect_asks(uint32_t groups, std::span<LedgerAsk> asks, Moment now) {
  size_t count = 0;
  groups &= asking_groups_;
  while (count < asks.size() && groups != 0) {
    const auto group = static_cast<uint32_t>(std::countr_zero(groups));
    const ItemId item = asking_[group].back();
    asking_[group].pop_back();
    if (asking_[group].empty()) {
      groups &= groups - 1;
      asking_groups_ &= ~(uint32_t{1} << group);
    }
    Sale& sale = this->sale(item);
    const ItemStock& stock = state_.stock(item);
    sale.is_asking = false;
    sale.is_in_exchange = true;
    sale.known_pool = pool_to_report(item);
    asks[count++] = {.item = item,
                     .group = group,
                     .accepted = stock.accepted,
                     .returned = sale.returned_durable,
                     .pool = sale.known_pool,
                     .want = journal_.has_room_for_change() ? wanted(item, now) : 0};
    CHECK(stock.returned >= sale.returned_durable);
  }
  return count;
}

void Desk::take_news(const LedgerNews& news, Moment now) {
  Sale& sale = this->sale(news.item);
  const Units accepted = state_.stock(news.item).accepted;
  if (news.accepted > accepted) {
    stats_.units_leased += news.accepted - accepted;
    ++stats_.leases;
    sale.known_pool += news.accepted - accepted;
    commit(orderlog::Grant{.item = news.item, .accepted = news.accepted}, now);
    watch_idle(news.item, now.boot_ns + ms(bounds::idle_pool_ms));
  }
  sale.returned_told = news.returned;
  sale.free = news.free;
  sale.pool_elsewhere = news.pool_elsewhere;
  // News that crosses an ask may be older than what the ask says of this stream: it is no proof that nothing was left.
  if (!news.is_unasked || !sale.is_in_exchange) sale.told_boot_ns = now.boot_ns;
  if (!news.is_unasked) sale.is_in_exchange = false;
  serve_line(news.item, now);
  // Scarce: what changed here since the ask decides whether others may say sold_out.
  if (sale.free == 0 && pool_to_report(news.item) != sale.known_pool) ask_about(news.item);
}

StreamCount Desk::count(ItemId item) const {
  const ItemStock& stock = state_.stock(item);
  return {.accepted = stock.accepted,
          .returned = stock.returned,
          .reserved = stock.reserved,
          .paid = stock.paid,
          .pool = stock.pool()};
}

StreamCount Desk::durable_count(ItemId item) const {
  StreamCount count = this->count(item);
  if (item < sales_.size()) {
    count.returned = sales_[item].returned_durable;
    count.pool = pool_to_report(item);
  }
  return count;
}

void Desk::begin_epoch(uint32_t groups, uint32_t stream_count) {
  settings_.shard_count = stream_count;
  for (ItemId item = 0; item < catalog_.id_end(); ++item)
    if (catalog_.contains(item) && (groups >> group_of(item) & 1) != 0) ask_about(item);
}

Desk::Glance Desk::glance(ItemId item, Moment now) {
  Sale& sale = this->sale(item);
  const int64_t age_ns = now.boot_ns - sale.told_boot_ns;
  if (sale.told_boot_ns == 0 || age_ns > kSecond / 2) ask_about(item);
  if (sale.told_boot_ns == 0 || age_ns > kSecond) return {};
  return {.available = unsold_here(item) + sale.free + sale.pool_elsewhere, .is_known = true};
}

void Desk::watch_idle(ItemId item, int64_t at_boot_ns) {
  Sale& sale = this->sale(item);
  if (sale.is_idle_queued) return;
  sale.is_idle_queued = true;
  idle_checks_.push() = {.item = item, .at_boot_ns = at_boot_ns};
}

void Desk::return_idle(Moment now) {
  for (uint32_t budget = kIdleChecksPerTurn; budget > 0 && !idle_checks_.empty(); --budget) {
    if (idle_checks_.front().at_boot_ns > now.boot_ns || !journal_.has_room_for_change()) return;
    const ItemId item = idle_checks_.front().item;
    idle_checks_.pop();
    Sale& sale = this->sale(item);
    sale.is_idle_queued = false;
    // Sold by the news of then, when others had more: what the ledger still takes for unsold here would keep everybody
    // else from hearing sold_out.
    if (pool_to_report(item) != sale.known_pool) ask_about(item);
    if (state_.stock(item).pool() == 0) continue;
    // Given back to a ledger that cannot be reached they would be nobody's: here they can still be bought.
    if (!is_ledger_available(item)) {
      watch_idle(item, now.boot_ns + ms(bounds::idle_pool_ms));
      continue;
    }
    // A pool that the head of the line cannot use is idle too: two shards that hold half of an order each must let go.
    const int64_t idle_at =
        sale.demand_boot_ns == 0 ? 0 : sale.demand_boot_ns + ms(bounds::idle_pool_ms);
    if (idle_at <= now.boot_ns || (sale.line_head != kNone && sale.free == 0))
      give_back_pool(item);
    else
      watch_idle(item, idle_at);
  }
}

void Desk::give_back_pool(ItemId item) {
  const ItemStock& stock = state_.stock(item);
  stats_.units_returned += stock.pool();
  const Units returned = stock.returned + stock.pool();
  sale(item);  // may grow the table before the record refers to it
  const Lsn lsn = journal_.append(orderlog::GiveBack{.item = item, .returned = returned});
  CHECK(bool(state_.apply(orderlog::GiveBack{.item = item, .returned = returned}, lsn, Moment{})));
  returning_.push() = {.item = item, .returned = returned, .lsn = lsn};
}

// ---- reading ----

bool Desk::is_callers(const OrderRequest& request, uint32_t index) const {
  return index != kNone && state_.user_of(state_.order(index)) == request.user.view();
}

void Desk::read(const OrderRequest& request, Moment now) {
  const uint32_t index = state_.find_order(request.order);
  if (!is_callers(request, index)) return refuse(request, Verdict::unknown_order);
  const Order& order = state_.order(index);
  // A change that is on its way to the disk just now is what a watcher waits for; no room to watch tells at once too.
  const bool may_watch =
      request.kind == RequestKind::watch && order.last_lsn <= durable_ && !watchers_.is_full();
  if (!may_watch) return answer_with_order(request, Verdict::ok, index);
  const uint32_t watcher = watchers_.allocate();
  watchers_[watcher] = {.order = index,
                        .next = watchers_by_order_.push(mix(index), watcher),
                        .reply_to = request.reply_to,
                        .until_boot_ns = now.boot_ns + ms(bounds::wait_ms_max) + kSecond};
  OrderAnswer answer = answer_to(request, Verdict::ok);
  answer.is_watching = true;
  emit(answer, 0);
}

void Desk::tell_watchers(uint32_t index, Moment now) {
  if (watchers_.used() == 0) return;
  for (uint32_t at = watchers_by_order_.first(mix(index)); at != kNone;) {
    const uint32_t next = watchers_[at].next;
    if (watchers_[at].order == index) {
      const bool has_place = held_.size() + waiting_count_ < settings_.answers_held_max;
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
  wheel_.cancel(index);
  tell_watchers(index, now);
  answer_with_order(request, Verdict::ok, index);
  after_units_came_back(state_.item_of(state_.order(index)), now);
}

// ---- pay ----

void Desk::pay(const OrderRequest& request, Moment now, bool has_waited) {
  const uint32_t index = state_.find_order(request.order);
  if (index == kNone) return refuse(request, Verdict::unknown_order);
  if (request.payment_status == PaymentStatus::failed)
    return answer_with_order(request, Verdict::ok, index);
  // Decided once: a redelivery gets the same answer and changes nothing.
  if (const uint32_t known = state_.find_payment(index, request.payment); known != kNone) {
    const bool was_rejected = state_.payment(known).outcome == RecordType::payment_rejected;
    return answer_with_order(request, was_rejected ? Verdict::not_payable : Verdict::ok, index);
  }
  if (!journal_.has_room_for_change() || !state_.has_room_for_payment())
    return refuse(request, no_room_verdict());
  const Order& order = state_.order(index);
  if (request.amount != order.amount || request.currency != order.currency)
    return settle(request, index, RecordType::payment_rejected, now);
  switch (order.state) {
    case OrderState::reserved:
      return settle(request, index, RecordType::paid, now);
    case OrderState::paid:
    case OrderState::cancelled:
      return settle(request, index, RecordType::refund_due, now);
    case OrderState::expired:
      return pay_late(request, index, now, has_waited);
  }
}

// The money came after the reservation had expired: all its units are taken again, or it must go back. Doubt waits.
void Desk::pay_late(const OrderRequest& request, uint32_t index, Moment now, bool has_waited) {
  const Order& order = state_.order(index);
  const ItemId item = state_.item_of(order);
  sale(item);
  switch (supply_of(item, order.quantity, now, has_waited)) {
    case Supply::here:
      return settle(request, index, RecordType::late_paid, now);
    case Supply::gone:
      return settle(request, index, RecordType::refund_due, now);
    case Supply::unknown:
      break;
  }
  OrderRequest waiting = request;
  waiting.item = item;
  waiting.quantity = order.quantity;
  wait_for_units(waiting, now);
}

void Desk::settle(const OrderRequest& request, uint32_t index, RecordType outcome, Moment now) {
  commit(orderlog::Payment{.outcome = outcome,
                           .order = request.order,
                           .amount = request.amount,
                           .currency = request.currency,
                           .received_ms = now.wall_ms(),
                           .payment_id = request.payment},
         now);
  if (outcome == RecordType::paid) wheel_.cancel(index);
  if (outcome == RecordType::late_paid) ask_about(state_.item_of(state_.order(index)));
  tell_watchers(index, now);
  answer_with_order(
      request, outcome == RecordType::payment_rejected ? Verdict::not_payable : Verdict::ok, index);
}

// ---- time ----

void Desk::pass_time(Moment now) {
  expire_due(now);
  give_up_waiting(now);
  return_idle(now);
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
    ++stats_.orders_expired;
    tell_watchers(index, now);
    after_units_came_back(state_.item_of(order), now);
  }
}

void Desk::drop_stale_watchers(Moment now) {
  if (now.boot_ns < next_watcher_sweep_ns_ || watchers_.used() == 0) return;
  next_watcher_sweep_ns_ = now.boot_ns + ms(kWatcherSweepMs);
  for (uint32_t at = 0; at < watchers_.touched(); ++at)
    if (watchers_[at].until_boot_ns != 0 && watchers_[at].until_boot_ns <= now.boot_ns)
      drop_watcher(at);
}

void Desk::drop_watcher(uint32_t watcher) {
  watchers_by_order_.remove(mix(watchers_[watcher].order), watcher,
                            [&](uint32_t i) -> uint32_t& { return watchers_[i].next; });
  watchers_[watcher].until_boot_ns = 0;  // the sweep sees a free cell
  watchers_.release(watcher);
}

bool Desk::may_forget(uint32_t index, Moment now) const {
  const Order& order = state_.order(index);
  if (!order.is_live || order.state == OrderState::reserved || order.last_lsn > drained_)
    return false;
  const SaleTerms& terms = catalog_.sale(state_.item_of(order));
  if (terms.ends_ms == 0) return false;
  return wall_.has_passed(terms.ends_ms + terms.pay_window_s * 1000 + settings_.retain_ms, now);
}

// Memory has an end: some cells a sweep, round and round.
void Desk::forget_some(Moment now) {
  if (now.boot_ns < next_forget_ns_) return;
  wall_.observe(now);
  next_forget_ns_ = now.boot_ns + ms(kForgetEveryMs);
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
  if (!idle_checks_.empty())
    until = std::min(until, const_cast<Desk*>(this)->idle_checks_.front().at_boot_ns);
  for (const ItemId item : lines_) {
    const Sale& sale = sales_[item];
    if (sale.line_head == kNone) continue;
    const int64_t patience_ends =
        waiting_slab_[sale.line_head].since_boot_ns + ms(bounds::wait_for_units_ms);
    until = std::min({until, patience_ends, sale.told_boot_ns + ms(kAskAgainMs)});
  }
  return until;
}

bool Desk::wind_up() {
  for (const ItemId item : lines_) {
    Sale& sale = this->sale(item);
    while (sale.line_head != kNone) refuse(pop_line(sale), Verdict::shutting_down);
    sale.is_in_lines = false;
  }
  lines_.clear();
  for (ItemId item = 0; item < state_.stocks().size(); ++item) {
    if (state_.stock(item).pool() == 0) continue;
    if (!journal_.has_room_for_change()) return false;
    give_back_pool(item);
  }
  return held_.empty() && returning_.empty();
}

// ---- answers ----

Lsn Desk::commit(const orderlog::Record& record, Moment now) {
  const Lsn lsn = journal_.append(record);
  const Status applied = state_.apply(record, lsn, now);
  // What the desk decided must follow from its own state: anything else would not survive a restart either.
  CHECK(bool(applied));
  return lsn;
}

OrderAnswer Desk::answer_to(const OrderRequest& request, Verdict verdict) const {
  OrderAnswer answer;
  answer.reply_to = request.reply_to;
  answer.kind = request.kind;
  answer.verdict = verdict;
  answer.received_boot_ns = request.received_boot_ns;
  return answer;
}

void Desk::refuse(const OrderRequest& request, Verdict verdict) {
  OrderAnswer answer = answer_to(request, verdict);
  if (verdict == Verdict::not_started) answer.starts_at_ms = catalog_.sale(request.item).starts_ms;
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
  if (lsn <= durable_) return answers_.deliver(answer);
  held_.push() = {.lsn = lsn, .answer = answer};
}

// The line is in the order of the decisions, not quite of the records; an answer behind a later record waits with it.
void Desk::release(Lsn durable) {
  durable_ = durable;
  while (!held_.empty() && held_.front().lsn <= durable) {
    answers_.deliver(held_.front().answer);
    held_.pop();
  }
  while (!returning_.empty() && returning_.front().lsn <= durable) {
    const Returning& returning = returning_.front();
    sale(returning.item).returned_durable = returning.returned;
    ask_about(returning.item);
    returning_.pop();
  }
}

}  // namespace stampede::stock
