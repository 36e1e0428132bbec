// The coordinator's steps, and the status that it publishes.
#include "cluster/coordinator.h"

#include <pthread.h>

#include <algorithm>
#include <set>

#include "base/diag.h"
#include "base/thread.h"
#include "cluster/inspection.h"

namespace stampede::cluster {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{100};  // while all is well; a shard's trouble wakes at once
constexpr milliseconds kLookEveryInTrouble{20};
constexpr milliseconds kPollBarrier{3};   // while others join
constexpr milliseconds kPromisePoll{10};  // should a wake-up be missed

}  // namespace

Coordinator::Coordinator(CoordinatorSettings settings, RedisAccess& redis, Registry& registry,
                         std::vector<EpochLink*> links, Clock& clock,
                         std::function<void()> wake_shard0)
    : settings_(std::move(settings)),
      registry_(registry),
      links_(std::move(links)),
      clock_(clock),
      wake_shard0_(std::move(wake_shard0)),
      client_(redis.make_caller(settings_.url, settings_.timeout_ms)),
      random_(settings_.seed),
      groups_(client_->group_count()),
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
  client_->interrupt();
  wake();
  if (thread_.joinable()) thread_.join();
}

void Coordinator::wake() {
  const std::lock_guard lock(mutex_);
  is_woken_ = true;
  wake_.notify_one();
}

bool Coordinator::take_wake() {
  const std::lock_guard lock(mutex_);
  return std::exchange(is_woken_, false);
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

milliseconds Coordinator::step() {
  for (EpochLink* link : links_) {
    const EpochLink::Trouble trouble = link->take_trouble();
    for (uint32_t number = 0; number < groups_.size(); ++number)
      groups_[number].needs_rejoin |= (trouble.groups >> number & 1) != 0;
    if (trouble.needs_new_epoch != 0) disputed_ = joined_;
    note_unknown_items(trouble.unknown_items);
  }
  const milliseconds wait = advance();
  do_jobs();
  open_offers_.compare(clock_.now().boot_ns);
  return wait;
}

milliseconds Coordinator::advance() {
  if (promising_ && !has_promised()) {
    if (promising_) return kPromisePoll;
    beginning_.reset();
    return kLookEveryInTrouble;
  }
  return beginning_ ? go_on_beginning() : look_again();
}

milliseconds Coordinator::look_again() {
  if (!connect() || !look()) return kLookEveryInTrouble;
  for (const Group& group : groups_)
    if (const std::string misfit = misfit_of(group.check); !misfit.empty())
      return fail(misfit), kLookEvery;
  refuse_lost_log();
  // Only now, when a wrong --ledger would have shown itself: a number that is registered belongs to its data directory for ever.
  // A node that has promised before is registered, and must be able to come back while the database does not answer.
  if (highest_promise_ == 0 && !enroll()) return kLookEveryInTrouble;
  const uint64_t newest = newest_epoch();
  if (must_begin(newest)) return begin_epoch(std::max(newest, highest_promise_), newest);
  // The one that was promised did not begin, and the next one has its time.
  if (newest < highest_promise_) return kLookEveryInTrouble;
  return take_part(newest);
}

// When something did not succeed, or waits for the shards' promise.
milliseconds Coordinator::soon() const {
  return promising_ ? kPromisePoll : kLookEveryInTrouble;
}

// Until the pause is over, the shards have promised, or the epoch is begun or cannot be.
milliseconds Coordinator::go_on_beginning() {
  using Stage = Beginning::Stage;
  Beginning& beginning = *beginning_;
  Progress progress = Progress::not_yet;
  if (beginning.stage == Stage::pausing) {
    const int64_t left_ns = beginning.pause_until_ns - clock_.now().boot_ns;
    if (left_ns > 0) return milliseconds((left_ns + kMillisecond - 1) / kMillisecond);
    progress = make_plan(beginning);
  } else if (beginning.stage == Stage::promising) {
    progress = carry_out(beginning.plan);
  }
  // No epoch can be begun, because the database is away. Groups that are open need none.
  const bool is_rejoining = beginning.stage == Stage::rejoining;
  if (is_rejoining || (progress == Progress::failed && highest_promise_ <= beginning.newest)) {
    beginning.stage = Stage::rejoining;
    progress = rejoin_open_groups(beginning.newest);
  }
  if (progress == Progress::not_yet) return kPromisePoll;
  beginning_.reset();
  return progress == Progress::done ? kPollBarrier : kLookEveryInTrouble;
}

// An epoch is there, and this node need not begin another: promises and joins it, as far as that is not done.
milliseconds Coordinator::take_part(uint64_t epoch) {
  bool must_join_some = false, must_enter = false;
  for (const Group& group : groups_) {
    if (!must_join(group, epoch)) continue;
    must_join_some = true;
    must_enter |= !group.check.is_open();
  }
  if (must_join_some && (!promise(epoch) || (must_enter && !enter(epoch)))) return soon();
  const bool has_joined = !must_join_some || join(epoch);
  open_groups(epoch, must_join_some);
  for (Group& group : groups_)
    if (group.check.is_open()) purge(group);
  send_supplies();
  if (!has_joined) return kLookEveryInTrouble;
  if (stalled_epoch_) return wait_for_others(epoch);
  if (!unreached_.empty())
    return fail(unreached_ + " (the items of the other masters are granted as ever)"),
           kLookEveryInTrouble;
  if (misses_items())
    return fail(
               "Redis does not know items that buyers ask for, perhaps because keys were removed "
               "there: `stampede ledger rebuild` counts anew (other items are granted as ever)"),
           kLookEvery;
  publish("");
  return kLookEvery;
}

// Until all members have joined. A member that was taken out meanwhile is not waited for: an epoch without it can be begun.
milliseconds Coordinator::wait_for_others(uint64_t epoch) {
  if (stalled_ns(epoch) < kStallNs) return kPollBarrier;
  const int64_t now_ns = clock_.now().boot_ns;
  if (now_ns - asked_members_ns_ < kStallNs) return kLookEveryInTrouble;
  asked_members_ns_ = now_ns;
  const Result<std::set<uint32_t>> missing = find_missing(epoch);
  if (!missing) return fail(missing.error().message), kLookEveryInTrouble;
  const Result<std::vector<Member>> members = registry_.members();
  if (!members)
    return fail("the epoch waits for a member, and " + members.error().message),
           kLookEveryInTrouble;
  for (const Member& member : *members)
    if (member.state != MemberState::active && missing->contains(member.node))
      return begin_epoch(epoch, epoch);
  report_missing(epoch, {missing->begin(), missing->end()});
  return kLookEveryInTrouble;
}

// The members that have not joined, of all groups.
Result<std::set<uint32_t>> Coordinator::find_missing(uint64_t epoch) {
  std::set<uint32_t> missing;
  for (const Group& group : groups_) {
    if (!group.check.is_in(epoch) || group.check.is_open()) continue;
    Result<RedisValue> answer = call(group, Script::missing, {std::to_string(epoch)});
    if (!answer) return answer.error();
    for (size_t i = 1; i < answer->values.size() && answer->values[0].text == "OK"; ++i)
      missing.insert(static_cast<uint32_t>(answer->values[i].integer));
  }
  return missing;
}

void Coordinator::report_missing(uint64_t epoch, const std::vector<uint32_t>& nodes) {
  {
    const std::lock_guard lock(mutex_);
    status_.missing = nodes;
    // A master keeps the others waiting, and the reason has been published.
    if (nodes.empty() && !status_.problem.empty()) return;
  }
  fail(nodes.empty()
           ? "not every master is in epoch " + std::to_string(epoch)
           : "epoch " + std::to_string(epoch) + " waits for node " + text_of(nodes) +
                 ": start it, or take it out for good with `stampede ledger reclaim --node N "
                 "--data DIR`");
}

// Lets the shards exchange with the groups that are open. Streams divide plentiful stock by their number; the other nodes do not
// report how many shards they have, and the number need not be exact.
void Coordinator::open_groups(uint64_t epoch, bool has_joined) {
  bool is_news = has_joined;
  for (Group& group : groups_) {
    const bool is_open = group.check.is_in(epoch) && group.check.is_open() && group.joined == epoch;
    if (!is_open || group.open == epoch) continue;
    group.open = epoch;
    stream_count_ =
        settings_.shard_count * static_cast<uint32_t>(parse_nodes(group.check.members).size());
    is_news = true;
  }
  if (is_news) assign();
}

void Coordinator::assign() {
  for (const Group& group : groups_) CHECK(group.open == 0 || group.open == promised_);
  assigned_servers_ = client_->servers();
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    Assignment assignment{.promise = asked_promise_, .groups = {}, .stream_count = stream_count_};
    for (uint32_t number = 0; number < groups_.size(); ++number)
      assignment.groups.push_back({.server = assigned_servers_[number],
                                   .open = groups_[number].open,
                                   .last_number = groups_[number].last_numbers[shard]});
    links_[shard]->assign(assignment);
  }
}

CoordinatorStatus Coordinator::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

// Publishes the state for status(), and logs once a problem, its end, an epoch, and another Redis.
void Coordinator::publish(const std::string& problem) {
  if (is_stopping()) return;  // a call that the stop has interrupted is no problem
  const CoordinatorStatus before = status();
  CoordinatorStatus next = before;
  next.problem = problem;
  next.server = servers_in_use();
  next.epoch = 0;
  for (const Group& group : groups_) next.epoch = std::max(next.epoch, group.open);
  next.is_open = problem.empty() && next.epoch != 0;
  if (problem.empty()) next.missing.clear();
  // The connection over which the epoch was seen to be open may have ended since.
  if (next.is_open && next.server.empty()) next.server = reported_server_;
  {
    const std::lock_guard lock(mutex_);
    status_ = next;
  }
  // With a problem some masters of a Redis Cluster may be missing from it.
  if (next.is_open && !reported_server_.empty() && next.server != reported_server_)
    diag::notice("ledger: Redis is at %s now, and was at %s", next.server.c_str(),
                 reported_server_.c_str());
  if (next.is_open) reported_server_ = next.server;
  if (!problem.empty() && before.problem.empty())
    diag::warning("ledger: %s; what is leased sells on, more is not granted", problem.c_str());
  else if (next.is_open && (!before.problem.empty() || next.epoch != before.epoch))
    diag::line(diag::Level::notice, {{"epoch", next.epoch}}, "ledger: epoch %lu is open at %s",
               static_cast<unsigned long>(next.epoch), next.server.c_str());
}

bool Coordinator::fail(const std::string& problem) {
  publish(problem);
  return false;
}

// The address of each master once.
std::string Coordinator::servers_in_use() const {
  std::set<std::string> servers;
  for (uint32_t number = 0; number < groups_.size(); ++number)
    if (client_->is_connected(number)) servers.insert(text_of(client_->server(number).address));
  std::string text;
  for (const std::string& server : servers) text += (text.empty() ? "" : ", ") + server;
  return text;
}

Result<RedisValue> Coordinator::call(const Group& group, Script script, const Words& words) {
  return client_->call(static_cast<uint32_t>(&group - groups_.data()), script, words);
}

std::string Coordinator::layout() const {
  return std::to_string(settings_.generation) + "." + std::to_string(settings_.shard_count);
}

std::string Coordinator::stream_of(size_t shard) const {
  return stream_name({settings_.node, settings_.generation, static_cast<uint32_t>(shard)});
}

}  // namespace stampede::cluster
