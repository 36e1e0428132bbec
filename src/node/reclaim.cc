#include "node/reclaim.h"

#include <memory>

#include "base/check.h"
#include "cluster/retirement.h"
#include "drain/drainer.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "node/offline_logs.h"
#include "node/witness.h"
#include "orderlog/disk.h"

namespace stampede::node {
namespace {

using cluster::FrozenCount;

constexpr int64_t kReclaimPatienceNs = 10 * kSecond;
constexpr std::chrono::milliseconds kReclaimPause{10};

class OfflineNode {
 public:
  OfflineNode(const Reclaiming& what, Machine& machine)
      : what_(what),
        machine_(machine),
        data_(what.data_dir, Data::Use::offline, machine),
        logs_(data_, machine) {}

  // Locks the directory.
  MayEnd open();
  // Restores its streams and judges them. Writes nothing.
  MayEnd look();
  // Makes their logs ready for records, and appends what ends all that is open.
  MayEnd expire_and_return(std::vector<Reclaimed::Expired>& expired);
  MayEnd drain();
  std::vector<FrozenCount> counts() const;
  const orderlog::Manifest& manifest() const { return data_.manifest(); }

 private:
  MayEnd expire_and_return(uint32_t stream, std::vector<Reclaimed::Expired>& expired);

  const Reclaiming& what_;
  Machine& machine_;
  Data data_;
  OfflineLogs logs_;
};

MayEnd OfflineNode::open() {
  if (MayEnd end = data_.open()) return end;
  if (manifest().node != what_.node)
    return ending(kExitUsage, "--data " + what_.data_dir + " belongs to node " +
                                  std::to_string(manifest().node));
  return std::nullopt;
}

// As a start would: what is appended to an old copy would be numbered as orders that it no longer knows, and what is given back
// by it may have been sold since. The database must answer, for it is the witness and takes what is appended.
MayEnd OfflineNode::look() {
  const DatabaseWitness database(machine_, what_.database);
  Findings findings;
  if (MayEnd end = data_.restore({.witnesses = database.of_streams(data_)}, findings)) return end;
  database.compare(data_, findings);
  const Verdict verdict = judge(findings.evidence);
  if (verdict.course == Course::refuse) return findings.ending_of(verdict);
  if (findings.evidence.database == DatabaseState::away)
    return ending(kExitFailure, "the database does not answer: it must have what the node leaves");
  if (manifest().is_loss_pending)
    return ending(kExitLogDamaged,
                  "--data " + what_.data_dir +
                      " has lost orders, or is a copy: what it would give back may be sold; start "
                      "the node with it once, or take it out without --data");
  return std::nullopt;
}

MayEnd OfflineNode::expire_and_return(std::vector<Reclaimed::Expired>& expired) {
  const Result<orderlog::DiskPlan> plan =
      machine_.plan_disk(what_.data_dir, orderlog::Durability::fsync);
  if (!plan) return ending(plan.error());
  if (const Status repaired = data_.repair(); !repaired) return ending(repaired.error());
  if (MayEnd end = logs_.open(*plan)) return end;
  for (uint32_t i = 0; i < data_.stream_count(); ++i)
    if (MayEnd end = expire_and_return(i, expired)) return end;
  return logs_.await_durable();
}

MayEnd OfflineNode::expire_and_return(uint32_t stream, std::vector<Reclaimed::Expired>& expired) {
  const stock::StreamState& state = *data_.streams()[stream].state;
  const int64_t now_ms = machine_.clock().now().wall_ms();
  for (uint32_t index = 0; index < state.orders_touched(); ++index) {
    const stock::Order order = state.order(index);
    if (!order.is_live || order.state != OrderState::reserved) continue;
    if (MayEnd end = logs_.append(stream, {orderlog::Expire{.order = order.id, .at_ms = now_ms}}))
      return end;
    expired.push_back({.order = order.id,
                       .quantity = order.quantity,
                       .item = std::string(data_.code_of(state.item_of(order)))});
  }
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const stock::ItemStock stock = state.stock(item);
    if (stock.pool() == 0) continue;
    if (MayEnd end = logs_.append(
            stream, {orderlog::GiveBack{.item = item, .returned = stock.returned + stock.pool()}}))
      return end;
  }
  return std::nullopt;
}

MayEnd OfflineNode::drain() {
  const std::unique_ptr<drain::Sink> sink = machine_.make_sink(what_.database);
  drain::ItemNames names;
  name_items(data_, names);
  const DrainStreams streams(data_, logs_.marks(), logs_.ends());
  drain::Drainer drainer(*sink, names, machine_.clock(), streams.all(), manifest().ended);
  const drain::Drainer::Finding finding = drainer.reconcile();
  if (finding.agreement == drain::Drainer::Agreement::contradicts)
    return ending(kExitLogDamaged, finding.message);
  if (!drainer.drain_now(kReclaimPatienceNs, {}, [this] { machine_.pause(kReclaimPause); }))
    return ending(kExitFailure, "the database does not have everything yet: " + drainer.problem());
  return std::nullopt;
}

std::vector<FrozenCount> OfflineNode::counts() const {
  std::vector<FrozenCount> counts;
  for (uint32_t i = 0; i < data_.stream_count(); ++i) {
    const stock::StreamState& state = *data_.streams()[i].state;
    for (ItemId item = 0; item < state.stocks().size(); ++item)
      if (state.stock(item).accepted > 0)
        counts.push_back({.node = manifest().node,
                          .stream = stream_name(data_.key(i)),
                          .item = std::string(data_.code_of(item)),
                          .accepted = state.stock(item).accepted,
                          .returned = state.stock(item).returned});
  }
  return counts;
}

}  // namespace

MayEnd reclaim(const Reclaiming& what, Machine& machine, cluster::ScriptCaller& redis,
               cluster::Registry& registry, Reclaimed& reclaimed) {
  const Result<cluster::Member> member = cluster::member_of(registry, what.node);
  if (!member) return ending(member.error());
  // The directory is locked from here on: no process of the node runs or can be started.
  OfflineNode node(what, machine);
  if (MayEnd end = node.open()) return end;
  if (orderlog::text_of(node.manifest().log_uuid) != member->uuid)
    return ending(kExitUsage, "--data " + what.data_dir + " is not the directory of node " +
                                  std::to_string(what.node) + ", which has " + member->uuid);
  if (MayEnd end = node.look()) return end;
  if (member->state != cluster::MemberState::retired) {
    if (MayEnd end = node.expire_and_return(reclaimed.expired)) return end;
    if (MayEnd end = node.drain()) return end;
  }
  reclaimed.counts = node.counts();
  using cluster::Waiting;
  if (Status out = cluster::take_out(redis, registry, what.node, Waiting::refuse); !out) {
    // The ledger cannot be read, perhaps because it waits for this very node; the log knows what it accepted.
    if (Status frozen = registry.deactivate(what.node, cluster::kCountsOfLog, reclaimed.counts);
        !frozen)
      return ending(frozen.error());
  }
  Result<std::string> note = cluster::retire(redis, registry, what.node, reclaimed.counts);
  if (!note) return ending(note.error());
  reclaimed.note = *note;
  return std::nullopt;
}

}  // namespace stampede::node
