#include "ledger/embedded.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace stampede::ledger {
namespace {

using Kind = LedgerMessage::Kind;

constexpr uint32_t kAuditsUnderWayMax = 64;
static_assert(bounds::shard_count_max <= 64, "touched_ has a bit per shard");
static_assert(2 * bounds::lines_per_exchange_max + 2 * kAuditsUnderWayMax <
                  bounds::ledger_slots / 2,
              "asks, answers and audits always find room; news takes only the rest");

LedgerMessage message_of(Kind kind, const LedgerNews& news) {
  return {.kind = kind,
          .item = news.item,
          .values = {news.accepted, news.returned, news.free, news.pool_elsewhere}};
}

}  // namespace

LedgerLanes::LedgerLanes(uint32_t shard_count) : shard_count_(shard_count) {
  for (uint32_t i = 0; i < shard_count * shard_count; ++i)
    lanes_.push_back(std::make_unique<Lane<LedgerMessage>>(bounds::ledger_slots));
}

EmbeddedLedger::EmbeddedLedger(uint32_t shard, LedgerLanes& lanes, Book book)
    : shard_(shard), lanes_(lanes), book_(std::move(book)) {}

void EmbeddedLedger::send(uint32_t to, LedgerMessage message) {
  message.from = static_cast<uint16_t>(shard_);
  CHECK(lanes_.lane(shard_, to).push(message));
  touched_ |= uint64_t{1} << to;
}

void EmbeddedLedger::exchange(Client&, std::span<const LedgerAsk> asks, Moment) {
  CHECK(answers_awaited_ == 0);
  for (const LedgerAsk& ask : asks)
    send(home_of(ask.item),
         {.kind = Kind::ask, .item = ask.item, .values = {ask.returned, ask.pool, ask.want}});
  answers_awaited_ = static_cast<uint32_t>(asks.size());
}

bool EmbeddedLedger::has_mail() const {
  for (uint32_t from = 0; from < lanes_.shard_count(); ++from)
    if (lanes_.lane(from, shard_).has_some()) return true;
  return false;
}

void EmbeddedLedger::poll(Client& client, Moment) {
  for (uint32_t from = 0; from < lanes_.shard_count(); ++from)
    lanes_.lane(from, shard_).take(bounds::ledger_slots, [&](const LedgerMessage& message) {
      take(message, client);
    });
}

void EmbeddedLedger::take(const LedgerMessage& message, Client& client) {
  const Units* values = message.values;
  switch (message.kind) {
    case Kind::ask:
      return answer_ask(message);
    case Kind::answer:
      CHECK(answers_awaited_ > 0);
      --answers_awaited_;
      [[fallthrough]];
    case Kind::news:
      return client.take_news({.item = message.item,
                               .accepted = values[0],
                               .returned = values[1],
                               .free = values[2],
                               .pool_elsewhere = values[3],
                               .is_unasked = message.kind == Kind::news});
    case Kind::supply:
      book_.supply(message.item, values[0]);
      return spread_news(message.item, lanes_.shard_count());
    case Kind::withdraw: {
      const bool is_done = book_.withdraw(message.item, values[0]);
      send(message.from, {.kind = Kind::withdrawn,
                          .is_ok = is_done,
                          .item = message.item,
                          .ticket = message.ticket,
                          .values = {book_.free(message.item)}});
      return spread_news(message.item, lanes_.shard_count());
    }
    case Kind::withdrawn:
      changes_.push_back(
          {.ticket = message.ticket,
           .outcome = message.is_ok ? StockChange::Outcome::done : StockChange::Outcome::not_enough,
           .free = values[0]});
      return;
    case Kind::audit_ask:
      return begin_audit(message);
    case Kind::audit_marker: {
      const StreamCount count = client.count(message.item);
      return send(message.from, {.kind = Kind::audit_count,
                                 .item = message.item,
                                 .ticket = message.ticket,
                                 .values = {count.accepted, count.returned, count.reserved,
                                            count.paid, count.pool}});
    }
    case Kind::audit_count:
      return add_count(message);
    case Kind::audit_release:
      CHECK(!"a message of the shared ledger");
    case Kind::audit_sum:
      --audits_asked_;
      audit_results_.push_back({.ticket = message.ticket,
                                .line = {.item = message.item,
                                         .total = values[0],
                                         .free = values[1],
                                         .leased = values[2],
                                         .reserved = values[3],
                                         .paid = values[4],
                                         .is_ok = message.is_ok}});
      return;
  }
}

// ---- the book's side ----

void EmbeddedLedger::answer_ask(const LedgerMessage& message) {
  const Book::Answer answer = book_.ask(message.from, {.item = message.item,
                                                       .returned = message.values[0],
                                                       .pool = message.values[1],
                                                       .want = message.values[2]});
  send(message.from, message_of(Kind::answer, answer.news));
  if (answer.concerns_others) spread_news(message.item, message.from);
}

// News may be left out when a lane is crowded: a stream that answers sold_out reads the item again within 50 ms anyway.
void EmbeddedLedger::spread_news(ItemId item, uint32_t except) {
  for (uint32_t stream = 0; stream < lanes_.shard_count(); ++stream) {
    if (stream == except || !book_.is_interested(stream, item)) continue;
    if (lanes_.lane(shard_, stream).room() < bounds::ledger_slots / 2) continue;
    send(stream, message_of(Kind::news, book_.news_for(stream, item)));
  }
}

void EmbeddedLedger::begin_audit(const LedgerMessage& message) {
  const ItemId item = message.item;
  Audit audit;
  audit.ticket = message.ticket;
  audit.counts_awaited = lanes_.shard_count();
  audit.line = {.item = item, .total = book_.total(item), .free = book_.free(item), .is_ok = true};
  for (uint32_t stream = 0; stream < lanes_.shard_count(); ++stream) {
    audit.noted.push_back(
        {.accepted = book_.granted(stream, item), .returned = book_.returned(stream, item)});
    send(stream, {.kind = Kind::audit_marker, .item = item, .ticket = message.ticket});
  }
  audits_.push_back(std::move(audit));
}

void EmbeddedLedger::add_count(const LedgerMessage& message) {
  const auto audit = std::find_if(audits_.begin(), audits_.end(),
                                  [&](const Audit& one) { return one.ticket == message.ticket; });
  CHECK(audit != audits_.end());
  const auto [accepted, returned, reserved, paid, pool] = message.values;
  const StreamCount& noted = audit->noted[message.from];
  AuditLine& line = audit->line;
  const bool adds_up = accepted == noted.accepted && returned >= noted.returned &&
                       pool + reserved + paid + returned == accepted;
  line.is_ok = line.is_ok && adds_up;
  line.reserved += reserved;
  line.paid += paid;
  line.leased += pool + (returned - noted.returned);
  if (--audit->counts_awaited > 0) return;
  line.is_ok = line.is_ok && line.free + line.leased + line.reserved + line.paid == line.total;
  send(0, {.kind = Kind::audit_sum,
           .is_ok = line.is_ok,
           .item = line.item,
           .ticket = audit->ticket,
           .values = {line.total, line.free, line.leased, line.reserved, line.paid}});
  *audit = std::move(audits_.back());
  audits_.pop_back();
}

// ---- the operators' side ----

void EmbeddedLedger::supply(ItemId item, Units supplied) {
  send(home_of(item), {.kind = Kind::supply, .item = item, .values = {supplied}});
}

void EmbeddedLedger::withdraw(ItemId item, Units units, uint32_t ticket) {
  send(home_of(item), {.kind = Kind::withdraw, .item = item, .ticket = ticket, .values = {units}});
}

bool EmbeddedLedger::audit(ItemId item, uint32_t ticket) {
  if (audits_asked_ == kAuditsUnderWayMax) return false;
  ++audits_asked_;
  send(home_of(item), {.kind = Kind::audit_ask, .item = item, .ticket = ticket});
  return true;
}

}  // namespace stampede::ledger
