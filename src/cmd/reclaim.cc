#include "cmd/reclaim.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "base/hex.h"
#include "base/words.h"
#include "cluster/retirement.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "node/reclaim.h"
#include "postgres/connection.h"

namespace stampede::cmd {
namespace {

using cluster::FrozenCount;

constexpr int64_t kSlackS = 60;  // clocks of servers and of the database

constexpr Fail fail("ledger");

void print_sold(const std::vector<FrozenCount>& counts) {
  std::map<std::string, Units> sold;
  for (const FrozenCount& count : counts) sold[count.item] += count.accepted - count.returned;
  for (const auto& [item, units] : sold)
    std::printf("%s: %s sold, the rest is back on sale\n", item.c_str(),
                counted(units, "unit stays", "units stay").c_str());
}

int end_retired(const ReclaimSettings& settings, const std::string& note,
                const std::vector<FrozenCount>& counts) {
  if (!note.empty()) std::printf("%s\n", note.c_str());
  print_sold(counts);
  std::printf("node %u is retired\n", settings.node);
  return kExitOk;
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

// Seconds until no order of the node can be paid any more, also none that only the lost log had.
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
    std::printf("order %s: unpaid, %s of %s back on sale\n",
                std::string(rows->text(row, 0)).c_str(),
                counted(static_cast<uint64_t>(rows->integer(row, 2)), "unit").c_str(),
                std::string(rows->text(row, 1)).c_str());
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
    std::printf("%s: held %s = paid %s + reserved %s + unknown %s\n", item.c_str(),
                grouped(units).c_str(), grouped(item_known.paid).c_str(),
                grouped(item_known.reserved).c_str(),
                grouped(units > sum ? units - sum : 0).c_str());
  }
}

}  // namespace

int reclaim_with_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                      cluster::Registry& registry) {
  node::Reclaimed reclaimed;
  const node::MayEnd end = node::reclaim(
      {.node = settings.node, .data_dir = settings.data_dir, .database = settings.database},
      node::system_machine(), redis, registry, reclaimed);
  for (const node::Reclaimed::Expired& expired : reclaimed.expired)
    std::printf("order %s: unpaid, %s of %s back on sale\n",
                std::string(Hex64Text(expired.order.value).view()).c_str(),
                counted(expired.quantity, "unit").c_str(), expired.item.c_str());
  if (end) return fail(*end);
  return end_retired(settings, reclaimed.note, reclaimed.counts);
}

int reclaim_without_data(const ReclaimSettings& settings, cluster::ScriptCaller& redis,
                         cluster::Registry& registry) {
  using cluster::Waiting;
  if (Status out = cluster::take_out(redis, registry, settings.node, Waiting::refuse); !out)
    return fail(out.error());
  Result<postgres::Connection> connection = postgres::Connection::open(settings.database.url);
  if (!connection) return fail(connection.error());
  Result<std::vector<FrozenCount>> frozen = registry.frozen();
  if (!frozen) return fail(frozen.error());
  std::vector<FrozenCount> counts;
  for (const FrozenCount& count : *frozen)
    if (count.node == settings.node) counts.push_back(count);
  Result<std::map<std::string, Known>> known = known_units(*connection, settings.node);
  if (!known) return fail(known.error());
  print_units(counts, *known);
  Result<int64_t> wait_s = seconds_to_wait(*connection, settings);
  if (!wait_s) return fail(wait_s.error());
  if (*wait_s > 0) {
    std::printf("until nobody can pay any more all of it counts as sold: run this again in %s\n",
                seconds_text(static_cast<double>(*wait_s)).c_str());
    return kExitTryLater;
  }
  // Retired twice: the first time refuses every later row of the node, so that the counts after it are final.
  if (Status fenced = registry.retire(settings.node, counts); !fenced) return fail(fenced.error());
  if (Status expired = expire_rows(*connection, settings.node); !expired)
    return fail(expired.error());
  known = known_units(*connection, settings.node);
  if (!known) return fail(known.error());
  const std::vector<FrozenCount> final = final_counts(counts, *known);
  const Result<std::string> note = cluster::retire(redis, registry, settings.node, final);
  if (!note) return fail(note.error());
  return end_retired(settings, *note, final);
}

}  // namespace stampede::cmd
