// How the coordinator joins an epoch: every shard promises it durably, the registry lets the node in, then JOIN brings the counters
// of the promise to every master.
#include "cluster/coordinator.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/join_lines.h"

namespace stampede::cluster {
namespace {

constexpr int64_t kPromiseNs = 10 * kSecond;  // for the logs' disks
constexpr size_t kItemsPerChunk = 500;

}  // namespace

// True when every shard of this process has promised the epoch, durably. Otherwise it cannot be promised, or it is under way
// (promising_ has a value) and a later step goes on.
bool Coordinator::promise(uint64_t epoch) {
  // A higher one may be promised by some shards, though not yet by all.
  if (epoch < highest_promise_) return false;
  if (promised_ == epoch) return true;
  highest_promise_ = asked_promise_ = epoch;
  for (Group& group : groups_) group.open = 0;
  assign();
  promising_ = Promising{.epoch = epoch, .deadline_ns = clock_.now().boot_ns + kPromiseNs};
  return has_promised();
}

// Whether the promise that is under way is made; it ends also when that takes too long.
bool Coordinator::has_promised() {
  const uint64_t epoch = promising_->epoch;
  const bool is_there = std::all_of(links_.begin(), links_.end(), [&](const EpochLink* link) {
    return link->promised() >= epoch;
  });
  const bool is_late = !is_there && clock_.now().boot_ns >= promising_->deadline_ns;
  if (is_there || is_late) promising_.reset();
  if (is_late)
    return fail("the promise of epoch " + std::to_string(epoch) +
                " does not become durable: is the disk full?");
  if (is_there) promised_ = epoch;
  return is_there;
}

// A node that the registry refuses begins another epoch at its next step: it was deactivated, or the plan has changed.
bool Coordinator::enter(uint64_t epoch) {
  if (entered_ == epoch) return true;
  if (Status status = registry_.enter_epoch(settings_.node, epoch); !status) {
    end_if_retired();
    // A database that is slow or away has refused nothing, and is asked again.
    const Result<bool> may = registry_.may_enter(settings_.node, epoch);
    if (may && !*may) refused_ = epoch;
    return fail(status.error().message);
  }
  entered_ = epoch;
  return true;
}

bool Coordinator::must_join(const Group& group, uint64_t epoch) const {
  if (!group.check.is_in(epoch)) return false;
  return group.joined != epoch || group.check.layout.empty() ||
         (group.check.is_open() && group.needs_rejoin);
}

// False when a group that should be joined was not; the others were.
bool Coordinator::join(uint64_t epoch) {
  const std::vector<JoinLines> lines = lines_of_streams(epoch);
  bool has_joined_all = true;
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    Group& group = groups_[number];
    if (!must_join(group, epoch)) continue;
    if (!join_group(group, epoch, lines[number])) {
      has_joined_all = false;
      continue;
    }
    const bool is_new = std::exchange(joined_, epoch) != epoch;
    const std::lock_guard lock(mutex_);
    status_.epochs_joined += is_new;
  }
  return has_joined_all;
}

// A restarted node takes part again in the groups with which nothing is wrong.
Coordinator::Progress Coordinator::rejoin_open_groups(uint64_t epoch) {
  for (Group& group : groups_) {
    const bool is_sound =
        group.check.is_in(epoch) && group.check.is_open() && !needs_new_epoch(group.check, false);
    if (!is_sound) group.check = {};
  }
  const bool must_join_some = std::any_of(
      groups_.begin(), groups_.end(), [&](const Group& group) { return must_join(group, epoch); });
  if (must_join_some && promise(epoch)) {
    (void)join(epoch);
    open_groups(epoch, true);
  }
  return promising_ ? Progress::not_yet : Progress::failed;
}

// Every stream's counters of the items of each group, from the moment of its promise.
std::vector<JoinLines> Coordinator::lines_of_streams(uint64_t epoch) const {
  std::vector<JoinLines> lines(groups_.size());
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    const Promise promise = links_[shard]->promise();
    CHECK(promise.epoch == epoch);
    add_lines_of_stream(stream_of(shard), promise, lines);
  }
  return lines;
}

// A node that has joined before only reads where its exchanges go on.
bool Coordinator::join_group(Group& group, uint64_t epoch, const JoinLines& lines) {
  const std::optional<RedisValue> joined =
      send_join(group,
                {std::to_string(epoch), std::to_string(settings_.node),
                 std::to_string(settings_.boot), layout(), std::to_string(settings_.shard_count)},
                group.check.layout.empty() ? lines : JoinLines(), "joining");
  if (!joined) return false;
  const std::vector<RedisValue>& values = joined->values;
  const bool is_sound = values.size() == 2 + 2 * links_.size() &&
                        std::all_of(values.begin() + 2, values.end(),
                                    [](const RedisValue& value) { return value.integer >= 0; });
  if (!is_sound) return fail("Redis answered a JOIN with something else");
  note_numbers(group, *joined, epoch);
  group.joined = epoch;
  group.needs_rejoin = false;
  group.check.state = values[1].text;
  group.check.layout = layout();
  return true;
}

// Makes as many calls as the lines need, the last with fin = 1, and returns its answer; none when the JOIN was refused or not
// answered.
std::optional<RedisValue> Coordinator::send_join(const Group& group, Words words,
                                                 const JoinLines& lines, const char* what) {
  const size_t head = words.size();
  for (size_t first = 0;; first += kItemsPerChunk) {
    const size_t end = std::min(lines.size(), first + kItemsPerChunk);
    words.resize(head);
    words.push_back(end == lines.size() ? "1" : "0");
    for (size_t i = first; i < end; ++i)
      words.insert(words.end(), lines[i].begin(), lines[i].end());
    Result<RedisValue> answer = call(group, Script::join, words);
    if (!answer) return fail(answer.error().message), std::nullopt;
    if (is_refused(group, *answer, what)) return std::nullopt;
    if (end == lines.size()) return *answer;
  }
}

// Reads where each stream's exchanges go on. A record that was durable by Redis' memory must be in the log.
void Coordinator::note_numbers(Group& group, const RedisValue& joined, uint64_t epoch) {
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    group.last_numbers[shard] = static_cast<uint64_t>(joined.values[2 + 2 * shard].integer);
    const Lsn witnessed = static_cast<Lsn>(joined.values[3 + 2 * shard].integer);
    const Lsn durable = links_[shard]->promise().lsn;
    // When this process joins again, its own exchanges have reported records behind the promise.
    if (group.joined != epoch && witnessed > durable)
      fatal(kExitLogDamaged,
            "shard %zu: Redis has seen record %lu durable, the order log ends at %lu: it was "
            "restored from an old copy or has lost its end; or this Redis database was another "
            "sale's: a new sale needs an empty one",
            shard, static_cast<unsigned long>(witnessed), static_cast<unsigned long>(durable));
  }
}

bool Coordinator::is_refused(const Group& group, const RedisValue& answer, const char* what) {
  const std::string& status = answer.values[0].text;
  if (status == "OK" || status == "JOINED") return false;
  if (status == "LOST")
    refused_ = group.check.epoch;  // a key was removed: only another epoch counts right
  if (status == "FENCED") end_if_retired();
  fail(std::string(what) + " the epoch was refused: " + status);
  return true;
}

}  // namespace stampede::cluster
