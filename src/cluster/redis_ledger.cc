#include "cluster/redis_ledger.h"

#include <hiredis/hiredis.h>

#include <algorithm>

#include "base/diag.h"
#include "base/words.h"
#include "cluster/reply.h"

namespace stampede::cluster {
namespace {

constexpr int64_t kConnectTimeoutNs = kSecond;
constexpr int64_t kBackoffMinNs = kMillisecond, kBackoffMaxNs = 50 * kMillisecond;

}  // namespace

RedisLedger::RedisLedger(const RedisLedgerSettings& settings, RedisAccess& redis, net::Net& net,
                         EpochLink& link, ledger::LedgerLanes& lanes)
    : settings_(settings),
      epoch_link_(link),
      lanes_(lanes),
      redis_(redis),
      net_(net),
      node_text_(std::to_string(settings.node)),
      boot_text_(std::to_string(settings.boot)),
      stream_(stream_of(settings.shard)),
      groups_(settings.group_count) {}

std::string RedisLedger::stream_of(uint32_t shard) const {
  return stream_name({settings_.node, settings_.generation, shard});
}

// ---- turns ----

bool RedisLedger::has_mail() const {
  if (epoch_link_.number() != assignment_number_ || has_answers_) return true;
  for (uint32_t from = 0; from < lanes_.shard_count(); ++from)
    if (lanes_.lane(from, settings_.shard).has_some()) return true;
  return false;
}

int64_t RedisLedger::quiet_until_ns() const {
  int64_t until = std::numeric_limits<int64_t>::max();
  for (const Group& group : groups_)
    if (group.call.is_under_way && group.is_up())
      until =
          std::min(until, group.call.is_sent ? group.call.deadline_ns : group.call.repeat_at_ns);
  for (const auto& master : masters_) {
    if (!master) continue;
    if (master->link->is_down())
      until = std::min(until, master->connect_at_ns);
    else if (!master->link->is_up())
      until = std::min(until, master->up_by_ns);
  }
  if (holds_ > 0) until = std::min(until, hold_until_ns_);
  if (!audits_.empty() || !audits_waiting_.empty()) until = std::min(until, audit_deadline_ns_);
  return until;
}

uint32_t RedisLedger::ready_groups() const {
  if (holds_ > 0) return 0;
  uint32_t ready = 0;
  for (const Group& group : groups_)
    ready |= uint32_t{group.is_up() && !group.call.is_under_way} << number_of(group);
  return ready;
}

uint32_t RedisLedger::available_groups() const {
  uint32_t available = 0;
  for (const Group& group : groups_)
    available |= uint32_t{group.open != 0 && group.is_answering} << number_of(group);
  return available;
}

void RedisLedger::poll(ledger::Client& client, Moment now) {
  take_assignment(client);
  report_promise(client);
  if (std::exchange(has_answers_, false))
    for (Group& group : groups_) take_answer(group, client, now);
  for (const auto& master : masters_)
    if (master) keep_connected(*master, now);
  for (Group& group : groups_) keep_calling(group, client, now);
  take_lane_messages(client, now);
  count_for_audits(client, now);
  start_audit(client, now);
  flush();
}

bool RedisLedger::is_mine(uint64_t token) const {
  return std::any_of(masters_.begin(), masters_.end(),
                     [&](const auto& master) { return master && master->link->is_mine(token); });
}

void RedisLedger::on_event(const net::Event& event) {
  for (const auto& master : masters_)
    if (master && master->link->is_mine(event.token)) return master->link->on_event(event);
}

// ---- epochs ----

void RedisLedger::take_assignment(ledger::Client& client) {
  const uint64_t number = epoch_link_.number();
  if (number == assignment_number_) return;
  assignment_number_ = number;
  assignment_ = epoch_link_.assignment();
  CHECK(assignment_.groups.size() == groups_.size());
  find_masters();
  if (assignment_.promise > promised_) make_promise(client);
  uint32_t opened = 0;
  for (Group& group : groups_) {
    const GroupAssignment& assigned = assignment_.groups[number_of(group)];
    if (assigned.open == 0 || assigned.open != promised_ || group.open == promised_) continue;
    group.open = promised_;
    group.last_number = assigned.last_number;
    group.may_owe = assigned.last_number != 0;
    ++group.opening;
    // The coordinator has reached this Redis, so the shard need not wait any longer before it connects.
    if (group.master->link->is_down()) group.master->connect_at_ns = 1;
    opened |= uint32_t{1} << number_of(group);
  }
  if (opened != 0) client.on_open(opened, assignment_.stream_count);
}

// From here on no answer of an earlier epoch is accepted, not even to a call that is under way.
void RedisLedger::make_promise(ledger::Client& client) {
  const std::optional<Lsn> lsn = client.promise(assignment_.promise);
  if (!lsn) return;
  for (Group& group : groups_) {
    group.open = 0;
    group.answer.has_come = false;
    if (group.call.is_under_way && group.call.is_sent)
      group.master->link->close("a new epoch begins");
    group.call.is_under_way = false;
  }
  CHECK(assignment_.promise > promised_);
  promised_ = assignment_.promise;
  promise_lsn_ = *lsn;
  is_promise_reported_ = false;
}

// Connections to masters that have no group any more end.
void RedisLedger::find_masters() {
  for (Group& group : groups_) {
    const RedisServer& server = assignment_.groups[number_of(group)].server;
    Master* const before = group.master;
    group.master = server.address.port == 0 ? nullptr : &master_at(server);
    if (group.master == before) continue;
    // No late answer of the old master may be taken for one of the new.
    if (before != nullptr && group.call.is_under_way && group.call.is_sent)
      before->link->close("a group is at another master");
    group.call.is_sent = group.answer.has_come = false;
    group.call.repeat_at_ns = 0;
  }
  for (auto& master : masters_) {
    const bool is_used = std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
      return group.master == master.get();
    });
    if (!is_used) master.reset();
  }
}

RedisLedger::Master& RedisLedger::master_at(const RedisServer& server) {
  for (const auto& master : masters_)
    if (master && master->server == server) return *master;
  auto place = std::find(masters_.begin(), masters_.end(), nullptr);
  if (place == masters_.end()) place = masters_.insert(place, nullptr);
  const auto number = static_cast<uint64_t>(place - masters_.begin());
  place->reset(new Master{.server = server,
                          .link = redis_.make_link(net_, settings_.token | number << 32, *this)});
  return **place;
}

// The counters are those of the promise, because no grant was accepted since; units count as returned as far as that is durable.
void RedisLedger::report_promise(ledger::Client& client) {
  if (is_promise_reported_ || client.durable() < promise_lsn_) return;
  is_promise_reported_ = true;
  Promise promise{.epoch = promised_, .lsn = client.durable(), .lines = {}};
  for (ItemId item = 0; item < client.items_touched(); ++item) {
    const StreamCount count = client.durable_count(item);
    if (count.accepted == 0) continue;
    CHECK(count.returned <= count.accepted);
    CHECK(count.pool <= count.accepted - count.returned);
    promise.lines.push_back({.item = std::string(client.code_of(item)),
                             .accepted = count.accepted,
                             .returned = count.returned,
                             .pool = count.pool});
  }
  epoch_link_.report(std::move(promise));
}

void RedisLedger::lose_epoch(Group& group, bool needs_new_one) {
  group.open = 0;
  group.call.is_under_way = false;
  group.is_answering = false;
  epoch_link_.complain(number_of(group), needs_new_one);
}

// ---- the connections ----

void RedisLedger::keep_connected(Master& master, Moment now) {
  if (!master.link->is_down()) {
    if (!master.link->is_up() && now.boot_ns >= master.up_by_ns)
      master.link->close("no connection within a second");
    return;
  }
  if (master.connect_at_ns == 0) {  // news
    for (Group& group : groups_) {
      if (group.master != &master) continue;
      group.is_answering = group.call.is_sent = false;
      epoch_link_.complain(number_of(group), false);
    }
    if (is_audit_sent_ && is_audit_at(master)) repeat_audit(now);
    master.backoff_ns = std::clamp(2 * master.backoff_ns, kBackoffMinNs, kBackoffMaxNs);
    master.connect_at_ns = now.boot_ns + master.backoff_ns;
  }
  if (now.boot_ns < master.connect_at_ns) return;
  master.connect_at_ns = 0;
  master.up_by_ns = now.boot_ns + kConnectTimeoutNs;
  stats_.connects.fetch_add(1, std::memory_order_relaxed);
  master.link->connect(master.server);
}

// ---- exchanges ----

void RedisLedger::exchange(ledger::Client& client, std::span<const LedgerAsk> asks, Moment now) {
  while (!asks.empty()) {
    Group& group = groups_[asks.front().group];
    CHECK(group.is_up());
    CHECK(!group.call.is_under_way);
    const auto end = std::find_if(asks.begin(), asks.end(), [&](const LedgerAsk& ask) {
      return ask.group != asks.front().group;
    });
    group.call.asks.assign(asks.begin(), end);
    for (const LedgerAsk& ask : group.call.asks) CHECK(ask.returned <= ask.accepted);
    group.call.number = group.last_number + 1;
    group.call.is_under_way = true;
    group.call.backoff_ns = 0;
    send_call(group, client, now);
    asks = asks.subspan(group.call.asks.size());
  }
  flush();
}

// A call that is under way is repeated when the link is there again, and is not waited for without end.
void RedisLedger::keep_calling(Group& group, ledger::Client& client, Moment now) {
  if (group.master == nullptr || !group.master->link->is_up()) return;
  if (!group.call.is_under_way) {
    group.is_answering = true;
  } else if (!group.call.is_sent) {
    if (now.boot_ns < group.call.repeat_at_ns) return;
    stats_.repeats.fetch_add(1, std::memory_order_relaxed);
    send_call(group, client, now);
  } else if (now.boot_ns >= group.call.deadline_ns) {
    group.master->link->close("no answer within --ledger-timeout-ms");
    group.is_answering = false;
  }
}

void RedisLedger::flush() {
  for (const auto& master : masters_)
    if (master) master->link->flush();
}

void RedisLedger::send_call(Group& group, ledger::Client& client, Moment now) {
  words_.clear();
  words_.push_back(std::to_string(group.open));
  words_.push_back(node_text_);
  words_.push_back(boot_text_);
  words_.push_back(stream_);
  words_.push_back(std::to_string(group.call.number));
  words_.push_back(std::to_string(client.durable()));
  for (const LedgerAsk& ask : group.call.asks) {
    words_.emplace_back(client.code_of(ask.item));
    words_.push_back(std::to_string(ask.accepted));
    words_.push_back(std::to_string(ask.returned));
    words_.push_back(std::to_string(ask.pool));
    words_.push_back(std::to_string(ask.want));
  }
  views_.assign(words_.begin(), words_.end());
  group.master->link->call(Script::sync, number_of(group), group.call.number, views_);
  group.call.is_sent = true;
  group.call.deadline_ns = now.boot_ns + settings_.timeout_ns;
  stats_.calls.fetch_add(1, std::memory_order_relaxed);
  stats_.lines.fetch_add(group.call.asks.size(), std::memory_order_relaxed);
}

void RedisLedger::on_answer(Script script, uint32_t group, uint64_t number,
                            const redisReply& reply) {
  const std::string_view status(reply.element[0]->str, reply.element[0]->len);
  if (script == Script::read_items) {
    // In an epoch that is over there is no answer about these units; the deadline repeats the question.
    if (is_audit_sent_ && number == audit_attempt_ && status == "OK") take_audit(reply);
    return;
  }
  Answer& answer = groups_[group].answer;
  has_answers_ = answer.has_come = true;
  answer.is_refusal = false;
  answer.status = status;
  answer.number = reply.elements > 1 ? static_cast<uint64_t>(integer_of(*reply.element[1])) : 0;
  answer.lines.clear();
  for (size_t i = 2; status == "OK" && i + 3 < reply.elements; i += 4)
    answer.lines.push_back({.accepted = integer_of(*reply.element[i]),
                            .returned = integer_of(*reply.element[i + 1]),
                            .free = integer_of(*reply.element[i + 2]),
                            .pool_elsewhere = integer_of(*reply.element[i + 3])});
}

// The deadline repeats an audit.
void RedisLedger::on_refusal(Script script, uint32_t group) {
  if (script != Script::sync) return;
  has_answers_ = groups_[group].answer.has_come = groups_[group].answer.is_refusal = true;
}

// The coordinator finds where the slot is, or which epoch begins there.
void RedisLedger::postpone(Group& group, Moment now) {
  group.call.is_sent = false;
  group.call.backoff_ns = std::clamp(2 * group.call.backoff_ns, kBackoffMinNs, kBackoffMaxNs);
  group.call.repeat_at_ns = now.boot_ns + group.call.backoff_ns;
  group.is_answering = false;
  epoch_link_.complain(number_of(group), false);
}

void RedisLedger::take_answer(Group& group, ledger::Client& client, Moment now) {
  if (!std::exchange(group.answer.has_come, false) || !group.call.is_under_way) return;
  if (group.answer.is_refusal) return postpone(group, now);
  if (group.answer.status == "OK") {
    if (group.answer.number != group.call.number ||
        group.answer.lines.size() != group.call.asks.size())
      return lose_epoch(group, true);
    stats_.call_ns.record(
        static_cast<uint64_t>(now.boot_ns - group.call.deadline_ns + settings_.timeout_ns));
    group.last_number = group.call.number;
    group.call.is_under_way = false;
    group.is_answering = true;
    group.master->backoff_ns = 0;
    take_lines(group, client);
    return;
  }
  // The epoch is over, or this Redis is not the one that opened it. A gap can only be a Redis that went back in time in place, and an
  // old number only one that another process of this node has talked to: both need more than a repeat.
  const bool needs_new_epoch = group.answer.status == "GAP" || group.answer.status == "OLD";
  lose_epoch(group, needs_new_epoch);
}

bool RedisLedger::may_bring_lost(const Group& group, ItemId item) {
  if (item >= answered_in_.size()) answered_in_.resize(item + 1);
  const bool is_first = std::exchange(answered_in_[item], group.opening) != group.opening;
  return is_first && group.may_owe;
}

// An answer of Redis must be possible: never fewer units than were accepted, never more than were asked for. The exception are
// units that were granted to an earlier process of this node, or in an answer that was lost, and that the log does not know.
bool RedisLedger::is_possible(bool may_bring_lost, const LedgerAsk& ask, const Line& line,
                              ledger::Client& client) {
  const StreamCount count = client.durable_count(ask.item);
  const Units accepted = static_cast<Units>(line.accepted);
  const bool is_sound = line.accepted >= 0 && accepted >= count.accepted && line.returned >= 0 &&
                        static_cast<Units>(line.returned) <= count.returned &&
                        (may_bring_lost || accepted <= count.accepted + ask.want);
  if (is_sound) return true;
  stats_.disputes.fetch_add(1, std::memory_order_relaxed);
  const std::string item(client.code_of(ask.item));
  diag::error(
      "ledger: by Redis %s was granted %s of %s and has returned %s, by the order log %s and %s: "
      "not accepted; the ledger is built again from the order logs",
      stream_.c_str(), grouped(line.accepted).c_str(), item.c_str(), grouped(line.returned).c_str(),
      grouped(count.accepted).c_str(), grouped(count.returned).c_str());
  return false;
}

// The item was in this epoch: units of it were granted to this stream, or Redis answered for it since the opening.
bool RedisLedger::was_known(const Group& group, ItemId item, ledger::Client& client) const {
  const bool was_answered = item < answered_in_.size() && answered_in_[item] == group.opening;
  return was_answered || client.count(item).accepted > 0;
}

// The item's key was removed. A new one would count from nothing and grant sold units again, so the epoch ends and the next is
// built from the order logs.
void RedisLedger::lose_item(Group& group, ItemId item, ledger::Client& client) {
  stats_.disputes.fetch_add(1, std::memory_order_relaxed);
  const std::string code(client.code_of(item));
  diag::error(
      "ledger: Redis has lost its counters of %s, their key was removed: the ledger is built again "
      "from the order logs",
      code.c_str());
  lose_epoch(group, true);
}

void RedisLedger::take_lines(Group& group, ledger::Client& client) {
  CHECK(group.answer.lines.size() == group.call.asks.size());
  CHECK(group.open == promised_);
  for (size_t i = 0; i < group.call.asks.size(); ++i) {
    const LedgerAsk& ask = group.call.asks[i];
    const Line& line = group.answer.lines[i];
    if (line.accepted < 0 && line.returned < 0) {
      if (was_known(group, ask.item, client)) return lose_item(group, ask.item, client);
      epoch_link_.report_unknown_item(number_of(group));  // buyers go on waiting for it
      continue;
    }
    if (!is_possible(may_bring_lost(group, ask.item), ask, line, client))
      return lose_epoch(group, true);
    if (line.free < 0 || line.pool_elsewhere < 0) {
      stats_.disputes.fetch_add(1, std::memory_order_relaxed);
      if (std::exchange(doubted_in_[ask.item], group.opening) == group.opening) continue;
      const std::string item(client.code_of(ask.item));
      diag::error(
          "ledger: more units of %s are held than were ever supplied (free %s): nothing of it is "
          "granted; compare "
          "with `stampede audit`, and `stampede ledger rebuild` counts anew",
          item.c_str(), grouped(line.free).c_str());
      continue;
    }
    client.take_news({.item = ask.item,
                      .accepted = static_cast<Units>(line.accepted),
                      .returned = static_cast<Units>(line.returned),
                      .free = static_cast<Units>(line.free),
                      .pool_elsewhere = static_cast<Units>(line.pool_elsewhere)});
  }
}

}  // namespace stampede::cluster
