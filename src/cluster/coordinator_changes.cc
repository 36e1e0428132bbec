// The coordinator's work for operators: new items, restocks, terms; and how the supply of items reaches Redis.
#include "cluster/coordinator.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "base/check.h"
#include "cluster/inspection.h"

namespace stampede::cluster {
namespace {

using Outcome = ledger::StockChange::Outcome;

constexpr uint32_t kJobsMax = 1024;
static_assert(
    kJobsMax >= 2 * bounds::changes_under_way_max,
    "all changes that operators may have under way, and a note of each that was recorded");

// How often what others have noted in the registry is looked for; and when the registry did not answer, which takes its time.
constexpr int64_t kCompareNs = 5 * kSecond, kCompareAgainNs = 30 * kSecond;

// What of `wanted` was not sent as it is now. Both in the registry's order: where that is not the order of bytes, more may be sent
// again, and never less. An epoch begins with all that is in the registry, so what was sent in
// an earlier one is there too.
std::vector<Supply> news_of(const std::vector<Supply>& wanted, const std::vector<Supply>& sent) {
  std::vector<Supply> news;
  std::set_difference(wanted.begin(), wanted.end(), sent.begin(), sent.end(),
                      std::back_inserter(news), [](const Supply& a, const Supply& b) {
                        return std::tie(a.item, a.supplied) < std::tie(b.item, b.supplied);
                      });
  return news;
}

ledger::StockChange unavailable(const std::string& why) {
  return {.outcome = Outcome::unavailable, .message = why};
}

// `delta` and `item`: of the change that was made, or begun, under the op_id.
ledger::StockChange reused(const std::string& op_id, int64_t delta, const std::string& item) {
  return {.outcome = Outcome::reused,
          .message = "op_id " + op_id + " was used for another change: restock " +
                     std::to_string(delta) + " of " + item};
}

}  // namespace

void Coordinator::offer_terms(std::vector<TermsOffer> offers) {
  open_offers_.add(std::move(offers));
  wake();
}

void Coordinator::add(std::string item, std::string product, Units stock, uint32_t ticket) {
  add_job([this, item = std::move(item), product = std::move(product), stock, ticket] {
    ledger::StockChange change = add_item(item, product, stock);
    change.ticket = ticket;
    return change;
  });
}

void Coordinator::restock(std::string item, std::string op_id, int64_t delta, uint32_t ticket) {
  add_job([this, item = std::move(item), op_id = std::move(op_id), delta, ticket] {
    ledger::StockChange change = restock_item(item, op_id, delta);
    change.ticket = ticket;
    return change;
  });
}

void Coordinator::note_recorded(std::string item, Units supplied) {
  add_job([this, item = std::move(item), supplied]() -> std::optional<ledger::StockChange> {
    if (!registry_.note_recorded(item, supplied)) return std::nullopt;
    group_with(item).needs_supplies = true;
    send_supplies();
    return std::nullopt;
  });
}

void Coordinator::add_job(Job job) {
  const std::lock_guard lock(mutex_);
  CHECK(jobs_.size() < kJobsMax);
  jobs_.push_back(std::move(job));
  is_woken_ = true;
  wake_.notify_one();
}

ledger::StockChange Coordinator::add_item(const std::string& item, const std::string& product,
                                          Units stock) {
  if (!product.empty()) {
    const auto codes = registry_.codes_of({&product, 1});
    if (!codes) return unavailable(codes.error().message);
    if (const auto code = codes->find(product); code != codes->end() && code->second != item)
      return {.outcome = Outcome::reused,
              .message = "product: it is sold already, as " + code->second};
  }
  const Supply wanted{.item = item, .supplied = stock};
  Result<std::vector<Supply>> standing = registry_.add_items({&wanted, 1});
  if (!standing) return unavailable(standing.error().message);
  CHECK(standing->size() == 1);
  // Its buyers come once the operator has the answer, so Redis should know it before.
  group_with(item).needs_supplies = true;
  send_supplies();
  return {.outcome = Outcome::done,
          .supplied = standing->front().supplied,
          .withdrawn = standing->front().withdrawn};
}

// More units: the database first, because an epoch that begins in between must have them; without one, the log first
// (note_recorded()). Fewer: Redis first, which alone knows whether they are free; a crash in between leaves them on sale when the
// next epoch begins.
ledger::StockChange Coordinator::restock_item(const std::string& item, const std::string& op_id,
                                              int64_t delta) {
  Group& group = group_with(item);
  const Result<std::optional<Restocked>> known = registry_.find_restock(op_id);
  if (!known) return unavailable(known.error().message);
  if (known->has_value() && ((*known)->supply.item != item || (*known)->delta != delta))
    return reused(op_id, (*known)->delta, (*known)->supply.item);
  if (!known->has_value() && delta < 0)
    if (const auto refusal = withdraw(group, item, op_id, 0 - static_cast<Units>(delta)))
      return *refusal;
  const Result<Restocked> restocked = registry_.restock(op_id, item, delta, group.open);
  // Perhaps it was done all the same; the same op_id finds out.
  if (!restocked) return unavailable(restocked.error().message);
  CHECK(restocked->supply.withdrawn <= restocked->supply.supplied);
  if (delta > 0 && restocked->is_in_force) raise_supply(group, restocked->supply);
  return {.outcome = restocked->is_applied ? Outcome::done : Outcome::repeated,
          .supplied = restocked->supply.supplied,
          .withdrawn = restocked->supply.withdrawn};
}

// Takes the units off sale in Redis. The answer to the operator when that was not done.
std::optional<ledger::StockChange> Coordinator::withdraw(const Group& group,
                                                         const std::string& item,
                                                         const std::string& op_id, Units units) {
  const Result<RedisValue> taken = call(
      group, Script::withdraw, {std::to_string(group.open), op_id, item, std::to_string(units)});
  if (!taken) return unavailable(taken.error().message);
  const std::string& status = taken->values[0].text;
  if (status == "OK") return std::nullopt;
  const bool has_number = taken->values.size() >= 2;
  // The registry did not get an earlier attempt, which has taken units off sale all the same.
  if (status == "REUSED" && has_number) return reused(op_id, -taken->values[1].integer, item);
  if (status != "SHORT" || !has_number) return unavailable("the ledger is not open: " + status);
  // Below 0 when more is held than was supplied: then none is free.
  return ledger::StockChange{
      .outcome = Outcome::not_enough,
      .free = static_cast<Units>(std::max<int64_t>(0, taken->values[1].integer))};
}

void Coordinator::raise_supply(Group& group, const Supply& supply) {
  if (!may_supply()) {
    group.needs_supplies = true;
    return;
  }
  const Result<RedisValue> sent =
      call(group, Script::supply,
           {std::to_string(group.open), supply.item, std::to_string(supply.supplied)});
  group.needs_supplies |= !sent || sent->values[0].text != "OK";
}

void Coordinator::do_jobs() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = std::exchange(jobs_, {});
  }
  if (jobs.empty()) return;
  std::vector<ledger::StockChange> changes;
  for (const Job& job : jobs)
    if (std::optional<ledger::StockChange> change = job()) changes.push_back(std::move(*change));
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

// An item or units that became known while the epoch is open: this node sends them until they have arrived; and on a slow beat
// those of the others, because the node that noted them in the registry may have ended before Redis had them.
void Coordinator::send_supplies() {
  const int64_t now_ns = clock_.now().boot_ns;
  const bool is_beat = !settings_.is_solo && now_ns >= compare_supplies_ns_;
  const auto can_take = [&](const Group& group) {
    return (is_beat || group.needs_supplies) && group.open != 0 && group.check.is_in(group.open);
  };
  if (std::none_of(groups_.begin(), groups_.end(), can_take)) return;
  // Every group that is open is so in this epoch.
  const Result<std::vector<Supply>> supplies = registry_.supplies_in(promised_);
  if (is_beat) compare_supplies_ns_ = now_ns + (supplies ? kCompareNs : kCompareAgainNs);
  if (!supplies) return;
  std::vector<std::vector<Supply>> of_groups(groups_.size());
  for (const Supply& supply : *supplies)
    of_groups[group_of(supply.item, client_->group_count())].push_back(supply);
  std::optional<bool> may;
  for (uint32_t number = 0; number < groups_.size(); ++number) {
    Group& group = groups_[number];
    if (!can_take(group)) continue;
    const std::vector<Supply> lacking =
        group.needs_supplies ? of_groups[number] : news_of(of_groups[number], group.sent);
    if (lacking.empty()) continue;
    if (!may) may = may_supply();  // only now, for it is of the supplies that were read
    if (!*may) return;
    group.needs_supplies = !supply(*client_, group.open, lacking);
    if (!group.needs_supplies) group.sent = std::move(of_groups[number]);
  }
}

// A node that was taken out may have been presumed to hold no more than it did then, and perhaps it alone still uses this Redis:
// it must not bring new units there.
bool Coordinator::may_supply() {
  const Result<bool> may = registry_.may_enter(settings_.node, joined_);
  return may && *may;
}

// Removes keys of earlier epochs, some at each step. Not while a cluster moves the slot: keys that are still on their way would
// be taken for removed.
void Coordinator::purge(Group& group) {
  const auto number = static_cast<uint32_t>(&group - groups_.data());
  if (group.purged == group.open || client_->server(number).is_asking) return;
  Result<RedisValue> answer = call(group, Script::purge, {std::to_string(group.open), "500"});
  if (answer && answer->values.size() == 2 && answer->values[1].integer == 0)
    group.purged = group.open;
}

}  // namespace stampede::cluster
