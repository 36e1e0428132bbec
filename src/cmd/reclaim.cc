// The order of the steps is what keeps units from being sold twice: first nobody hears the node any more (its Redis calls
// and its rows are refused), then its counters are final, then the database knows them, and only then Redis; whoever begins
// an epoch in between reads the same counters from the database.
#include "cmd/reclaim.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "cluster/inspection.h"
#include "cmd/flags.h"
#include "drain/database.h"
#include "drain/drainer.h"
#include "node/appender.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "orderlog/disk.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "postgres/connection.h"

namespace stampede::cmd {
namespace {

using cluster::EpochView;
using cluster::FrozenCount;

constexpr uint64_t kAnyEpoch = uint64_t{1} << 61;
constexpr int64_t kDrainPatienceNs = 10 * kSecond;
constexpr int64_t kSlackS = 60;  // clocks of servers and of the database

int fail(const std::string& message, int exit_code = kExitFailure) {
  return end_with("ledger", exit_code, message);
}

Result<cluster::Member> member_of(cluster::Registry& registry, uint32_t node) {
  Result<std::vector<cluster::Member>> members = registry.members();
  if (!members) return members.error();
  for (const cluster::Member& member : *members)
    if (member.node == node) return member;
  return Error{"node " + std::to_string(node) + " has never taken part in this ledger"};
}

// Final counters, to the database and then to Redis if an epoch is open there. What Redis granted and the counters do not
// know never arrived.
Status finish(cluster::ScriptCaller& redis, cluster::Registry& registry, uint32_t node,
              std::vector<FrozenCount> counts) {
  if (Status retired = registry.retire(node, counts); !retired) return retired;
  Result<EpochView> view = cluster::look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state != EpochView::State::open) {
    std::printf("the ledger is %s: its next epoch begins with these counters\n",
                std::string(cluster::name_of(view->state)).c_str());
    return Ok{};
  }
  const Result<bool> is_in_use = cluster::is_in_use(registry, view->epoch);
  if (!is_in_use) return is_in_use.error();
  if (!*is_in_use) {
    std::printf(
        "this Redis has an epoch that the nodes have left: their next begins with these "
        "counters\n");
    return Ok{};
  }
  // An earlier attempt may have retired the node without getting this far.
  if (Status fenced = cluster::fence(redis, view->epoch, node); !fenced) return fenced;
  Result<std::vector<cluster::ItemCounters>> items = cluster::read_items(redis, view->epoch);
  if (!items) return items.error();
  for (FrozenCount& granted : cluster::counts_of(*items, node)) {
    const bool is_known = std::any_of(counts.begin(), counts.end(), [&](const FrozenCount& count) {
      return count.stream == granted.stream && count.item == granted.item;
    });
    if (is_known) continue;
    granted.accepted = granted.returned = 0;
    counts.push_back(granted);
  }
  return cluster::write_final_counts(redis, view->epoch, node, counts);
}

// ---- with the data directory ----

class OfflineNode {
 public:
  explicit OfflineNode(const ReclaimSettings& settings)
      : settings_(settings), data_(settings.data_dir, node::Data::Use::offline) {}

  // Locks the directory, restores its streams and makes their logs ready for records. An exit code, as the next.
  int open();
  void expire_and_return();
  int drain();
  std::vector<FrozenCount> counts() const;
  const orderlog::Manifest& manifest() const { return data_.manifest(); }

 private:
  struct Log {
    std::unique_ptr<orderlog::Disk> disk;
    std::unique_ptr<orderlog::Writer> writer;
    orderlog::Marks marks;
  };

  int open_logs();
  void expire_and_return(uint32_t stream);

  const ReclaimSettings& settings_;
  SystemClock clock_;
  node::Data data_;
  orderlog::ZeroedSegmentMaker maker_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<std::unique_ptr<Log>> logs_;  // by stream
};

int OfflineNode::open() {
  if (const node::MayEnd end = data_.open()) return fail(end->message, end->exit_code);
  if (data_.manifest().node != settings_.node)
    return fail("--data " + settings_.data_dir + " belongs to node " +
                    std::to_string(data_.manifest().node),
                kExitUsage);
  if (const node::MayEnd end = data_.restore()) return fail(end->message, end->exit_code);
  return open_logs();
}

int OfflineNode::open_logs() {
  const Result<orderlog::DiskPlan> plan =
      orderlog::plan_disk(settings_.data_dir, orderlog::Durability::fsync);
  if (!plan) return fail(plan.error().message);
  if (const Status repaired = data_.repair(); !repaired) return fail(repaired.error().message);
  keeper_ = std::make_unique<orderlog::SegmentKeeper>(plan->open_flags, maker_, nullptr);
  std::vector<orderlog::StreamSegments*> segments;
  for (uint32_t i = 0; i < data_.stream_count(); ++i) {
    const node::RestoredStream& stream = data_.streams()[i];
    segments.push_back(
        &keeper_->add(data_.files(i), stream.report.end.segment, stream.snapshot_segment));
  }
  if (const Status started = keeper_->start(); !started) return fail(started.error().message);
  for (uint32_t i = 0; i < data_.stream_count(); ++i) {
    Result<std::unique_ptr<orderlog::Disk>> disk = orderlog::make_disk(*plan);
    if (!disk) return fail(disk.error().message);
    Log& log = *logs_.emplace_back(std::make_unique<Log>());
    log.disk = std::move(*disk);
    const orderlog::RecoveryReport& report = data_.streams()[i].report;
    log.writer = std::make_unique<orderlog::Writer>(data_.files(i), report.end, data_.boot_id(),
                                                    *log.disk, *segments[i], log.marks);
    if (report.outcome == orderlog::RecoveryOutcome::torn)
      log.writer->append(orderlog::Recovery{.truncated_batch = report.end.batch_seq,
                                            .truncated_offset = report.end.offset});
  }
  return kExitOk;
}

void OfflineNode::expire_and_return() {
  for (uint32_t i = 0; i < data_.stream_count(); ++i) expire_and_return(i);
}

void OfflineNode::expire_and_return(uint32_t stream) {
  stock::StreamState& state = *data_.streams()[stream].state;
  node::Appender log(state, *logs_[stream]->writer, *logs_[stream]->disk, node::system_machine());
  const int64_t now_ms = clock_.now().wall_ms();
  for (uint32_t index = 0; index < state.orders_touched(); ++index) {
    const stock::Order order = state.order(index);
    if (!order.is_live || order.state != OrderState::reserved) continue;
    CHECK(log.make_room(1));
    log.append(orderlog::Expire{.order = order.id, .at_ms = now_ms});
    std::printf("order %016" PRIx64 ": unpaid, %u of %s come back\n", order.id.value,
                order.quantity, std::string(data_.code_of(state.item_of(order))).c_str());
  }
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const stock::ItemStock stock = state.stock(item);
    if (stock.pool() == 0) continue;
    CHECK(log.make_room(1));
    log.append(orderlog::GiveBack{.item = item, .returned = stock.returned + stock.pool()});
  }
  log.await_durable();
}

int OfflineNode::drain() {
  const Result<drain::DatabaseUrl> url = drain::parse_database_url(settings_.database_url);
  if (!url) return fail(url.error().message, kExitUsage);
  const std::unique_ptr<drain::Sink> sink = drain::make_sink(*url);
  drain::ItemNames names;
  node::name_items(data_, names);
  std::vector<orderlog::Marks*> marks;
  for (const auto& log : logs_) marks.push_back(&log->marks);
  const node::DrainStreams streams(data_, marks);
  drain::Drainer drainer(*sink, names, clock_, streams.all());
  const drain::Drainer::Finding finding = drainer.reconcile();
  if (finding.agreement == drain::Drainer::Agreement::contradicts)
    return fail(finding.message, kExitLogDamaged);
  if (!drainer.drain_now(kDrainPatienceNs))
    return fail("the database does not have everything yet: " + drainer.problem());
  return kExitOk;
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

void print_sold(const std::vector<FrozenCount>& counts) {
  std::map<std::string, Units> sold;
  for (const FrozenCount& count : counts) sold[count.item] += count.accepted - count.returned;
  for (const auto& [item, units] : sold)
    std::printf("%s: %" PRIu64 " stay sold, the rest is back on sale\n", item.c_str(), units);
}

// ---- without it ----

// Texts of the first and the last order id that the node can have given.
std::pair<std::string, std::string> order_range(uint32_t node) {
  const uint64_t first = OrderId::make(node, 0, 0).value;
  const uint64_t last = first | (OrderId::make(1, 0, 0).value - 1);
  return {std::string(Hex64Text(first).view()), std::string(Hex64Text(last).view())};
}

struct Known {
  Units paid = 0, reserved = 0;
};

Result<std::map<std::string, Known>> known_units(postgres::Connection& connection, uint32_t node) {
  const auto [first, last] = order_range(node);
  postgres::Parameters range;
  range.add(std::string_view(first)).add(std::string_view(last));
  Result<postgres::Rows> rows = connection.execute(
      "SELECT item, state, sum(qty)::bigint FROM orders WHERE order_id BETWEEN $1 AND $2 GROUP BY "
      "item, state",
      range);
  if (!rows) return rows.error();
  std::map<std::string, Known> known;
  for (size_t row = 0; row < rows->size(); ++row) {
    Known& item = known[std::string(rows->text(row, 0))];
    const auto units = static_cast<Units>(rows->integer(row, 2));
    if (rows->text(row, 1) == name_of(OrderState::paid)) item.paid = units;
    if (rows->text(row, 1) == name_of(OrderState::reserved)) item.reserved = units;
  }
  return known;
}

// Seconds until nobody can pay an order of the node any more, that nobody knows.
Result<int64_t> seconds_to_wait(postgres::Connection& connection, const ReclaimSettings& settings) {
  const auto [first, last] = order_range(settings.node);
  postgres::Parameters parameters;
  parameters.add(int64_t{settings.node})
      .add(std::string_view(first))
      .add(std::string_view(last))
      .add(settings.pay_window_s);
  Result<postgres::Rows> rows = connection.execute(
      "SELECT w.window_s, ceil(extract(epoch FROM m.updated_at - now()) + w.window_s)::bigint,"
      " coalesce(ceil(extract(epoch FROM o.last - now())), 0)::bigint FROM members m,"
      " (SELECT coalesce(max(extract(epoch FROM pay_before - created_at)), 0)::bigint AS longest,"
      "  max(pay_before) FILTER (WHERE state = 'reserved' AND order_id BETWEEN $2 AND $3) AS last "
      "FROM orders) o,"
      " LATERAL (SELECT greatest($4, o.longest) AS window_s) w WHERE m.node = $1",
      parameters);
  if (!rows) return rows.error();
  if (rows->size() != 1) return Error{"the node is no member"};
  if (rows->integer(0, 0) == 0)
    return Error{"no order tells how long a buyer may take to pay: give --pay-window SECONDS"};
  return std::max(rows->integer(0, 1), rows->integer(0, 2)) + kSlackS;
}

Status expire_rows(postgres::Connection& connection, uint32_t node) {
  const auto [first, last] = order_range(node);
  postgres::Parameters range;
  range.add(std::string_view(first)).add(std::string_view(last));
  Result<postgres::Rows> rows = connection.execute(
      "UPDATE orders SET state = 'expired', updated_at = now() WHERE state = 'reserved' AND "
      "order_id BETWEEN $1 AND $2 "
      "RETURNING order_id, item, qty::bigint",
      range);
  if (!rows) return rows.error();
  for (size_t row = 0; row < rows->size(); ++row)
    std::printf("order %s: unpaid, %ld of %s come back\n", std::string(rows->text(row, 0)).c_str(),
                static_cast<long>(rows->integer(row, 2)), std::string(rows->text(row, 1)).c_str());
  return Ok{};
}

// Of each item as many units stay held as are paid; the rest of every stream is returned.
std::vector<FrozenCount> final_counts(std::vector<FrozenCount> counts,
                                      std::map<std::string, Known> known) {
  for (FrozenCount& count : counts) {
    Units& paid = known[count.item].paid;
    const Units kept = std::min(paid, count.accepted - count.returned);
    paid -= kept;
    count.returned = count.accepted - kept;
  }
  return counts;
}

void print_units(const std::vector<FrozenCount>& counts, std::map<std::string, Known>& known) {
  std::map<std::string, Units> held;
  for (const FrozenCount& count : counts) held[count.item] += count.accepted - count.returned;
  for (const auto& [item, units] : held) {
    const Known& item_known = known[item];
    const Units sum = item_known.paid + item_known.reserved;
    std::printf(
        "%s: held %" PRIu64 " = paid %" PRIu64 " + reserved %" PRIu64 " + unknown %" PRIu64 "\n",
        item.c_str(), units, item_known.paid, item_known.reserved, units > sum ? units - sum : 0);
  }
}

}  // namespace

Status take_out(cluster::ScriptCaller& redis, cluster::Registry& registry, uint32_t node,
                Waiting waiting) {
  Result<cluster::Member> member = member_of(registry, node);
  if (!member) return member.error();
  if (member->state != cluster::MemberState::active) return Ok{};
  Result<EpochView> view = cluster::look_at_epoch(redis);
  if (!view) return view.error();
  if (view->state == EpochView::State::recovering && waiting == Waiting::presume_sold) {
    Result<std::vector<FrozenCount>> counts = cluster::presume(redis, view->epoch, node);
    if (!counts) return counts.error();
    return registry.presume(node, view->epoch, *counts);
  }
  if (view->state != EpochView::State::open)
    return Error{"the ledger is " + std::string(cluster::name_of(view->state)) + ", so what node " +
                 std::to_string(node) +
                 " holds cannot be read there: start the node, or reclaim it with --data DIR, its "
                 "data directory; if that is lost: stampede ledger deactivate --presume-sold"};
  if (Status fenced = cluster::fence(redis, view->epoch, node); !fenced) return fenced;
  Result<std::vector<cluster::ItemCounters>> items = cluster::read_items(redis, view->epoch);
  if (!items) return items.error();
  return registry.deactivate(node, view->epoch, cluster::counts_of(*items, node));
}

int reclaim_with_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                      cluster::Registry& registry) {
  Result<cluster::Member> member = member_of(registry, settings.node);
  if (!member) return fail(member.error().message);
  // The directory is locked from here on: no process of the node runs or can be started.
  OfflineNode node(settings);
  if (const int exit_code = node.open(); exit_code != kExitOk) return exit_code;
  if (orderlog::text_of(node.manifest().log_uuid) != member->uuid)
    return fail("--data " + settings.data_dir + " is not the directory of node " +
                    std::to_string(settings.node) + ", which has " + member->uuid,
                kExitUsage);
  const bool is_repeat = member->state == cluster::MemberState::retired;
  if (!is_repeat) {
    node.expire_and_return();
    if (const int exit_code = node.drain(); exit_code != kExitOk) return exit_code;
  }
  const std::vector<FrozenCount> counts = node.counts();
  if (Status out = take_out(redis, registry, settings.node, Waiting::refuse); !out) {
    // The ledger cannot be read, perhaps because it waits for this very node; the log knows what it accepted.
    if (Status frozen = registry.deactivate(settings.node, kAnyEpoch, counts); !frozen)
      return fail(frozen.error().message);
  }
  if (Status done = finish(redis, registry, settings.node, counts); !done)
    return fail(done.error().message);
  print_sold(counts);
  std::printf("node %u is retired\n", settings.node);
  return kExitOk;
}

int reclaim_without_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                         cluster::Registry& registry) {
  if (Status out = take_out(redis, registry, settings.node, Waiting::refuse); !out)
    return fail(out.error().message);
  Result<postgres::Connection> connection = postgres::Connection::open(settings.database_url);
  if (!connection) return fail(connection.error().message);
  Result<std::vector<FrozenCount>> frozen = registry.frozen();
  if (!frozen) return fail(frozen.error().message);
  std::vector<FrozenCount> counts;
  for (const FrozenCount& count : *frozen)
    if (count.node == settings.node) counts.push_back(count);
  Result<std::map<std::string, Known>> known = known_units(*connection, settings.node);
  if (!known) return fail(known.error().message);
  print_units(counts, *known);
  Result<int64_t> wait_s = seconds_to_wait(*connection, settings);
  if (!wait_s) return fail(wait_s.error().message);
  if (*wait_s > 0) {
    std::printf("until nobody can pay any more all of it counts as sold: run this again in %" PRId64
                " s\n",
                *wait_s);
    return kExitTryLater;
  }
  // Retired twice: the first time refuses every later row of the node, so that what is counted then is final.
  if (Status fenced = registry.retire(settings.node, counts); !fenced)
    return fail(fenced.error().message);
  if (Status expired = expire_rows(*connection, settings.node); !expired)
    return fail(expired.error().message);
  known = known_units(*connection, settings.node);
  if (!known) return fail(known.error().message);
  const std::vector<FrozenCount> final = final_counts(counts, *known);
  if (Status done = finish(redis, registry, settings.node, final); !done)
    return fail(done.error().message);
  print_sold(final);
  std::printf("node %u is retired\n", settings.node);
  return kExitOk;
}

}  // namespace stampede::cmd
