#include "cluster/coordinator.h"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "base/diag.h"
#include "base/thread.h"
#include "cluster/inspection.h"

namespace stampede::cluster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{100};  // while all is well; a shard's trouble wakes at once
constexpr milliseconds kLookEveryInTrouble{20};
constexpr milliseconds kPollBarrier{3};  // while others join
constexpr int64_t kStallNs =
    3 * kSecond;  // an epoch that nobody fills or joins for so long is begun again
// A group that is not in the newest epoch: whoever begins that is at work, or died in between, or could not reach the group.
constexpr int64_t kLagNs = kSecond / 2;
// How long a group for which an epoch was begun in vain waits before the next, doubled each time: every epoch closes all groups
// for a moment.
constexpr int64_t kPatienceMinNs = kSecond / 2, kPatienceMaxNs = 30 * kSecond;
constexpr int64_t kAskWhereNs = kSecond / 2;  // the sentinels or the cluster
constexpr int64_t kPromiseNs = 10 * kSecond;  // for the logs' disks
constexpr unsigned kDuelBackoffMs = 20, kDuelMemberMs = 3;
constexpr size_t kItemsPerChunk = 500;
constexpr uint32_t kJobsMax = 1024;
static_assert(kJobsMax >= bounds::changes_under_way_max, "whatever operators may have under way");

}  // namespace

Coordinator::Coordinator(CoordinatorSettings settings, Registry& registry,
                         std::vector<EpochLink*> links, Clock& clock,
                         std::function<void()> wake_shard0)
    : settings_(std::move(settings)),
      registry_(registry),
      links_(std::move(links)),
      clock_(clock),
      wake_shard0_(std::move(wake_shard0)),
      client_(settings_.url, settings_.timeout_ms),
      random_(std::random_device{}()),
      groups_(client_.group_count()),
      highest_promise_(settings_.promised),
      stream_count_(settings_.shard_count),
      open_offers_(registry) {
  for (Group& group : groups_) group.last_numbers.resize(links_.size());
}

Coordinator::~Coordinator() {
  stop();
}

void Coordinator::start() {
  thread_ = start_thread("the coordinator", [this] { run(); });
}

void Coordinator::stop() {
  is_stopping_.store(true, std::memory_order_relaxed);
  wake();
  if (thread_.joinable()) thread_.join();
}

void Coordinator::wake() {
  const std::lock_guard lock(mutex_);
  is_woken_ = true;
  wake_.notify_one();
}

void Coordinator::run() {
  pthread_setname_np(pthread_self(), "ledger");
  while (!is_stopping()) {
    const milliseconds wait = step();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, wait, [&] { return is_woken_; });
    is_woken_ = false;
  }
}

CoordinatorStatus Coordinator::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

// Says a problem once, and once that it is over.
void Coordinator::settle(const std::string& problem) {
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(status_.problem, problem);
    status_.server = servers_in_use();
    status_.epoch = 0;
    for (const Group& group : groups_) status_.epoch = std::max(status_.epoch, group.open);
    status_.is_open = problem.empty() && status_.epoch != 0;
    if (problem.empty()) status_.missing.clear();
  }
  if (!problem.empty() && before.empty())
    diag::warning("ledger: %s; what is leased sells on, more is not granted", problem.c_str());
  else if (problem.empty() && !before.empty())
    diag::notice("ledger: epoch %lu is open at %s", static_cast<unsigned long>(joined_),
                 servers_in_use().c_str());
}

bool Coordinator::fail(const std::string& problem) {
  settle(problem);
  return false;
}

void Coordinator::assign() {
  assigned_servers_ = client_.servers();
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    Assignment assignment{.promise = asked_promise_, .groups = {}, .stream_count = stream_count_};
    for (uint32_t number = 0; number < groups_.size(); ++number)
      assignment.groups.push_back({.server = assigned_servers_[number],
                                   .open = groups_[number].open,
                                   .last_number = groups_[number].last_numbers[shard]});
    links_[shard]->assign(assignment);
  }
}

// Each master once.
std::string Coordinator::servers_in_use() const {
  std::set<std::string> servers;
  for (uint32_t number = 0; number < groups_.size(); ++number)
    if (client_.is_connected(number)) servers.insert(text_of(client_.server(number).address));
  std::string text;
  for (const std::string& server : servers) text += (text.empty() ? "" : ", ") + server;
  return text;
}

Result<RedisValue> Coordinator::call(const Group& group, Script script, const Words& words) {
  return client_.call(static_cast<uint32_t>(&group - groups_.data()), script, words);
}

std::string Coordinator::place() const {
  return std::to_string(settings_.generation) + "." + std::to_string(settings_.shard_count);
}

std::string Coordinator::stream_of(size_t shard) const {
  return stream_name({settings_.node, settings_.generation, static_cast<uint32_t>(shard)});
}

// ---- looking ----

milliseconds Coordinator::step() {
  for (EpochLink* link : links_) {
    const EpochLink::Trouble trouble = link->take_trouble();
    for (uint32_t number = 0; number < groups_.size(); ++number)
      groups_[number].needs_rejoin |= (trouble.groups >> number & 1) != 0;
    if (trouble.needs_new_epoch != 0) disputed_ = joined_;
  }
  const milliseconds wait = advance();
  do_jobs();
  open_offers_.settle(clock_.now().boot_ns);
  return wait;
}

milliseconds Coordinator::advance() {
  if (!connect() || !look()) return kLookEveryInTrouble;
  for (const Group& group : groups_) {
    const std::vector<uint32_t> members = parse_nodes(group.view.members);
    const bool is_others = !members.empty() && members != std::vector<uint32_t>{settings_.node};
    if (settings_.is_solo && is_others)
      return fail("this Redis counts for node " + group.view.members +
                  ": several nodes need --db postgres://… in common, or each a Redis database of "
                  "its own"),
             kLookEvery;
    if (group.view.status == "OK" && group.view.groups != groups_.size())
      return fail(other_groups(group.view.groups)), kLookEvery;
  }
  refuse_lost_log();
  const uint64_t newest = newest_epoch();
  if (!must_begin(newest)) return take_part(newest);
  if (begin_epoch(std::max(newest, highest_promise_))) return kPollBarrier;
  // No epoch can be begun, for the database is away: those that are open need none.
  if (highest_promise_ <= newest) rejoin_open_groups(newest);
  return kLookEveryInTrouble;
}

bool Coordinator::must_begin(uint64_t newest) {
  const int64_t stalled = stalled_ns(newest), now_ns = clock_.now().boot_ns;
  bool must = false;
  for (Group& group : groups_) {
    const bool lags = group.view.status == "OK" && group.view.epoch < newest;
    group.is_void = lags
                        ? stalled >= kLagNs
                        : group.view.is_there() && needs_new_epoch(group.view, stalled >= kStallNs);
    if (!lags && group.view.is_open()) group.patience_ns = group.void_until_ns = 0;
    must |= group.is_void && now_ns >= group.void_until_ns;
  }
  return must;
}

bool Coordinator::connect() {
  const int64_t now_ns = clock_.now().boot_ns;
  if (now_ns - asked_where_ns_ >= kAskWhereNs) {
    asked_where_ns_ = now_ns;
    if (client_.has_moved()) client_.disconnect();
  }
  // A node that has promised before is known; it must be able to come back while the database does not answer.
  if (highest_promise_ == 0 && !enroll()) return false;
  const Status connected = client_.connect();
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

// False when no master can be asked.
bool Coordinator::look() {
  bool has_seen = false;
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    View& view = groups_[number].view;
    view = {};
    if (!client_.is_connected(number)) continue;
    Result<RedisValue> answer =
        client_.call(number, Script::check, {std::to_string(settings_.node)});
    if (!answer) {
      unreached_ = answer.error().message;
      continue;
    }
    view = view_of(*answer);
    const bool is_whole = view.status != "OK" || answer->values.size() == 8;
    if (view.status != "REPLICA" && is_whole) {
      has_seen = true;
      continue;
    }
    unreached_ = is_whole ? "the Redis in use is no master any more"
                          : "Redis answered the check with something else";
    client_.disconnect(number);
    view = {};
  }
  if (client_.servers() != assigned_servers_) assign();
  return has_seen || fail(unreached_);
}

Coordinator::View Coordinator::view_of(const RedisValue& answer) const {
  const std::vector<RedisValue>& values = answer.values;
  View view{.status = values[0].text};
  if (values.size() > 1) view.epoch = static_cast<uint64_t>(values[1].integer);
  if (view.status == "ROLLED" && values.size() > 2) view.members = values[2].text;
  if (view.status != "OK" || values.size() != 8) return view;
  view.state = values[2].text;
  view.members = values[3].text;
  view.groups = static_cast<uint32_t>(values[4].integer);
  view.place = values[5].text;
  view.boot = values[6].text;
  view.is_filled = values[7].integer == 1;
  return view;
}

uint64_t Coordinator::newest_epoch() const {
  uint64_t newest = 0;
  for (const Group& group : groups_) newest = std::max(newest, group.view.epoch);
  return newest;
}

// How long the epoch has been there without being open at all masters that can be reached.
int64_t Coordinator::stalled_ns(uint64_t epoch) {
  const bool is_open = std::all_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return !group.view.is_there() || (group.view.is_in(epoch) && group.view.is_open());
  });
  const int64_t now_ns = clock_.now().boot_ns;
  if (is_open) stalled_epoch_ = 0;
  if (is_open || stalled_epoch_ == epoch) return is_open ? 0 : now_ns - stalled_since_ns_;
  stalled_epoch_ = epoch;
  stalled_since_ns_ = now_ns;
  asked_who_ns_ = 0;
  return 0;
}

// A stranger to the epoch, data that was dealt out anew, an epoch before the one that was promised last …
bool Coordinator::needs_new_epoch(const View& view, bool has_stalled) const {
  const bool is_fenced = view.boot == "-";
  if (view.status != "OK" || is_fenced || view.epoch < highest_promise_) return true;
  if (view.is_open()) return view.place != place() || view.epoch == disputed_;
  return !is_member(view.members) || view.epoch == refused_ || (has_stalled && !view.is_filled);
}

bool Coordinator::is_member(const std::string& members) const {
  const std::vector<uint32_t> nodes = parse_nodes(members);
  return std::find(nodes.begin(), nodes.end(), settings_.node) != nodes.end();
}

void Coordinator::refuse_lost_log() const {
  for (const Group& group : groups_)
    if (group.view.is_open() && group.view.place == place() && group.view.boot != "-" &&
        group.view.epoch > highest_promise_)
      fatal(kExitLogDamaged,
            "this node has joined epoch %lu of the ledger, and its order log has promised no more "
            "than %lu: the log was restored from an old copy or has lost its end; take the node "
            "out with `stampede ledger deactivate` and `reclaim`",
            static_cast<unsigned long>(group.view.epoch),
            static_cast<unsigned long>(highest_promise_));
}

// ---- an epoch is there ----

milliseconds Coordinator::take_part(uint64_t epoch) {
  bool must_join_some = false, must_enter = false;
  for (const Group& group : groups_) {
    if (!must_join(group, epoch)) continue;
    must_join_some = true;
    must_enter |= !group.view.is_open();
  }
  if (must_join_some && (!promise(epoch) || (must_enter && !enter(epoch))))
    return kLookEveryInTrouble;
  const bool has_joined = !must_join_some || join(epoch);
  open_groups(epoch, must_join_some);
  for (Group& group : groups_)
    if (group.view.is_open()) purge(group);
  send_supplies();
  if (!has_joined) return kLookEveryInTrouble;
  if (stalled_epoch_ != 0) return wait_for_others(epoch);
  if (!unreached_.empty())
    return fail(unreached_ + " (the items of the other masters are granted as ever)"),
           kLookEveryInTrouble;
  settle("");
  return kLookEvery;
}

// Streams share what is plenty; how many shards the other nodes have is not told, and need not be exact.
void Coordinator::open_groups(uint64_t epoch, bool has_joined) {
  bool is_news = has_joined;
  for (Group& group : groups_) {
    const bool is_open = group.view.is_in(epoch) && group.view.is_open() && group.joined == epoch;
    if (!is_open || group.open == epoch) continue;
    group.open = epoch;
    stream_count_ =
        settings_.shard_count * static_cast<uint32_t>(parse_nodes(group.view.members).size());
    is_news = true;
  }
  if (is_news) assign();
}

// Until all have joined. Who was taken out meanwhile need not be waited for: an epoch without him can be begun.
milliseconds Coordinator::wait_for_others(uint64_t epoch) {
  if (stalled_ns(epoch) < kStallNs) return kPollBarrier;
  const int64_t now_ns = clock_.now().boot_ns;
  if (now_ns - asked_who_ns_ < kStallNs) return kLookEveryInTrouble;
  asked_who_ns_ = now_ns;
  std::set<uint32_t> missing;
  for (const Group& group : groups_) {
    if (!group.view.is_in(epoch) || group.view.is_open()) continue;
    Result<RedisValue> answer = call(group, Script::missing, {std::to_string(epoch)});
    if (!answer) return fail(answer.error().message), kLookEveryInTrouble;
    for (size_t i = 1; i < answer->values.size() && answer->values[0].text == "OK"; ++i)
      missing.insert(static_cast<uint32_t>(answer->values[i].integer));
  }
  Result<std::vector<Member>> members = registry_.members();
  if (!members)
    return fail("the epoch waits for a member, and " + members.error().message),
           kLookEveryInTrouble;
  for (const Member& member : *members)
    if (member.state != MemberState::active && missing.contains(member.node))
      return begin_epoch(epoch) ? kPollBarrier : kLookEveryInTrouble;
  const std::vector<uint32_t> nodes(missing.begin(), missing.end());
  {
    const std::lock_guard lock(mutex_);
    status_.missing = nodes;
    // A master keeps the others waiting, and why has been said.
    if (nodes.empty() && !status_.problem.empty()) return kLookEveryInTrouble;
  }
  if (nodes.empty())
    return fail("not every master is in epoch " + std::to_string(epoch)), kLookEveryInTrouble;
  return fail("epoch " + std::to_string(epoch) + " waits for node " + text_of(nodes) +
              ": start it, or take it out for good with `stampede ledger reclaim --node N --data "
              "DIR`"),
         kLookEveryInTrouble;
}

// ---- a new epoch ----

bool Coordinator::is_overtaken(uint64_t above) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    return group.view.status == "OK" && group.view.epoch > above;
  });
}

// Two nodes that see the same loss would begin two epochs; a moment of chance mostly leaves it to one.
bool Coordinator::begin_epoch(uint64_t above) {
  if (std::any_of(groups_.begin(), groups_.end(),
                  [](const Group& group) { return group.view.boot == "-"; }))
    end_if_retired();
  const unsigned members = stream_count_ / settings_.shard_count;
  std::this_thread::sleep_for(milliseconds(random_() % (kDuelBackoffMs + members * kDuelMemberMs)));
  if (!look()) return false;
  if (is_overtaken(above)) return true;
  if (!enroll()) return false;
  Result<EpochPlan> plan =
      registry_.begin_epoch(settings_.node, std::max({above, highest_promise_, newest_epoch()}));
  if (!plan) return fail("no epoch can be begun: " + plan.error().message);
  // Nor while the registry was asked, which puts everybody in a line: a number that is not used costs nothing, an epoch
  // that is pushed aside costs every member a commit.
  if (!look()) return false;
  if (is_overtaken(above)) return true;
  if (!promise(plan->epoch)) return false;
  be_patient();
  if (!bump(*plan)) return true;
  {
    const std::lock_guard lock(mutex_);
    ++status_.epochs_begun;
  }
  fill(*plan);
  return enter(plan->epoch) && join(plan->epoch);
}

void Coordinator::be_patient() {
  const int64_t now_ns = clock_.now().boot_ns;
  for (Group& group : groups_) {
    if (!group.is_void) continue;
    group.patience_ns = std::clamp(2 * group.patience_ns, kPatienceMinNs, kPatienceMaxNs);
    group.void_until_ns = now_ns + group.patience_ns;
  }
}

// False when another epoch is there already. A master that is lost here is left behind.
bool Coordinator::bump(const EpochPlan& plan) {
  for (Group& group : groups_) {
    if (!group.view.is_there()) continue;
    group.view = {};
    Result<RedisValue> bumped =
        call(group, Script::bump,
             {std::to_string(plan.epoch), text_of(plan.members), std::to_string(groups_.size())});
    if (!bumped) {
      fail(bumped.error().message);
      continue;
    }
    if (bumped->values[0].text != "OK") return false;
    group.view.status = "OK";
    group.view.epoch = plan.epoch;
    group.view.state = "R";
    group.view.members = text_of(plan.members);
    group.view.groups = static_cast<uint32_t>(groups_.size());
  }
  return true;
}

// What the database knows: the supply of every item, what was withdrawn, and the members that are not there. A group that
// cannot be filled does not open, and brings about another epoch.
void Coordinator::fill(const EpochPlan& plan) {
  struct Entry {
    Units supplied = 0;
    Words streams;  // stream a r pool, four by four
  };
  std::vector<std::map<std::string, Entry>> entries(groups_.size());
  const auto entry = [&](const std::string& item) -> Entry& {
    return entries[group_of(item, client_.group_count())][item];
  };
  for (const Supply& supply : plan.supplies) {
    Entry& item = entry(supply.item);
    item.supplied = supply.supplied;
    if (supply.withdrawn > 0)
      item.streams.insert(item.streams.end(),
                          {"withdrawn", std::to_string(supply.withdrawn), "0", "0"});
  }
  for (const FrozenCount& count : plan.frozen) {
    Entry& item = entry(count.item);
    item.streams.insert(item.streams.end(), {count.stream, std::to_string(count.accepted),
                                             std::to_string(count.returned), "0"});
  }
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    if (!groups_[number].view.is_in(plan.epoch)) continue;
    Lines lines;
    for (const auto& [item, counts] : entries[number]) {
      Words& line = lines.emplace_back(
          Words{item, std::to_string(counts.supplied), std::to_string(counts.streams.size() / 4)});
      line.insert(line.end(), counts.streams.begin(), counts.streams.end());
    }
    const bool is_filled =
        send_join(groups_[number], {std::to_string(plan.epoch), "*", "0", "0.0", "0"}, lines,
                  "filling")
            .has_value();
    if (!is_filled) groups_[number].view = {};
  }
}

// ---- promise and join ----

bool Coordinator::promise(uint64_t epoch) {
  // A higher one may be promised by some shards, though not yet by all.
  if (epoch < highest_promise_) return false;
  if (promised_ == epoch) return true;
  highest_promise_ = asked_promise_ = epoch;
  for (Group& group : groups_) group.open = 0;
  assign();
  return wait_for_promises(epoch);
}

bool Coordinator::wait_for_promises(uint64_t epoch) {
  const int64_t deadline_ns = clock_.now().boot_ns + kPromiseNs;
  const auto is_there = [&] {
    return std::all_of(links_.begin(), links_.end(),
                       [&](const EpochLink* link) { return link->promised() >= epoch; });
  };
  while (!is_there()) {
    if (is_stopping()) return false;
    if (clock_.now().boot_ns >= deadline_ns)
      return fail("the promise of epoch " + std::to_string(epoch) +
                  " does not become durable: is the disk full?");
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, milliseconds(10), [&] { return is_woken_; });
    is_woken_ = false;
  }
  promised_ = epoch;
  return true;
}

// Whom the registry refuses, because he was taken out or because the plan has changed, begins another at the next look.
bool Coordinator::enter(uint64_t epoch) {
  if (entered_ == epoch) return true;
  if (Status status = registry_.enter_epoch(settings_.node, epoch); !status) {
    end_if_retired();
    // A database that is slow or away has refused nothing: then it is tried again.
    const Result<bool> may = registry_.may_enter(settings_.node, epoch);
    if (may && !*may) refused_ = epoch;
    return fail(status.error().message);
  }
  entered_ = epoch;
  return true;
}

bool Coordinator::must_join(const Group& group, uint64_t epoch) const {
  if (!group.view.is_in(epoch)) return false;
  return group.joined != epoch || group.view.place.empty() ||
         (group.view.is_open() && group.needs_rejoin);
}

// False when a group was not joined that should be; the others are.
bool Coordinator::join(uint64_t epoch) {
  const std::vector<Lines> lines = lines_of_streams(epoch);
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

// A restarted node goes on where nothing is wrong.
void Coordinator::rejoin_open_groups(uint64_t epoch) {
  for (Group& group : groups_) {
    const bool is_sound =
        group.view.is_in(epoch) && group.view.is_open() && !needs_new_epoch(group.view, false);
    if (!is_sound) group.view = {};
  }
  const bool must_join_some = std::any_of(
      groups_.begin(), groups_.end(), [&](const Group& group) { return must_join(group, epoch); });
  if (!must_join_some || !promise(epoch)) return;
  (void)join(epoch);
  open_groups(epoch, true);
}

// What every stream has of the items of each group, as it promised the epoch.
std::vector<Coordinator::Lines> Coordinator::lines_of_streams(uint64_t epoch) const {
  std::vector<Lines> lines(groups_.size());
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    const Promise promise = links_[shard]->promise();
    CHECK(promise.epoch == epoch);
    for (const StreamLine& line : promise.lines)
      lines[group_of(line.item, client_.group_count())].push_back(
          {line.item, "0", "1", stream_of(shard), std::to_string(line.accepted),
           std::to_string(line.returned), std::to_string(line.pool)});
  }
  return lines;
}

// Who has joined before only learns where to go on.
bool Coordinator::join_group(Group& group, uint64_t epoch, const Lines& lines) {
  const std::optional<RedisValue> joined =
      send_join(group,
                {std::to_string(epoch), std::to_string(settings_.node),
                 std::to_string(settings_.boot), place(), std::to_string(settings_.shard_count)},
                group.view.place.empty() ? lines : Lines(), "joining");
  if (!joined) return false;
  if (joined->values.size() < 2) return fail("Redis answered a JOIN with something else");
  note_numbers(group, *joined, epoch);
  group.joined = epoch;
  group.needs_rejoin = false;
  group.view.state = joined->values.at(1).text;
  group.view.place = place();
  return true;
}

// As many calls as the lines need, the last with fin = 1; its answer, or none when the JOIN was refused or not answered.
std::optional<RedisValue> Coordinator::send_join(const Group& group, Words words,
                                                 const Lines& lines, const char* what) {
  const size_t head = words.size();
  for (size_t first = 0;; first += kItemsPerChunk) {
    const size_t end = std::min(lines.size(), first + kItemsPerChunk);
    words.resize(head);
    words.push_back(end == lines.size() ? "1" : "0");
    for (size_t i = first; i < end; ++i)
      words.insert(words.end(), lines[i].begin(), lines[i].end());
    Result<RedisValue> answer = call(group, Script::join, words);
    if (!answer) return fail(answer.error().message), std::nullopt;
    if (is_refused(*answer, what)) return std::nullopt;
    if (end == lines.size()) return *answer;
  }
}

// Where each stream's exchanges go on; and what Redis remembers to have been durable must be in the log.
void Coordinator::note_numbers(Group& group, const RedisValue& joined, uint64_t epoch) {
  for (size_t shard = 0; shard < links_.size() && 3 + 2 * shard < joined.values.size(); ++shard) {
    group.last_numbers[shard] = static_cast<uint64_t>(joined.values[2 + 2 * shard].integer);
    const Lsn witnessed = static_cast<Lsn>(joined.values[3 + 2 * shard].integer);
    const Lsn durable = links_[shard]->promise().lsn;
    // When this process joins again, its own exchanges have told of records behind the promise.
    if (group.joined != epoch && witnessed > durable)
      fatal(kExitLogDamaged,
            "shard %zu: Redis has seen record %lu durable, the order log ends at %lu: it was "
            "restored from an old copy or has lost its end; or this Redis database was another "
            "sale's: a new sale needs an empty one",
            shard, static_cast<unsigned long>(witnessed), static_cast<unsigned long>(durable));
  }
}

bool Coordinator::is_refused(const RedisValue& answer, const char* what) {
  const std::string& status = answer.values[0].text;
  if (status == "OK" || status == "JOINED") return false;
  if (status == "FENCED") end_if_retired();
  fail(std::string(what) + " the epoch was refused: " + status);
  return true;
}

// A node that was taken out for good must not sell another unit, not even what it still holds.
void Coordinator::end_if_retired() {
  Result<std::vector<Member>> members = registry_.members();
  if (!members) return;
  for (const Member& member : *members)
    if (member.node == settings_.node &&
        (member.state == MemberState::retired || member.uuid != settings_.uuid))
      fatal(kExitLogDamaged,
            "node %u was taken out of the ledger for good: what it held was given back; start it "
            "with a new data directory",
            settings_.node);
}

// ---- supply ----

// An item or units that became known while this epoch was open: whoever brought them says so until they have arrived.
void Coordinator::send_supplies() {
  const auto can_take = [](const Group& group) {
    return group.needs_supplies && group.open != 0 && group.view.is_in(group.open);
  };
  if (std::none_of(groups_.begin(), groups_.end(), can_take)) return;
  const Result<std::vector<Supply>> supplies = registry_.supplies();
  if (!supplies || !may_supply()) return;
  std::vector<std::vector<Supply>> of_groups(groups_.size());
  for (const Supply& supply : *supplies)
    of_groups[group_of(supply.item, client_.group_count())].push_back(supply);
  for (uint32_t number = 0; number < groups_.size(); ++number)
    if (Group& group = groups_[number]; can_take(group))
      group.needs_supplies = !supply(client_, group.open, of_groups[number]);
}

// Who was taken out, and perhaps presumed to hold no more than so much, does not bring new units where he alone is heard.
bool Coordinator::may_supply() {
  const Result<bool> may = registry_.may_enter(settings_.node, joined_);
  return may && *may;
}

// While a cluster moves the slot, keys that are still on their way would be taken for removed.
void Coordinator::purge(Group& group) {
  const auto number = static_cast<uint32_t>(&group - groups_.data());
  if (group.purged == group.open || client_.server(number).is_asking) return;
  Result<RedisValue> answer = call(group, Script::purge, {std::to_string(group.open), "500"});
  if (answer && answer->values.size() == 2 && answer->values[1].integer == 0)
    group.purged = group.open;
}

// ---- operators' changes ----

void Coordinator::offer_terms(std::vector<TermsOffer> offers) {
  open_offers_.add(std::move(offers));
  wake();
}

void Coordinator::add(std::string item, Units stock, uint32_t ticket) {
  const std::lock_guard lock(mutex_);
  CHECK(jobs_.size() < kJobsMax);
  jobs_.push_back([this, item = std::move(item), stock, ticket] {
    ledger::StockChange change{.ticket = ticket,
                               .outcome = ledger::StockChange::Outcome::unavailable};
    const Supply wanted{.item = item, .supplied = stock};
    Result<std::vector<Supply>> standing = registry_.add_items({&wanted, 1});
    if (!standing) return change.message = standing.error().message, change;
    // Its buyers come when it is told, so Redis should know it before.
    group_with(item).needs_supplies = true;
    send_supplies();
    change.outcome = ledger::StockChange::Outcome::done;
    change.supplied = standing->front().supplied;
    change.withdrawn = standing->front().withdrawn;
    return change;
  });
  is_woken_ = true;
  wake_.notify_one();
}

void Coordinator::restock(std::string item, std::string op_id, int64_t delta, uint32_t ticket) {
  const std::lock_guard lock(mutex_);
  CHECK(jobs_.size() < kJobsMax);
  jobs_.push_back([this, item = std::move(item), op_id = std::move(op_id), delta, ticket] {
    ledger::StockChange change = do_restock(item, op_id, delta);
    change.ticket = ticket;
    return change;
  });
  is_woken_ = true;
  wake_.notify_one();
}

// More units: the database first, for an epoch that begins in between must know of them. Fewer: Redis first, which alone
// knows whether they are free; a crash in between leaves them on sale when the next epoch begins.
ledger::StockChange Coordinator::do_restock(const std::string& item, const std::string& op_id,
                                            int64_t delta) {
  using Outcome = ledger::StockChange::Outcome;
  const auto unavailable = [](const std::string& why) {
    return ledger::StockChange{.outcome = Outcome::unavailable, .message = why};
  };
  Group& group = group_with(item);
  const std::string epoch = std::to_string(group.open);
  Result<std::optional<Restocked>> known = registry_.find_restock(op_id);
  if (!known) return unavailable(known.error().message);
  if (!known->has_value() && delta < 0) {
    Result<RedisValue> taken =
        call(group, Script::withdraw,
             {epoch, op_id, item, std::to_string(0 - static_cast<Units>(delta))});
    if (!taken) return unavailable(taken.error().message);
    const std::string& status = taken->values[0].text;
    if (status == "SHORT")
      return {
          .outcome =
              Outcome::not_enough,  // less than none is free when more is held than was supplied
          .free = static_cast<Units>(std::max<int64_t>(0, taken->values[1].integer))};
    if (status != "OK") return unavailable("the ledger is not open: " + status);
  }
  Result<Restocked> restocked = registry_.restock(op_id, item, delta, group.open);
  // Perhaps it was done all the same; the same op_id tells.
  if (!restocked) return unavailable(restocked.error().message);
  const Supply& supply = restocked->supply;
  if (delta > 0 && !may_supply()) {
    group.needs_supplies = true;
  } else if (delta > 0) {
    Result<RedisValue> told =
        call(group, Script::supply, {epoch, item, std::to_string(supply.supplied)});
    group.needs_supplies |= !told || told->values[0].text != "OK";
  }
  return {.outcome = restocked->is_applied ? Outcome::done : Outcome::repeated,
          .supplied = supply.supplied,
          .withdrawn = supply.withdrawn};
}

void Coordinator::do_jobs() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = std::exchange(jobs_, {});
  }
  if (jobs.empty()) return;
  std::vector<ledger::StockChange> changes;
  for (const Job& job : jobs) changes.push_back(job());
  {
    const std::lock_guard lock(mutex_);
    changes_.insert(changes_.end(), changes.begin(), changes.end());
  }
  wake_shard0_();
}

std::vector<ledger::StockChange> Coordinator::take_changes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changes_, {});
}

}  // namespace stampede::cluster
