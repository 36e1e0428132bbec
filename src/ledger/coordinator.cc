#include "ledger/coordinator.h"

#include <pthread.h>

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/diag.h"
#include "ledger/inspection.h"

namespace stampede::ledger {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{100};  // while all is well; a shard's trouble wakes at once
constexpr milliseconds kLookEveryInTrouble{20};
constexpr milliseconds kPollBarrier{3};  // while others join
constexpr int64_t kStallNs =
    3 * kSecond;  // an epoch that nobody fills or joins for so long is begun again
constexpr int64_t kAskSentinelsNs = kSecond / 2;
constexpr int64_t kPromiseNs = 10 * kSecond;  // for the logs' disks
constexpr unsigned kDuelBackoffMs = 20, kDuelMemberMs = 3;
constexpr size_t kItemsPerChunk = 500;
constexpr uint32_t kJobsMax = 1024;
static_assert(kJobsMax >= limits::changes_under_way_max, "whatever operators may have under way");

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
      highest_promise_(settings_.promised),
      last_numbers_(links_.size()),
      open_offers_(registry) {
  assignment_.stream_count = static_cast<uint32_t>(links_.size());
}

Coordinator::~Coordinator() {
  stop();
}

void Coordinator::start() {
  thread_ = std::thread([this] { run(); });
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
    status_.server = client_.is_connected() ? ledger::text_of(client_.server().address) : "";
    status_.is_open = problem.empty() && joined_ != 0 && assignment_.open == joined_;
    status_.epoch = assignment_.open;
    if (problem.empty()) status_.missing.clear();
  }
  if (!problem.empty() && before.empty())
    diag::warning("ledger: %s; what is leased sells on, more is not granted", problem.c_str());
  else if (problem.empty() && !before.empty())
    diag::notice("ledger: epoch %lu is open at %s", static_cast<unsigned long>(assignment_.open),
                 ledger::text_of(client_.server().address).c_str());
}

bool Coordinator::fail(const std::string& problem) {
  settle(problem);
  return false;
}

void Coordinator::assign() {
  for (size_t shard = 0; shard < links_.size(); ++shard) {
    assignment_.last_number = last_numbers_[shard];
    links_[shard]->assign(assignment_);
  }
}

std::string Coordinator::place() const {
  return std::to_string(settings_.generation) + "." + std::to_string(settings_.shard_count);
}

// ---- looking ----

milliseconds Coordinator::step() {
  for (EpochLink* link : links_) {
    const EpochLink::Trouble trouble = link->take_trouble();
    needs_rejoin_ |= trouble.is_any;
    if (trouble.needs_new_epoch) disputed_ = joined_;
  }
  const milliseconds wait = advance();
  do_jobs(status().is_open ? joined_ : 0);
  open_offers_.settle(clock_.now().boot_ns);
  return wait;
}

milliseconds Coordinator::advance() {
  if (!connect()) return kLookEveryInTrouble;
  Result<View> view = look();
  if (!view) return fail(view.error().message), kLookEveryInTrouble;
  if (view->status == "REPLICA") {
    client_.disconnect();
    return fail("the Redis in use is no master any more"), kLookEveryInTrouble;
  }
  const std::vector<uint32_t> members = parse_nodes(view->members);
  const bool is_others = !members.empty() && members != std::vector<uint32_t>{settings_.node};
  if (settings_.is_solo && is_others)
    return fail("this Redis counts for node " + view->members +
                ": several nodes need --db postgres://… in common, or each a Redis database of its "
                "own"),
           kLookEvery;
  if (view->status != "OK") return begin_epoch(view->epoch) ? kPollBarrier : kLookEveryInTrouble;
  return view->state == "O" ? on_open(*view) : on_recovering(*view);
}

bool Coordinator::connect() {
  const int64_t now_ns = clock_.now().boot_ns;
  if (client_.is_connected() && now_ns - asked_sentinels_ns_ >= kAskSentinelsNs) {
    asked_sentinels_ns_ = now_ns;
    if (client_.has_moved()) client_.disconnect();
  }
  // A node that has promised before is known; it must be able to come back while the database does not answer.
  if (highest_promise_ == 0 && !enroll()) return false;
  if (client_.is_connected()) return true;
  if (Status status = client_.connect(); !status) return fail(status.error().message);
  if (!(assignment_.server == client_.server())) {
    assignment_.server = client_.server();
    assign();
  }
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

Result<Coordinator::View> Coordinator::look() {
  Result<RedisValue> answer = client_.call(Script::check, {std::to_string(settings_.node)});
  if (!answer) return answer.error();
  const std::vector<RedisValue>& values = answer->values;
  View view{.status = values[0].text};
  if (values.size() > 1) view.epoch = static_cast<uint64_t>(values[1].integer);
  if (view.status == "ROLLED" && values.size() > 2) view.members = values[2].text;
  if (view.status != "OK") return view;
  if (values.size() != 7) return Error{"Redis answered the check with something else"};
  view.state = values[2].text;
  view.members = values[3].text;
  view.place = values[4].text;
  view.boot = values[5].text;
  view.is_filled = values[6].integer == 1;
  return view;
}

bool Coordinator::is_member(const std::string& members) const {
  const std::vector<uint32_t> nodes = parse_nodes(members);
  return std::find(nodes.begin(), nodes.end(), settings_.node) != nodes.end();
}

// ---- an epoch is open ----

milliseconds Coordinator::on_open(const View& view) {
  stalled_epoch_ = 0;
  const bool is_fenced = view.boot == "-";
  const bool has_joined = view.place == place() && !is_fenced;
  if (has_joined && view.epoch > highest_promise_)
    fatal(kExitLogDamaged,
          "this node has joined epoch %lu of the ledger, and its order log has promised no more "
          "than %lu: the log was "
          "restored from an old copy or has lost its end; take the node out with `stampede ledger "
          "deactivate` and `reclaim`",
          static_cast<unsigned long>(view.epoch), static_cast<unsigned long>(highest_promise_));
  if (is_fenced) end_if_retired();
  // A stranger to this epoch, data that was dealt out anew, an epoch before the one that was promised last.
  if (!has_joined || view.epoch < highest_promise_ || view.epoch == disputed_)
    return begin_epoch(std::max(view.epoch, highest_promise_)) ? kPollBarrier : kLookEveryInTrouble;
  if (needs_rejoin_ || assignment_.open != view.epoch) {
    if (!promise(view.epoch) || !join(view.epoch)) return kLookEveryInTrouble;
    open(view.epoch, view.members);
    needs_rejoin_ = false;
  }
  settle("");
  if (needs_supplies_) send_supplies(view.epoch);
  purge(view.epoch);
  return kLookEvery;
}

void Coordinator::open(uint64_t epoch, const std::string& members) {
  // Streams share what is plenty; how many shards the other nodes have is not told, and need not be exact.
  assignment_.stream_count =
      settings_.shard_count * static_cast<uint32_t>(parse_nodes(members).size());
  assignment_.open = epoch;
  assign();
}

// ---- an epoch is being built ----

milliseconds Coordinator::on_recovering(const View& view) {
  const int64_t now_ns = clock_.now().boot_ns;
  if (stalled_epoch_ != view.epoch) {
    stalled_epoch_ = view.epoch;
    stalled_since_ns_ = now_ns;
  }
  const bool has_stalled = now_ns - stalled_since_ns_ >= kStallNs;
  if (!is_member(view.members) || view.boot == "-" || view.epoch < highest_promise_ ||
      view.epoch == refused_ || (has_stalled && !view.is_filled))
    return begin_epoch(std::max(view.epoch, highest_promise_)) ? kPollBarrier : kLookEveryInTrouble;
  if (view.place.empty() || joined_ != view.epoch) {
    const bool is_done = promise(view.epoch) && enter(view.epoch) && join(view.epoch);
    return is_done ? kPollBarrier : kLookEveryInTrouble;
  }
  if (!has_stalled) return kPollBarrier;
  stalled_since_ns_ = now_ns;
  Result<std::vector<Member>> members = registry_.members();
  if (!members)
    return fail("the epoch waits for a member, and " + members.error().message),
           kLookEveryInTrouble;
  const std::vector<uint32_t> missing = not_joined(parse_nodes(view.members));
  const bool is_somebody_out =
      std::any_of(members->begin(), members->end(), [&](const Member& member) {
        return member.state != MemberState::active &&
               std::find(missing.begin(), missing.end(), member.node) != missing.end();
      });
  // Who was taken out meanwhile need not be waited for: an epoch without him can be begun.
  if (is_somebody_out) return begin_epoch(view.epoch) ? kPollBarrier : kLookEveryInTrouble;
  {
    const std::lock_guard lock(mutex_);
    status_.missing = missing;
  }
  return fail("epoch " + std::to_string(view.epoch) + " waits for node " + text_of(missing) +
              ": start it, or take it out with `stampede ledger deactivate --node N`"),
         kLookEveryInTrouble;
}

std::vector<uint32_t> Coordinator::not_joined(const std::vector<uint32_t>& members) {
  std::vector<uint32_t> missing;
  for (const uint32_t node : members) {
    Result<RedisValue> joined =
        client_.command({"HEXISTS", std::string(kKeyPrefix) + "m", "J:" + std::to_string(node)});
    if (joined && joined->integer == 0) missing.push_back(node);
  }
  return missing;
}

// Two nodes that see the same loss would begin two epochs; a moment of chance mostly leaves it to one.
bool Coordinator::begin_epoch(uint64_t above) {
  const unsigned members = assignment_.stream_count / settings_.shard_count;
  std::this_thread::sleep_for(milliseconds(random_() % (kDuelBackoffMs + members * kDuelMemberMs)));
  Result<View> again = look();
  if (!again) return fail(again.error().message);
  if (again->status == "OK" && again->epoch > above) return true;  // somebody was quicker
  if (!enroll()) return false;
  Result<EpochPlan> plan =
      registry_.begin_epoch(settings_.node, std::max({above, highest_promise_, again->epoch}));
  if (!plan) return fail("no epoch can be begun: " + plan.error().message);
  // Nor while the registry was asked, which puts everybody in a line: a number that is not used costs nothing, an epoch
  // that is pushed aside costs every member a commit.
  again = look();
  if (!again) return fail(again.error().message);
  if (again->status == "OK" && again->epoch > above) return true;
  if (!promise(plan->epoch)) return false;
  Result<RedisValue> bumped =
      client_.call(Script::bump, {std::to_string(plan->epoch), text_of(plan->members)});
  if (!bumped) return fail(bumped.error().message);
  if (bumped->values[0].text != "OK") return true;  // another epoch is there already
  {
    const std::lock_guard lock(mutex_);
    ++status_.epochs_begun;
  }
  return fill(*plan) && enter(plan->epoch) && join(plan->epoch);
}

// What the database knows: the supply of every item, what was withdrawn, and the members that are not there.
bool Coordinator::fill(const EpochPlan& plan) {
  struct Entry {
    Units supplied = 0;
    std::vector<std::string> streams;  // stream a r pool, four by four
  };
  std::vector<std::pair<std::string, Entry>> entries;
  std::unordered_map<std::string, size_t> places;
  const auto entry = [&](const std::string& item) -> Entry& {
    const auto [at, is_new] = places.emplace(item, entries.size());
    if (is_new) entries.push_back({item, {}});
    return entries[at->second].second;
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
  for (size_t first = 0; first == 0 || first < entries.size(); first += kItemsPerChunk) {
    const size_t end = std::min(entries.size(), first + kItemsPerChunk);
    std::vector<std::string> words = {std::to_string(plan.epoch),       "*", "0", "0.0", "0",
                                      end == entries.size() ? "1" : "0"};
    for (size_t i = first; i < end; ++i) {
      words.push_back(entries[i].first);
      words.push_back(std::to_string(entries[i].second.supplied));
      words.push_back(std::to_string(entries[i].second.streams.size() / 4));
      words.insert(words.end(), entries[i].second.streams.begin(), entries[i].second.streams.end());
    }
    Result<RedisValue> answer = client_.call(Script::join, words);
    if (!answer) return fail(answer.error().message);
    if (is_refused(*answer, "filling")) return false;
    if (end == entries.size()) break;
  }
  return true;
}

// ---- promise and join ----

bool Coordinator::promise(uint64_t epoch) {
  if (promised_ >= epoch) return promised_ == epoch;
  if (epoch < highest_promise_) return false;
  highest_promise_ = epoch;
  assignment_.promise = epoch;
  assignment_.open = 0;
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

bool Coordinator::join(uint64_t epoch) {
  std::vector<Promise> promises;
  for (const EpochLink* link : links_) promises.push_back(link->promise());
  std::vector<std::string> lines;  // item T 1 stream a r pool, seven by seven
  for (size_t shard = 0; shard < promises.size(); ++shard) {
    CHECK(promises[shard].epoch == epoch);
    const std::string stream = std::to_string(settings_.node) + "." +
                               std::to_string(settings_.generation) + "." + std::to_string(shard);
    for (const StreamLine& line : promises[shard].lines)
      lines.insert(lines.end(), {line.item, "0", "1", stream, std::to_string(line.accepted),
                                 std::to_string(line.returned), std::to_string(line.pool)});
  }
  constexpr size_t kWordsPerChunk = 7 * kItemsPerChunk;
  for (size_t first = 0; first == 0 || first < lines.size(); first += kWordsPerChunk) {
    const size_t end = std::min(lines.size(), first + kWordsPerChunk);
    std::vector<std::string> words = {std::to_string(epoch),
                                      std::to_string(settings_.node),
                                      std::to_string(settings_.boot),
                                      place(),
                                      std::to_string(settings_.shard_count),
                                      end == lines.size() ? "1" : "0"};
    words.insert(words.end(), lines.begin() + first, lines.begin() + end);
    Result<RedisValue> answer = client_.call(Script::join, words);
    if (!answer) return fail(answer.error().message);
    if (is_refused(*answer, "joining")) return false;
    if (end < lines.size()) continue;
    note_numbers(*answer, promises);
    break;
  }
  const bool is_new = joined_ != epoch;
  joined_ = epoch;
  const std::lock_guard lock(mutex_);
  status_.epochs_joined += is_new;
  return true;
}

// Where each stream's exchanges go on; and what Redis remembers to have been durable must be in the log.
void Coordinator::note_numbers(const RedisValue& joined, const std::vector<Promise>& promises) {
  for (size_t shard = 0; shard < links_.size() && 3 + 2 * shard < joined.values.size(); ++shard) {
    last_numbers_[shard] = static_cast<uint64_t>(joined.values[2 + 2 * shard].integer);
    const Lsn witnessed = static_cast<Lsn>(joined.values[3 + 2 * shard].integer);
    const Lsn durable = promises[shard].lsn;
    // When this process joins again, its own exchanges have told of records behind the promise.
    const bool is_news = joined_ != promises[shard].epoch;
    if (is_news && witnessed > durable)
      fatal(kExitLogDamaged,
            "shard %zu: Redis has seen record %lu durable, the order log ends at %lu: it was "
            "restored from an old copy or "
            "has lost its end",
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
void Coordinator::send_supplies(uint64_t epoch) {
  Result<std::vector<Supply>> supplies = registry_.supplies();
  if (!supplies) return;
  for (size_t first = 0; first < supplies->size(); first += kItemsPerChunk) {
    std::vector<std::string> words = {std::to_string(epoch)};
    for (size_t i = first; i < std::min(supplies->size(), first + kItemsPerChunk); ++i) {
      words.push_back((*supplies)[i].item);
      words.push_back(std::to_string((*supplies)[i].supplied));
    }
    Result<RedisValue> answer = client_.call(Script::supply, words);
    if (!answer || answer->values[0].text != "OK") return;
  }
  needs_supplies_ = false;
}

void Coordinator::purge(uint64_t epoch) {
  if (purged_ == epoch) return;
  Result<RedisValue> answer = client_.call(Script::purge, {std::to_string(epoch), "500"});
  if (answer && answer->values.size() == 2 && answer->values[1].integer == 0) purged_ = epoch;
}

// ---- operators' changes ----

void Coordinator::offer_terms(std::vector<TermsOffer> offers) {
  open_offers_.add(std::move(offers));
  wake();
}

void Coordinator::add(std::string item, Units stock, uint32_t ticket) {
  const std::lock_guard lock(mutex_);
  CHECK(jobs_.size() < kJobsMax);
  jobs_.push_back([this, item = std::move(item), stock, ticket](uint64_t epoch) {
    StockChange change{.ticket = ticket, .outcome = StockChange::Outcome::unavailable};
    const Supply wanted{.item = item, .supplied = stock};
    Result<std::vector<Supply>> standing = registry_.add_items({&wanted, 1});
    if (!standing) return change.message = standing.error().message, change;
    // Its buyers come when it is told, so Redis should know it before.
    needs_supplies_ = true;
    if (epoch != 0) send_supplies(epoch);
    change.outcome = StockChange::Outcome::done;
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
  jobs_.push_back(
      [this, item = std::move(item), op_id = std::move(op_id), delta, ticket](uint64_t epoch) {
        StockChange change = do_restock(epoch, item, op_id, delta);
        change.ticket = ticket;
        return change;
      });
  is_woken_ = true;
  wake_.notify_one();
}

// More units: the database first, for an epoch that begins in between must know of them. Fewer: Redis first, which alone
// knows whether they are free; a crash in between leaves them on sale when the next epoch begins.
StockChange Coordinator::do_restock(uint64_t epoch, const std::string& item,
                                    const std::string& op_id, int64_t delta) {
  using Outcome = StockChange::Outcome;
  const auto unavailable = [](const std::string& why) {
    return StockChange{.outcome = Outcome::unavailable, .message = why};
  };
  Result<std::optional<Restocked>> known = registry_.find_restock(op_id);
  if (!known) return unavailable(known.error().message);
  if (!known->has_value() && delta < 0) {
    Result<RedisValue> taken = client_.call(
        Script::withdraw,
        {std::to_string(epoch), op_id, item, std::to_string(0 - static_cast<Units>(delta))});
    if (!taken) return unavailable(taken.error().message);
    const std::string& status = taken->values[0].text;
    if (status == "SHORT")
      return {
          .outcome =
              Outcome::not_enough,  // less than none is free when more is held than was supplied
          .free = static_cast<Units>(std::max<int64_t>(0, taken->values[1].integer))};
    if (status != "OK") return unavailable("the ledger is not open: " + status);
  }
  Result<Restocked> restocked = registry_.restock(op_id, item, delta, epoch);
  // Perhaps it was done all the same; the same op_id tells.
  if (!restocked) return unavailable(restocked.error().message);
  const Supply& supply = restocked->supply;
  if (delta > 0) {
    Result<RedisValue> told = client_.call(
        Script::supply, {std::to_string(epoch), item, std::to_string(supply.supplied)});
    needs_supplies_ |= !told || told->values[0].text != "OK";
  }
  return {.outcome = restocked->is_applied ? Outcome::done : Outcome::repeated,
          .supplied = supply.supplied,
          .withdrawn = supply.withdrawn};
}

void Coordinator::do_jobs(uint64_t epoch) {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = std::exchange(jobs_, {});
  }
  if (jobs.empty()) return;
  std::vector<StockChange> changes;
  for (const Job& job : jobs) changes.push_back(job(epoch));
  {
    const std::lock_guard lock(mutex_);
    changes_.insert(changes_.end(), changes.begin(), changes.end());
  }
  wake_shard0_();
}

std::vector<StockChange> Coordinator::take_changes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changes_, {});
}

}  // namespace stampede::ledger
