// How the coordinator reads the masters' answers, and what it concludes: is this the right Redis, does this node need another
// epoch, has its log lost something.
#include "cluster/coordinator.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/inspection.h"

namespace stampede::cluster {
namespace {

constexpr int64_t kAskMastersNs =
    kSecond / 2;                          // the sentinels or the cluster, where the masters are
constexpr int64_t kBeatNs = kSecond / 5;  // signs of life, which `stampede ledger` looks for
// A group that is not in the newest epoch: the node that begins that is at work, or died in between, or could not reach the group.
constexpr int64_t kLagNs = kSecond / 2;
// An item that another node has just made known is unknown for a moment; one that stays so was removed from Redis.
constexpr int64_t kUnknownNs = kSecond;

}  // namespace

bool Coordinator::connect() {
  const int64_t now_ns = clock_.now().boot_ns;
  if (now_ns - asked_masters_ns_ >= kAskMastersNs) {
    asked_masters_ns_ = now_ns;
    if (client_->has_moved()) client_->disconnect();
  }
  const Status connected = client_->connect();
  unreached_ = connected ? "" : connected.error().message;
  return true;
}

bool Coordinator::enroll() {
  if (is_enrolled_) return true;
  if (Status status = registry_.enroll(settings_.node, settings_.uuid); !status) {
    end_if_retired();
    return fail(status.error().message);
  }
  return is_enrolled_ = true;
}

// A node that was taken out for good must not sell another unit, not even one that it still holds.
void Coordinator::end_if_retired() {
  Result<std::vector<Member>> members = registry_.members();
  if (!members) return;
  for (const Member& member : *members)
    if (member.node == settings_.node &&
        (member.state == MemberState::retired || member.uuid != settings_.uuid))
      fatal(kExitLogDamaged,
            "node %u was taken out of the ledger for good: its units were given back; start it "
            "with a new data directory",
            settings_.node);
}

// False when no master answers.
bool Coordinator::look() {
  const int64_t now_ns = clock_.now().boot_ns;
  const bool is_beat = now_ns - last_beat_ns_ >= kBeatNs;
  if (is_beat) last_beat_ns_ = now_ns;
  bool has_seen = false;
  for (uint32_t number = 0; number < groups_.size(); ++number) has_seen |= look_at(number, is_beat);
  if (client_->servers() != assigned_servers_) assign();
  return has_seen || fail(unreached_);
}

// `is_beat`: the look is a sign of life too.
bool Coordinator::look_at(uint32_t number, bool is_beat) {
  EpochCheck& check = groups_[number].check;
  check = {};
  if (!client_->is_connected(number)) return false;
  const Result<RedisValue> answer =
      client_->call(number, Script::check, {std::to_string(settings_.node), is_beat ? "1" : "0"});
  if (!answer) {
    unreached_ = answer.error().message;
    return false;
  }
  Result<EpochCheck> parsed = parse_check(*answer);
  if (!parsed) {
    unreached_ = parsed.error().message;
    client_->disconnect(number);
    return false;
  }
  check = std::move(*parsed);
  return true;
}

// Why this Redis cannot be the ledger of this node; empty: it can.
std::string Coordinator::misfit_of(const EpochCheck& check) const {
  const std::vector<uint32_t> members = parse_nodes(check.members);
  const bool is_others = !members.empty() && members != std::vector<uint32_t>{settings_.node};
  if (settings_.is_solo && is_others)
    return "this Redis counts for node " + check.members +
           ": several nodes need --db postgres://… in common, or each a Redis database of its own";
  const bool is_dealt_alike = check.status != "OK" || check.groups == groups_.size();
  return is_dealt_alike ? std::string() : other_groups(check.groups);
}

// Ends the process when it has joined an epoch that its log knows nothing of. Whether the epoch is open does not matter, for a node
// joins behind its durable promise.
void Coordinator::refuse_lost_log() const {
  for (const Group& group : groups_)
    if (group.check.layout == layout() && !group.check.is_fenced() &&
        group.check.epoch > highest_promise_)
      fatal(kExitLogDamaged,
            "this node has joined epoch %lu of the ledger, and its order log has promised no more "
            "than %lu: the log was restored from an old copy or has lost its end; take the node "
            "out with `stampede ledger deactivate` and `reclaim`",
            static_cast<unsigned long>(group.check.epoch),
            static_cast<unsigned long>(highest_promise_));
}

uint64_t Coordinator::newest_epoch() const {
  uint64_t newest = 0;
  for (const Group& group : groups_) newest = std::max(newest, group.check.epoch);
  return newest;
}

// For how long the epoch has not been open at some master that can be reached.
int64_t Coordinator::stalled_ns(uint64_t epoch) {
  const bool is_open = std::all_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return !group.check.was_reached() || (group.check.is_in(epoch) && group.check.is_open());
  });
  const int64_t now_ns = clock_.now().boot_ns;
  if (is_open) stalled_epoch_.reset();
  if (is_open || stalled_epoch_ == epoch) return is_open ? 0 : now_ns - stalled_since_ns_;
  stalled_epoch_ = epoch;
  stalled_since_ns_ = now_ns;
  asked_members_ns_ = 0;
  return 0;
}

bool Coordinator::must_begin(uint64_t newest) {
  const int64_t stalled = stalled_ns(newest), now_ns = clock_.now().boot_ns;
  bool must = false;
  for (Group& group : groups_) {
    const bool lags = group.check.status == "OK" && group.check.epoch < newest;
    group.is_void =
        lags ? stalled >= kLagNs
             : group.check.was_reached() && needs_new_epoch(group.check, stalled >= kStallNs);
    const bool is_well = group.check.is_open() && !lags && !group.is_void;
    if (is_well) group.patience_ns = group.void_until_ns = 0;
    must |= group.is_void && now_ns >= group.void_until_ns;
  }
  return must;
}

// Because this node is no member of the epoch, was fenced in it, deals its data out anew, has promised a later one …
bool Coordinator::needs_new_epoch(const EpochCheck& check, bool has_stalled) const {
  if (check.status != "OK" || check.is_fenced() || check.epoch < highest_promise_) return true;
  if (check.is_open()) return check.layout != layout() || check.epoch == disputed_;
  return !is_member(check.members) || check.epoch == refused_ || (has_stalled && !check.is_filled);
}

bool Coordinator::is_member(const std::string& members) const {
  const std::vector<uint32_t> nodes = parse_nodes(members);
  return std::find(nodes.begin(), nodes.end(), settings_.node) != nodes.end();
}

// A shard asks for an item again and again while buyers wait for it, so a group that it names no more has the item by now.
void Coordinator::note_unknown_items(uint32_t groups) {
  const int64_t now_ns = clock_.now().boot_ns;
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    Group& group = groups_[number];
    if ((groups >> number & 1) != 0) {
      if (now_ns - group.unknown_last_ns > kUnknownNs) group.unknown_since_ns = now_ns;
      group.unknown_last_ns = now_ns;
    }
  }
}

bool Coordinator::misses_items() const {
  const int64_t now_ns = clock_.now().boot_ns;
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return now_ns - group.unknown_last_ns <= kUnknownNs &&
           group.unknown_last_ns - group.unknown_since_ns >= kUnknownNs;
  });
}

}  // namespace stampede::cluster
