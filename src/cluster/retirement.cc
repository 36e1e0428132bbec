#include "cluster/retirement.h"

#include <algorithm>
#include <set>

namespace stampede::cluster {

Result<Member> member_of(Registry& registry, uint32_t node) {
  Result<std::vector<Member>> members = registry.members();
  if (!members) return members.error();
  for (const Member& member : *members)
    if (member.node == node) return member;
  return Error{"node " + std::to_string(node) + " has never taken part in this ledger"};
}

namespace {

// A node notes new units in the registry first, and may have ended before Redis had them. Not where no member is left: the node
// alone would still sell there.
void bring_supplies(ScriptCaller& redis, Registry& registry, uint64_t epoch) {
  const Result<std::vector<Supply>> supplies = registry.supplies_in(epoch);
  if (!supplies) return;
  const Result<bool> is_current = is_in_use(registry, epoch);
  if (is_current && *is_current) (void)supply(redis, epoch, *supplies);
}

// The node is inactive. What it had leased would count as unsold for the rest of the epoch, and the others would never be sold out:
// the same counters once more, with nothing in its pools. If Redis does not take that, its next epoch begins so.
void tidy_up(ScriptCaller& redis, Registry& registry, uint64_t epoch, uint32_t node,
             const std::vector<FrozenCount>& counts) {
  (void)write_final_counts(redis, epoch, node, counts);
  bring_supplies(redis, registry, epoch);
}

}  // namespace

Status take_out(ScriptCaller& redis, Registry& registry, uint32_t node, Waiting waiting) {
  Result<Member> member = member_of(registry, node);
  if (!member) return member.error();
  if (member->state != MemberState::active) return Ok{};
  Result<EpochView> view = look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state == EpochView::State::recovering && waiting == Waiting::presume_sold) {
    Result<std::vector<FrozenCount>> counts = presume(redis, view->epoch, node);
    if (!counts) return counts.error();
    return registry.presume(node, view->epoch, *counts);
  }
  if (view->state != EpochView::State::open)
    return Error{"the ledger is " + std::string(name_of(view->state)) + ", so what node " +
                 std::to_string(node) +
                 " holds cannot be read there: start the node, or reclaim it with --data DIR, its "
                 "data directory; if that is lost: stampede ledger deactivate --presume-sold"};
  if (member->counted_from > view->epoch) return Error{not_counted(node)};
  if (Status fenced = fence(redis, view->epoch, node); !fenced) return fenced;
  Result<std::vector<ItemCounters>> items = read_items(redis, view->epoch);
  if (!items) return items.error();
  const std::vector<FrozenCount> counts = counts_of(*items, node);
  if (Status done = registry.deactivate(node, view->epoch, counts); !done) return done;
  tidy_up(redis, registry, view->epoch, node, counts);
  return Ok{};
}

namespace {

// Grants of Redis that the final counters do not have never arrived: they count as nothing accepted and nothing returned.
void add_unknown_grants(const std::vector<ItemCounters>& items, uint32_t node,
                        std::vector<FrozenCount>& counts) {
  for (FrozenCount& granted : counts_of(items, node)) {
    const bool is_known = std::any_of(counts.begin(), counts.end(), [&](const FrozenCount& count) {
      return count.stream == granted.stream && count.item == granted.item;
    });
    if (is_known) continue;
    granted.accepted = granted.returned = 0;
    counts.push_back(granted);
  }
}

// What the node alone had sold before it was counted is in no epoch yet.
Result<std::string> note_of_withheld(Registry& registry, uint64_t epoch) {
  const Result<std::vector<Supply>> all = registry.supplies(), told = registry.supplies_in(epoch);
  if (!all) return all.error();
  if (!told) return told.error();
  if (all->size() == told->size()) return std::string();
  return std::string(
      "the open epoch does not know all items that nodes have sold alone before: stampede ledger "
      "rebuild puts them on sale");
}

}  // namespace

Result<std::string> retire(ScriptCaller& redis, Registry& registry, uint32_t node,
                           std::vector<FrozenCount> counts) {
  if (Status retired = registry.retire(node, counts); !retired) return retired.error();
  Result<EpochView> view = look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state != EpochView::State::open)
    return "the ledger is " + std::string(name_of(view->state)) +
           ": its next epoch begins with these counters";
  const Result<bool> is_current = is_in_use(registry, view->epoch);
  if (!is_current) return is_current.error();
  if (!*is_current)
    return std::string(
        "this Redis has an epoch that the nodes have left: their next begins with these counters");
  // An earlier attempt may have retired the node without getting this far.
  if (Status fenced = fence(redis, view->epoch, node); !fenced) return fenced.error();
  Result<std::vector<ItemCounters>> items = read_items(redis, view->epoch);
  if (!items) return items.error();
  add_unknown_grants(*items, node, counts);
  if (Status written = write_final_counts(redis, view->epoch, node, counts); !written)
    return written.error();
  bring_supplies(redis, registry, view->epoch);
  return note_of_withheld(registry, view->epoch);
}

Status check_all_run(const SignsOfLife& signs, uint64_t epoch, std::span<const Member> members) {
  std::set<uint32_t> silent(signs.silent.begin(), signs.silent.end()), uncounted;
  for (const Member& member : members) {
    if (member.state != MemberState::active || std::ranges::count(signs.running, member.node) != 0)
      continue;
    (member.counted_from > epoch ? uncounted : silent).insert(member.node);
  }
  const auto list = [](const std::set<uint32_t>& nodes) {
    return text_of(std::vector<uint32_t>(nodes.begin(), nodes.end()));
  };
  const std::string without = ", which the next epoch would wait for, so nothing was changed: ";
  if (!silent.empty())
    return Error{"no sign of life from node " + list(silent) + without +
                 "start it, or take it out with `stampede ledger deactivate` first"};
  if (!uncounted.empty())
    return Error{"node " + list(uncounted) + " has sold alone and has not joined yet" + without +
                 kCountIt};
  return Ok{};
}

}  // namespace stampede::cluster
