// How the coordinator begins an epoch: number and plan from the registry, the promise of its own shards, then BUMP and FILL at every
// master that it reaches.
#include "cluster/coordinator.h"

#include <algorithm>

#include "cluster/inspection.h"
#include "cluster/join_lines.h"

namespace stampede::cluster {
namespace {

using std::chrono::milliseconds;

// How long a group for which an epoch was begun in vain waits before the next, doubled each time.
constexpr int64_t kPatienceMinNs = kSecond / 2, kPatienceMaxNs = 30 * kSecond;
constexpr unsigned kDuelBackoffMs = 20, kDuelMemberMs = 3;

}  // namespace

// Two nodes that see the same loss would begin two epochs; a random pause mostly leaves it to one of them.
milliseconds Coordinator::begin_epoch(uint64_t above, uint64_t newest) {
  if (std::any_of(groups_.begin(), groups_.end(),
                  [](const Group& group) { return group.check.is_fenced(); }))
    end_if_retired();
  const unsigned members = stream_count_ / settings_.shard_count;
  const int64_t pause_ms = random_() % (kDuelBackoffMs + members * kDuelMemberMs);
  beginning_ = Beginning{.above = above,
                         .newest = newest,
                         .pause_until_ns = clock_.now().boot_ns + pause_ms * kMillisecond};
  return go_on_beginning();
}

// Number and plan from the registry, and the promise. Done when another epoch is there.
Coordinator::Progress Coordinator::make_plan(Beginning& beginning) {
  if (!look()) return Progress::failed;
  if (is_overtaken(beginning.above)) return Progress::done;
  if (!enroll()) return Progress::failed;
  Result<EpochPlan> plan = registry_.begin_epoch(
      settings_.node, std::max({beginning.above, highest_promise_, newest_epoch()}));
  if (!plan) return fail("no epoch can be begun: " + plan.error().message), Progress::failed;
  // Again, because the registry lets one node after the other in, and another may have begun an epoch meanwhile. A number that
  // is not used costs nothing; an epoch that is pushed aside costs every member a commit.
  if (!look()) return Progress::failed;
  if (is_overtaken(beginning.above)) return Progress::done;
  beginning.plan = std::move(*plan);
  beginning.stage = Beginning::Stage::promising;
  if (promise(beginning.plan.epoch)) return carry_out(beginning.plan);
  return promising_ ? Progress::not_yet : Progress::failed;
}

// The shards have promised the epoch. Done when it is there, or another one.
Coordinator::Progress Coordinator::carry_out(const EpochPlan& plan) {
  be_patient();
  if (!bump(plan)) return Progress::done;
  {
    const std::lock_guard lock(mutex_);
    ++status_.epochs_begun;
  }
  fill(plan);
  return enter(plan.epoch) && join(plan.epoch) ? Progress::done : Progress::failed;
}

bool Coordinator::is_overtaken(uint64_t above) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return group.check.status == "OK" && group.check.epoch > above;
  });
}

// False when another epoch is there already. A master that is lost here is left behind.
bool Coordinator::bump(const EpochPlan& plan) {
  const std::string members = text_of(plan.members);
  const auto group_count = static_cast<uint32_t>(groups_.size());
  for (Group& group : groups_) {
    if (!group.check.was_reached()) continue;
    group.check = {};
    Result<RedisValue> bumped = call(
        group, Script::bump, {std::to_string(plan.epoch), members, std::to_string(group_count)});
    if (!bumped) {
      fail(bumped.error().message);
      continue;
    }
    if (bumped->values[0].text != "OK") return false;
    group.check = check_of_begun(plan.epoch, members, group_count);
  }
  return true;
}

// Sends the registry's part. A group that cannot be filled does not open, and needs another epoch.
void Coordinator::fill(const EpochPlan& plan) {
  const std::vector<JoinLines> lines = lines_of_plan(plan, client_->group_count());
  const Words head{std::to_string(plan.epoch), "*", "0", "0.0", "0"};
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    Group& group = groups_[number];
    if (!group.check.is_in(plan.epoch)) continue;
    if (!send_join(group, head, lines[number], "filling")) group.check = {};
  }
}

// Every epoch closes all groups for a moment, so a group that the last one did not open waits longer for the next.
void Coordinator::be_patient() {
  const int64_t now_ns = clock_.now().boot_ns;
  for (Group& group : groups_) {
    if (!group.is_void) continue;
    group.patience_ns = std::clamp(2 * group.patience_ns, kPatienceMinNs, kPatienceMaxNs);
    group.void_until_ns = now_ns + group.patience_ns;
  }
}

}  // namespace stampede::cluster
