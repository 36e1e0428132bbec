#include "node/reclaim.h"

#include <memory>

#include "base/check.h"
#include "cluster/retirement.h"
#include "drain/drainer.h"
#include "node/appender.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "node/witness.h"
#include "orderlog/disk.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"

namespace stampede::node {
namespace {

using cluster::FrozenCount;

constexpr int64_t kReclaimPatienceNs = 10 * kSecond;
constexpr std::chrono::milliseconds kReclaimPause{10};

class OfflineNode {
 public:
  OfflineNode(const Reclaiming& what, Machine& machine)
      : what_(what), machine_(machine), data_(what.data_dir, Data::Use::offline, machine) {}

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
  struct Log {
    std::unique_ptr<orderlog::Disk> disk;
    std::unique_ptr<orderlog::Writer> writer;
    orderlog::Marks marks;
  };

  MayEnd open_logs();
  MayEnd open_log(const orderlog::DiskPlan& plan, uint32_t stream,
                  orderlog::StreamSegments& segments);
  MayEnd expire_and_return(uint32_t stream, std::vector<Reclaimed::Expired>& expired);
  MayEnd make_room(Appender& log);

  const Reclaiming& what_;
  Machine& machine_;
  Data data_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<std::unique_ptr<Log>> logs_;  // by stream
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

MayEnd OfflineNode::open_logs() {
  const Result<orderlog::DiskPlan> plan =
      machine_.plan_disk(what_.data_dir, orderlog::Durability::fsync);
  if (!plan) return ending(plan.error());
  if (const Status repaired = data_.repair(); !repaired) return ending(repaired.error());
  keeper_ = std::make_unique<orderlog::SegmentKeeper>(plan->open_flags, machine_.segment_maker(),
                                                      nullptr);
  std::vector<orderlog::StreamSegments*> segments;
  for (uint32_t i = 0; i < data_.stream_count(); ++i) {
    const RestoredStream& stream = data_.streams()[i];
    segments.push_back(
        &keeper_->add(data_.files(i), stream.report.end.segment, stream.snapshot_segment));
  }
  if (const Status opened = keeper_->open(); !opened) return ending(opened.error());
  for (uint32_t i = 0; i < data_.stream_count(); ++i)
    if (MayEnd end = open_log(*plan, i, *segments[i])) return end;
  return std::nullopt;
}

MayEnd OfflineNode::open_log(const orderlog::DiskPlan& plan, uint32_t stream,
                             orderlog::StreamSegments& segments) {
  Result<std::unique_ptr<orderlog::Disk>> disk = machine_.make_disk(plan);
  if (!disk) return ending(disk.error());
  Log& log = *logs_.emplace_back(std::make_unique<Log>());
  log.disk = std::move(*disk);
  const orderlog::RecoveryReport& report = data_.streams()[stream].report;
  log.writer = std::make_unique<orderlog::Writer>(data_.files(stream), report.end, data_.boot_id(),
                                                  *log.disk, segments, log.marks);
  if (report.outcome == orderlog::RecoveryOutcome::torn)
    log.writer->append(orderlog::Recovery{.truncated_batch = report.end.batch_seq,
                                          .truncated_offset = report.end.offset});
  return std::nullopt;
}

MayEnd OfflineNode::expire_and_return(std::vector<Reclaimed::Expired>& expired) {
  if (MayEnd end = open_logs()) return end;
  for (uint32_t i = 0; i < data_.stream_count(); ++i)
    if (MayEnd end = expire_and_return(i, expired)) return end;
  return std::nullopt;
}

// For a record, and for the segment that the log goes on in when the present one is full: nobody prepares it beside this thread.
MayEnd OfflineNode::make_room(Appender& log) {
  using Step = orderlog::SegmentKeeper::Step;
  Step step = keeper_->prepare_some();
  while (step == Step::done) step = keeper_->prepare_some();
  if (step == Step::failed) return ending(kExitFailure, keeper_->problem());
  CHECK(log.make_room(1));
  return std::nullopt;
}

MayEnd OfflineNode::expire_and_return(uint32_t stream, std::vector<Reclaimed::Expired>& expired) {
  stock::StreamState& state = *data_.streams()[stream].state;
  Appender log(state, *logs_[stream]->writer, *logs_[stream]->disk, machine_);
  const int64_t now_ms = machine_.clock().now().wall_ms();
  for (uint32_t index = 0; index < state.orders_touched(); ++index) {
    const stock::Order order = state.order(index);
    if (!order.is_live || order.state != OrderState::reserved) continue;
    if (MayEnd end = make_room(log)) return end;
    log.append(orderlog::Expire{.order = order.id, .at_ms = now_ms});
    expired.push_back({.order = order.id,
                       .quantity = order.quantity,
                       .item = std::string(data_.code_of(state.item_of(order)))});
  }
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const stock::ItemStock stock = state.stock(item);
    if (stock.pool() == 0) continue;
    if (MayEnd end = make_room(log)) return end;
    log.append(orderlog::GiveBack{.item = item, .returned = stock.returned + stock.pool()});
  }
  log.await_durable();
  return std::nullopt;
}

MayEnd OfflineNode::drain() {
  const std::unique_ptr<drain::Sink> sink = machine_.make_sink(what_.database);
  drain::ItemNames names;
  name_items(data_, names);
  std::vector<orderlog::Marks*> marks;
  std::vector<orderlog::Position> ends;
  for (const auto& log : logs_) {
    marks.push_back(&log->marks);
    ends.push_back(log->writer->position());
  }
  const DrainStreams streams(data_, marks, ends);
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
