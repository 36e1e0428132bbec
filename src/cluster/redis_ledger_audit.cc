// How shard 0's ledger audits for the operators, and how every stream counts for it:
//
//   shard 0    mark ─▶ every stream                      read the items in Redis ─▶ release ─▶ every stream
//   a stream        counts between two exchanges ─▶ shard 0          ...holds its exchanges back...
//
// An attempt that is late, or whose Redis does not answer, is repeated as a whole: its counts are of a moment that has passed.
#include <hiredis/hiredis.h>

#include <algorithm>

#include "base/check.h"
#include "cluster/redis_ledger.h"
#include "cluster/reply.h"

namespace stampede::cluster {
namespace {

constexpr uint32_t kAuditsUnderWayMax = 64;
// How long a stream holds its exchanges back for an audit that does not end.
constexpr int64_t kHoldNs = 200 * kMillisecond;
// A call that was lost, a new epoch, a script that must be loaded again: mostly the next attempt is answered.
constexpr int64_t kAuditPatienceNs = 2 * kSecond;

// A number in a hash that came as a list of names and values; 0 when the field is not there.
int64_t field_of(const redisReply& hash, std::string_view name) {
  for (size_t i = 0; i + 1 < hash.elements; i += 2)
    if (std::string_view(hash.element[i]->str, hash.element[i]->len) == name)
      return integer_of(*hash.element[i + 1]);
  return 0;
}

}  // namespace

void RedisLedger::send(uint32_t to, const ledger::LedgerMessage& message) {
  ledger::LedgerMessage sent = message;
  sent.from = static_cast<uint16_t>(settings_.shard);
  CHECK(lanes_.lane(settings_.shard, to).push(sent));
  touched_ |= uint64_t{1} << to;
}

bool RedisLedger::audit(ItemId item, uint32_t ticket) {
  if (audits_waiting_.size() == kAuditsUnderWayMax) return false;
  audits_waiting_.emplace_back(item, ticket);
  return true;
}

void RedisLedger::start_audit(ledger::Client& client, Moment now) {
  if (audits_waiting_.empty() && audits_.empty()) return;
  if (const auto lost = std::exchange(lost_in_audit_, std::nullopt);
      lost && groups_[audit_group_].is_up())
    lose_item(groups_[audit_group_], *lost, client);
  const bool is_late = now.boot_ns >= audit_deadline_ns_;
  if (!audits_.empty()) {
    if (counts_awaited_ == 0 && !is_audit_sent_ && !is_late) return send_audit(client, now);
    if (is_late) repeat_audit(now);
    return;
  }
  if (!is_late) return;
  if (audit_give_up_ns_ == 0) audit_give_up_ns_ = now.boot_ns + kAuditPatienceNs;
  audit_deadline_ns_ = now.boot_ns + kHoldNs / 2;
  audit_group_ = group_of(client.code_of(audits_waiting_.front().first), settings_.group_count);
  ++audit_attempt_;
  for (const auto& [item, ticket] : std::exchange(audits_waiting_, {})) {
    if (group_of(client.code_of(item), settings_.group_count) != audit_group_) {
      audits_waiting_.emplace_back(item, ticket);
      continue;
    }
    audits_.push_back(
        {.ticket = ticket, .item = item, .counts = std::vector<StreamCount>(lanes_.shard_count())});
    for (uint32_t shard = 0; shard < lanes_.shard_count(); ++shard)
      send(shard, {.kind = ledger::LedgerMessage::Kind::audit_marker,
                   .item = item,
                   .ticket = audit_attempt_});
    counts_awaited_ += lanes_.shard_count();
  }
}

void RedisLedger::take_lane_messages(ledger::Client&, Moment now) {
  using Kind = ledger::LedgerMessage::Kind;
  for (uint32_t from = 0; from < lanes_.shard_count(); ++from)
    lanes_.lane(from, settings_.shard)
        .take(bounds::ledger_slots, [&](const ledger::LedgerMessage& message) {
          switch (message.kind) {
            case Kind::audit_marker:
              if (!marks_.empty() && marks_.front().ticket != message.ticket) marks_.clear();
              marks_.push_back(message);
              return;
            case Kind::audit_release:
              holds_ = 0;
              return;
            case Kind::audit_count:
              if (message.ticket != audit_attempt_ || counts_awaited_ == 0) return;
              --counts_awaited_;
              for (AuditedItem& audited : audits_)
                if (audited.item == message.item)
                  audited.counts[message.from] = {message.values[0], message.values[1],
                                                  message.values[2], message.values[3],
                                                  message.values[4]};
              return;
            default:
              CHECK(!"a message of the embedded ledger");
          }
        });
  if (holds_ > 0 && now.boot_ns >= hold_until_ns_) holds_ = 0;
}

// Only between two exchanges: then Redis and the log agree on the units that this stream was granted.
void RedisLedger::count_for_audits(ledger::Client& client, Moment now) {
  if (marks_.empty()) return;
  const uint32_t group = group_of(client.code_of(marks_.front().item), settings_.group_count);
  if (groups_[group].call.is_under_way) return;
  for (const ledger::LedgerMessage& mark : marks_) {
    const StreamCount count = client.count(mark.item);
    send(mark.from,
         {.kind = ledger::LedgerMessage::Kind::audit_count,
          .item = mark.item,
          .ticket = mark.ticket,
          .values = {count.accepted, count.returned, count.reserved, count.paid, count.pool}});
  }
  marks_.clear();
  holds_ = 1;
  hold_until_ns_ = now.boot_ns + kHoldNs;
}

void RedisLedger::send_audit(ledger::Client& client, Moment now) {
  const Group& group = groups_[audit_group_];
  if (!group.is_up()) return repeat_audit(now);
  words_.clear();
  words_.push_back(std::to_string(group.open));
  for (const AuditedItem& audited : audits_) words_.emplace_back(client.code_of(audited.item));
  views_.assign(words_.begin(), words_.end());
  group.master->link->call(Script::read_items, audit_group_, audit_attempt_, views_);
  is_audit_sent_ = true;
}

bool RedisLedger::is_audit_at(const Master& master) const {
  return groups_[audit_group_].master == &master;
}

// Every stream counts again, a moment later; the counts so far are of a moment that has passed.
void RedisLedger::repeat_audit(Moment now) {
  if (now.boot_ns >= audit_give_up_ns_) return finish_audit(nullptr);
  for (const AuditedItem& audited : audits_)
    audits_waiting_.emplace_back(audited.item, audited.ticket);
  audits_.clear();
  counts_awaited_ = 0;
  is_audit_sent_ = false;
  audit_deadline_ns_ = now.boot_ns + kHoldNs / 4;
}

// When all is sold no stream asks Redis for units: then the audit notices that an item's key is gone. The deadline repeats
// the audit, and the next epoch has the item again.
void RedisLedger::take_audit(const redisReply& answer) {
  const bool is_whole = answer.elements == audits_.size() + 1;
  for (size_t i = 0; is_whole && i < audits_.size(); ++i) {
    const bool is_held = std::ranges::any_of(
        audits_[i].counts, [](const StreamCount& count) { return count.accepted > 0; });
    if (is_held && answer.element[i + 1]->elements == 0) lost_in_audit_ = audits_[i].item;
  }
  if (!lost_in_audit_) finish_audit(&answer);
}

// Null: Redis did not answer in time.
void RedisLedger::finish_audit(const redisReply* answer) {
  const bool is_known = answer != nullptr && answer->elements == audits_.size() + 1;
  for (size_t i = 0; i < audits_.size(); ++i) {
    ledger::AuditResult result{
        .ticket = audits_[i].ticket, .is_known = is_known, .line = {.item = audits_[i].item}};
    if (is_known) result.line = audit_line(audits_[i], *answer->element[i + 1]);
    audit_results_.push_back(result);
  }
  audits_.clear();
  counts_awaited_ = 0;
  is_audit_sent_ = false;
  audit_give_up_ns_ = audit_deadline_ns_ = 0;
  for (uint32_t shard = 0; shard < lanes_.shard_count(); ++shard)
    send(shard, {.kind = ledger::LedgerMessage::Kind::audit_release});
}

AuditLine RedisLedger::audit_line(const AuditedItem& audited, const redisReply& hash) const {
  AuditLine line{.item = audited.item, .is_ok = true};
  const int64_t supplied = field_of(hash, "T"), held = field_of(hash, "h"),
                withdrawn = field_of(hash, "a:withdrawn");
  int64_t held_here = 0;
  for (uint32_t shard = 0; shard < lanes_.shard_count(); ++shard) {
    const StreamCount& count = audited.counts[shard];
    const std::string stream = stream_of(shard);
    const int64_t a = field_of(hash, "a:" + stream), r = field_of(hash, "r:" + stream);
    const bool adds_up =
        static_cast<Units>(a) == count.accepted && static_cast<Units>(r) <= count.returned &&
        count.pool + count.reserved + count.paid + count.returned == count.accepted;
    line.is_ok = line.is_ok && adds_up;
    held_here += a - r;
    line.reserved += count.reserved;
    line.paid += count.paid;
    line.leased += count.pool + (count.returned - static_cast<Units>(r));
  }
  const int64_t free = supplied - held, elsewhere = held - withdrawn - held_here;
  line.is_ok = line.is_ok && free >= 0 && elsewhere >= 0;
  line.total = static_cast<Units>(supplied - withdrawn);
  line.free = static_cast<Units>(std::max<int64_t>(0, free));
  line.elsewhere = static_cast<Units>(std::max<int64_t>(0, elsewhere));
  line.is_ok = line.is_ok &&
               line.free + line.leased + line.reserved + line.paid + line.elsewhere == line.total;
  return line;
}

}  // namespace stampede::cluster
