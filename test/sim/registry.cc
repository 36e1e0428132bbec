#include "registry.h"

#include <algorithm>
#include <tuple>

#include "base/json_text.h"
#include "bounds.h"

namespace stampede::sim {
namespace {

using namespace cluster;

constexpr uint64_t kEpochMax = uint64_t{1} << 62;

// The column is a bigint, and refuses what does not fit.
bool is_bigint(uint64_t number) {
  return number <= static_cast<uint64_t>(INT64_MAX);
}

std::string text_of(uint32_t node) {
  return "node " + std::to_string(node);
}

std::string name_of(MemberState state) {
  constexpr const char* kNames[] = {"active", "inactive", "retired"};
  return kNames[static_cast<unsigned>(state)];
}

// The value of the field `product`; empty: there is none.
std::string product_of(const std::string& terms) {
  std::string product;
  JsonText json(terms, "terms");
  (void)json.for_each_field([&](std::string_view name, JsonText::Value value, const char*) {
    std::string_view text;
    if (name == "product" && read_text(value, text).empty()) product = text;
    return Status(Ok{});
  });
  return product;
}

const Error kAway{"PostgreSQL (simulated): the server is away"};
const Error kUnknown{
    "PostgreSQL (simulated): the connection was lost; whether the change was made is not known, "
    "repeat it"};

}  // namespace

// ---- Transactions

template <typename Value>
Result<Value> SimulatedRegistry::read(const std::function<Result<Value>()>& body) {
  if (is_away()) return kAway;
  return body();
}

template <typename Value>
Result<Value> SimulatedRegistry::write(const std::function<Result<Value>()>& body) {
  using Commit = RegistryDatabase::Commit;
  if (is_away()) return kAway;
  const RegistryRows before = rows_;
  Result<Value> value = body();
  const Commit commit = value && database_.commit ? database_.commit(node_) : Commit::done;
  if (!value || commit == Commit::unknown_and_not_done) rows_ = before;
  if (commit != Commit::done) return kUnknown;
  return value;
}

// ---- Members

Result<Member*> SimulatedRegistry::require_member(uint32_t node) {
  const auto found = rows_.members.find(node);
  if (found == rows_.members.end()) return Error{text_of(node) + " is no member of this cluster"};
  return &found->second;
}

Status SimulatedRegistry::enroll(uint32_t node, const std::string& uuid) {
  return write<Ok>([&] { return make_member(node, uuid); });
}

Status SimulatedRegistry::make_member(uint32_t node, const std::string& uuid) {
  const auto found = rows_.members.find(node);
  if (found == rows_.members.end()) {
    for (const auto& [number, member] : rows_.members)
      if (member.uuid == uuid) return Error{uuid + " is " + text_of(number) + " already"};
    rows_.members[node] = {.node = node, .uuid = uuid, .state = MemberState::inactive};
    return Ok{};
  }
  const Member& member = found->second;
  if (member.uuid != uuid)
    return Error{text_of(node) + " of this cluster is another data directory (" + member.uuid +
                 ", this one is " + uuid + "): start with a --node that no other has"};
  if (member.state == MemberState::retired)
    return Error{text_of(node) + " was retired, its data directory cannot come back"};
  return Ok{};
}

Result<std::vector<Member>> SimulatedRegistry::members() {
  return read<std::vector<Member>>([&] {
    std::vector<Member> all;
    for (const auto& [number, member] : rows_.members) all.push_back(member);
    return all;
  });
}

// ---- Epochs

void SimulatedRegistry::outdate_plans() {
  for (auto& [epoch, is_outdated] : rows_.epochs) is_outdated = true;
}

bool SimulatedRegistry::is_outdated(uint64_t epoch) const {
  const auto found = rows_.epochs.find(epoch);
  return found != rows_.epochs.end() && found->second;
}

Result<EpochPlan> SimulatedRegistry::begin_epoch(uint32_t node, uint64_t above) {
  return write<EpochPlan>([&]() -> Result<EpochPlan> {
    const Result<Member*> member = require_member(node);
    if (!member) return member.error();
    if ((*member)->state == MemberState::retired) return Error{text_of(node) + " was retired"};
    const uint64_t newest = rows_.epochs.empty() ? 0 : rows_.epochs.rbegin()->first;
    const uint64_t last = std::max(above, newest);
    if (last >= kEpochMax) return Error{"there is no epoch above " + std::to_string(last)};
    EpochPlan plan{.epoch = ((last >> 16) + 1) << 16 | node};
    rows_.epochs[plan.epoch] = false;
    (*member)->state = MemberState::active;
    if (Status status = replace_frozen(node, {}); !status) return status.error();
    for (const auto& [number, other] : rows_.members)
      if (other.state == MemberState::active) plan.members.push_back(number);
    plan.frozen = all_frozen();
    plan.supplies = supplies_of([](const Member& bringer) {
      return bringer.counted_from != Member::kNotYet || bringer.state == MemberState::active;
    });
    return plan;
  });
}

Result<std::string> SimulatedRegistry::refusal_of(uint32_t node, uint64_t epoch) {
  const Result<Member*> member = require_member(node);
  if (!member) return member.error();
  if ((*member)->state != MemberState::active)
    return text_of(node) + " is " + name_of((*member)->state) +
           ", not active: it must begin an epoch of its own";
  if (is_outdated(epoch) && (*member)->epoch != epoch)
    return "what epoch " + std::to_string(epoch) +
           " was to begin with has changed: another must begin";
  return std::string();
}

Result<bool> SimulatedRegistry::may_enter(uint32_t node, uint64_t epoch) {
  return read<bool>([&]() -> Result<bool> {
    const Result<std::string> refusal = refusal_of(node, epoch);
    if (!refusal) return refusal.error();
    return refusal->empty();
  });
}

Status SimulatedRegistry::enter_epoch(uint32_t node, uint64_t epoch) {
  return write<Ok>([&]() -> Status {
    const Result<std::string> refusal = refusal_of(node, epoch);
    if (!refusal) return refusal.error();
    if (!refusal->empty()) return Error{*refusal};
    if (!is_bigint(epoch)) return Error{"epoch: out of range"};
    Member& member = rows_.members.at(node);
    member.epoch = std::max(member.epoch, epoch);
    member.counted_from = std::min(member.counted_from, epoch);
    return Ok{};
  });
}

Status SimulatedRegistry::deactivate(uint32_t node, uint64_t epoch, Counts counts) {
  return write<Ok>([&] { return make_inactive(node, epoch, counts); });
}

Status SimulatedRegistry::presume(uint32_t node, uint64_t epoch, Counts counts) {
  return write<Ok>([&]() -> Status {
    if (is_outdated(epoch))
      return Error{"what epoch " + std::to_string(epoch) +
                   " began with has changed since: stampede ledger rebuild, then this again"};
    const Result<Member*> member = require_member(node);
    if (!member) return member.error();
    (*member)->counted_from = std::min((*member)->counted_from, epoch);
    return make_inactive(node, epoch, counts);
  });
}

Status SimulatedRegistry::make_inactive(uint32_t node, uint64_t epoch, Counts counts) {
  const Result<Member*> found = require_member(node);
  if (!found) return found.error();
  Member& member = **found;
  if (member.state != MemberState::active)
    return Error{text_of(node) + " is " + name_of(member.state) + ", not active"};
  if (member.epoch > epoch)
    return Error{text_of(node) + " has entered epoch " + std::to_string(member.epoch) +
                 ", its counters were read in " + std::to_string(epoch) + ": read them again"};
  if (member.counted_from > epoch && epoch != kCountsOfLog) return Error{not_counted(node)};
  const uint64_t newest = rows_.epochs.empty() ? 0 : rows_.epochs.rbegin()->first;
  member.counted_from = std::min(member.counted_from, newest + 1);
  member.state = MemberState::inactive;
  return replace_frozen(node, counts);
}

Status SimulatedRegistry::retire(uint32_t node, Counts counts) {
  return write<Ok>([&]() -> Status {
    const Result<Member*> member = require_member(node);
    if (!member) return member.error();
    if ((*member)->state == MemberState::active)
      return Error{text_of(node) + " is active: deactivate it first"};
    (*member)->state = MemberState::retired;
    outdate_plans();
    return replace_frozen(node, counts);
  });
}

Status SimulatedRegistry::replace_frozen(uint32_t node, Counts counts) {
  for (const FrozenCount& count : counts)
    if (count.node != node)
      return Error{"counters of " + text_of(count.node) + " given for " + text_of(node)};
  std::erase_if(rows_.frozen, [&](const auto& row) { return std::get<0>(row.first) == node; });
  for (const FrozenCount& count : counts) {
    if (!is_bigint(count.accepted) || count.returned > count.accepted)
      return Error{"frozen: counters that cannot be"};
    const bool is_new = rows_.frozen
                            .emplace(std::tuple(node, count.stream, count.item),
                                     std::pair(count.accepted, count.returned))
                            .second;
    if (!is_new) return Error{"frozen: a stream has two counters of one item"};
  }
  return Ok{};
}

Result<std::vector<FrozenCount>> SimulatedRegistry::frozen() {
  return read<std::vector<FrozenCount>>([&] { return all_frozen(); });
}

std::vector<FrozenCount> SimulatedRegistry::all_frozen() const {
  std::vector<FrozenCount> all;
  for (const auto& [key, counts] : rows_.frozen)
    all.push_back({.node = std::get<0>(key),
                   .stream = std::get<1>(key),
                   .item = std::get<2>(key),
                   .accepted = counts.first,
                   .returned = counts.second});
  return all;
}

// ---- Supply

Supply SimulatedRegistry::supply_of(const std::string& item) const {
  const RegistryRows::Item& row = rows_.items.at(item);
  return {.item = item, .supplied = row.supplied, .withdrawn = row.withdrawn};
}

std::vector<Supply> SimulatedRegistry::supplies_of(
    const std::function<bool(const Member& bringer)>& does) const {
  std::vector<Supply> all;
  for (const auto& [item, row] : rows_.items)
    if (!row.brought_by || does(rows_.members.at(*row.brought_by))) all.push_back(supply_of(item));
  return all;
}

bool SimulatedRegistry::may_tell(uint64_t epoch, const std::string& item) const {
  const std::optional<uint32_t> bringer = rows_.items.at(item).brought_by;
  return !bringer || rows_.members.at(*bringer).counted_from <= epoch;
}

Result<std::vector<Supply>> SimulatedRegistry::add_items(std::span<const Supply> items) {
  return write<std::vector<Supply>>([&] { return insert_items(items, std::nullopt); });
}

Result<std::vector<Supply>> SimulatedRegistry::bring_items(uint32_t node, const std::string& uuid,
                                                           std::span<const Supply> items) {
  return write<std::vector<Supply>>([&]() -> Result<std::vector<Supply>> {
    if (Status status = make_member(node, uuid); !status) return status.error();
    Member& member = rows_.members.at(node);
    if (member.epoch == 0 && member.counted_from == 0) {
      member.state = MemberState::active;
      member.counted_from = Member::kNotYet;
      outdate_plans();
      if (Status status = replace_frozen(node, {}); !status) return status.error();
    }
    return insert_items(items, node);
  });
}

Result<std::vector<Supply>> SimulatedRegistry::insert_items(std::span<const Supply> items,
                                                            std::optional<uint32_t> brought_by) {
  std::vector<Supply> standing;
  for (const Supply& item : items) {
    if (!is_bigint(item.supplied) || item.withdrawn > item.supplied)
      return Error{"supply: numbers that cannot be"};
    const bool is_new = rows_.items
                            .try_emplace(item.item, RegistryRows::Item{.supplied = item.supplied,
                                                                       .withdrawn = item.withdrawn,
                                                                       .terms = "",
                                                                       .brought_by = brought_by})
                            .second;
    if (is_new) outdate_plans();
    standing.push_back(supply_of(item.item));
  }
  return standing;
}

Result<std::vector<Supply>> SimulatedRegistry::supplies() {
  return read<std::vector<Supply>>([&] { return supplies_of([](const Member&) { return true; }); });
}

Result<std::vector<Supply>> SimulatedRegistry::supplies_in(uint64_t epoch) {
  return read<std::vector<Supply>>([&] {
    return supplies_of([&](const Member& bringer) { return bringer.counted_from <= epoch; });
  });
}

Result<SimulatedRegistry::Texts> SimulatedRegistry::terms(std::span<const std::string> items) {
  return read<Texts>([&] {
    Texts known;
    for (const std::string& item : items)
      if (const auto found = rows_.items.find(item); found != rows_.items.end())
        known.emplace(item, found->second.terms);
    return known;
  });
}

Result<cluster::Registry::SoldCodes> SimulatedRegistry::codes_of(
    std::span<const std::string> products) {
  return read<SoldCodes>([&] {
    SoldCodes codes;
    for (const auto& [item, row] : rows_.items) {
      if (row.terms.empty()) continue;
      const std::string product = product_of(row.terms);
      if (std::ranges::find(products, product) != products.end()) codes.emplace(product, item);
    }
    return codes;
  });
}

Result<size_t> SimulatedRegistry::change_terms(std::span<const TermsChange> changes) {
  return write<size_t>([&] {
    size_t made = 0;
    for (const TermsChange& change : changes) {
      const auto found = rows_.items.find(change.item);
      if (found == rows_.items.end() || found->second.terms != change.from) continue;
      found->second.terms = change.to;
      ++made;
    }
    return made;
  });
}

Result<std::optional<Restocked>> SimulatedRegistry::find_restock(const std::string& op_id) {
  return read<std::optional<Restocked>>([&] {
    const auto found = rows_.restocks.find(op_id);
    if (found == rows_.restocks.end()) return std::optional<Restocked>();
    return std::optional(Restocked{.is_applied = false,
                                   .delta = found->second.delta,
                                   .supply = supply_of(found->second.item)});
  });
}

Result<Restocked> SimulatedRegistry::restock(const std::string& op_id, const std::string& item,
                                             int64_t delta, uint64_t epoch) {
  return write<Restocked>([&]() -> Result<Restocked> {
    const auto row = rows_.items.find(item);
    if (row == rows_.items.end()) return Error{"there is no item " + item};
    if (const auto done = rows_.restocks.find(op_id); done != rows_.restocks.end()) {
      if (done->second.item == item && done->second.delta == delta)
        return Restocked{.is_applied = false,
                         .delta = delta,
                         .supply = supply_of(item),
                         .is_in_force = may_tell(epoch, item)};
      return Error{"op_id " + op_id + " was used before, for " + done->second.item + " and " +
                   std::to_string(done->second.delta) + " units"};
    }
    if (delta == 0 || delta < -static_cast<int64_t>(bounds::stock_max) ||
        delta > static_cast<int64_t>(bounds::stock_max))
      return Error{"a restock by " + std::to_string(delta) + " is none"};
    const bool is_over = std::ranges::any_of(
        rows_.members, [&](const auto& member) { return member.second.epoch > epoch; });
    if (delta < 0 && is_over)
      return Error{"the units were taken off sale in epoch " + std::to_string(epoch) +
                   ", which is over: repeat it"};
    RegistryRows::Item after = row->second;
    (delta > 0 ? after.supplied : after.withdrawn) += static_cast<Units>(std::abs(delta));
    if (after.supplied > bounds::shared_supply_max)
      return Error{item + ": more units than the ledger can count exactly"};
    if (after.withdrawn > after.supplied)
      return Error{item + ": only " + std::to_string(row->second.supplied - row->second.withdrawn) +
                   " units are left to withdraw"};
    rows_.restocks[op_id] = {.item = item, .delta = delta};
    row->second = after;
    outdate_plans();
    return Restocked{.is_applied = true,
                     .delta = delta,
                     .supply = supply_of(item),
                     .is_in_force = may_tell(epoch, item)};
  });
}

}  // namespace stampede::sim
