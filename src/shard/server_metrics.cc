#include "shard/server_metrics.h"

#include "http/response.h"
#include "shard/metrics_text.h"

// jemalloc's door to its statistics; builds with a sanitizer have another malloc, and then this is
// null.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, size_t* old_bytes,
                                     void* new_value, size_t new_bytes);

namespace stampede::shard {
namespace {

constexpr size_t kItemsByReasonMax = 100;

std::string shard_label(uint32_t shard) {
  return label("shard", std::to_string(shard));
}

// One family with a sample for each shard.
template <typename Read>
void per_shard(MetricsText& text, const Process& process, std::string_view type,
               std::string_view name, std::string_view help, Read read) {
  text.family(name, type, help);
  for (uint32_t shard = 0; shard < process.shard_count; ++shard)
    text.sample(shard_label(shard), read(shard));
}

struct ShardCounter {
  std::string_view type, name, help;
  Counter Metrics::*counter;
};

constexpr ShardCounter kShardCounters[] = {
    {"counter", "requests_total", "Requests on the public listener.", &Metrics::requests},
    {"counter", "forwarded_requests_total", "Requests passed on to their home shard.",
     &Metrics::requests_forwarded},
    {"gauge", "open_connections", "Connections that are open.", &Metrics::connections_open},
    {"counter", "accepted_connections_total", "Connections accepted.",
     &Metrics::connections_accepted},
    {"counter", "shed_connections_total", "Connections closed for lack of room.",
     &Metrics::connections_shed},
    {"counter", "evicted_connections_total", "Idle connections closed to make room for a newcomer.",
     &Metrics::connections_evicted},
    {"counter", "refused_connections_total",
     "Connections of an address that had as many as it may have.", &Metrics::connections_refused},
    {"counter", "unnamed_addresses_total",
     "Requests whose header named no address, so that the gateway's own was counted.",
     &Metrics::addresses_unnamed},
    {"counter", "timed_out_connections_total", "Connections closed at a deadline.",
     &Metrics::connections_timed_out},
    {"counter", "stalled_connections_total", "Times that a connection waited for its own answers.",
     &Metrics::connections_stalled},
    {"counter", "read_bytes_total", "Bytes read from connections.", &Metrics::bytes_read},
    {"counter", "written_bytes_total", "Bytes written to connections.", &Metrics::bytes_written},
    {"counter", "access_log_dropped_lines_total",
     "Lines of the access log that found no room on their way to the file.",
     &Metrics::access_lines_dropped},
    {"gauge", "live_orders", "Orders in memory.", &Metrics::orders_live},
    {"gauge", "max_orders", "Orders that memory has room for; at this many new ones are refused.",
     &Metrics::orders_max},
    {"gauge", "live_orders_bytes", "Bytes that a snapshot of these orders would have.",
     &Metrics::image_bytes},
    {"counter", "expired_orders_total", "Reservations that nobody paid for in time.",
     &Metrics::orders_expired},
    {"gauge", "known_users", "Users who hold or held an order in memory.", &Metrics::users_known},
    {"counter", "forgotten_user_counts_total",
     "Counts of --rate-user that were given up before their window was over.",
     &Metrics::user_counts_forgotten},
    {"counter", "forgotten_orders_total", "Orders whose time to be read is over.",
     &Metrics::orders_forgotten},
    {"gauge", "waiting_requests", "Requests that wait for units.", &Metrics::requests_waiting},
    {"counter", "waits_total", "Requests that had to wait for units.", &Metrics::waits},
    {"counter", "timed_out_waits_total", "Of them, those told to try again.",
     &Metrics::waits_timed_out},
    {"gauge", "held_answers", "Answers that wait until their record is durable.",
     &Metrics::answers_held},
    {"gauge", "watchers", "Long polls under way.", &Metrics::watchers},
    {"counter", "leases_total", "Grants of the ledger that were accepted.", &Metrics::leases},
    {"counter", "leased_units_total", "Units in these grants.", &Metrics::units_leased},
    {"counter", "returned_units_total", "Units given back to the ledger.",
     &Metrics::units_returned},
    {"counter", "turns_total", "Turns of the shard's loop.", &Metrics::turns},
    {"counter", "slept_polls_total", "Of them, those that had to sleep.", &Metrics::polls_slept},
    {"counter", "log_writes_total", "Group commits.", &Metrics::log_writes},
    {"counter", "log_bytes_total", "Bytes of the group commits.", &Metrics::log_bytes},
    {"gauge", "ready_segments", "Log segments prepared ahead; without one new orders are refused.",
     &Metrics::segments_ready},
};

struct ShardHistogram {
  std::string_view stage;
  Histogram Metrics::*histogram;
};

constexpr ShardHistogram kStages[] = {{"reserved", &Metrics::reserved_ns},
                                      {"durable", &Metrics::durable_ns},
                                      {"acked", &Metrics::acked_ns}};

// Figures that agree with each other come from one copy of the live histograms.
void merge_shards(Histogram& into, const Process& process, Histogram Metrics::*histogram) {
  into.clear();
  for (const auto& metrics : process.metrics) into.merge(*metrics.*histogram);
}

void add_answers(MetricsText& text, const Process& process) {
  text.family("answers_total", "counter", "Answers on the public listener, by code.");
  for (unsigned verdict = 0; verdict < kVerdictCount; ++verdict) {
    const http::VerdictInfo& info = http::info_of(static_cast<Verdict>(verdict));
    uint64_t sum = 0;
    for (const auto& metrics : process.metrics) sum += metrics->answers[verdict].get();
    text.sample(label("code", info.code) + "," + label("status", std::to_string(info.status())),
                sum);
  }
}

void add_limits(MetricsText& text, const Process& process) {
  text.family("rate_limited_total", "counter",
              "Answers rate_limited, by the limit that was reached.");
  for (unsigned limit = 1; limit < kLimitCount; ++limit) {
    uint64_t sum = 0;
    for (const auto& metrics : process.metrics) sum += metrics->limited[limit].get();
    text.sample(label("limit", name_of(static_cast<Limit>(limit))), sum);
  }
  text.gauge("known_addresses",
             "Cells used in the table of addresses that requests are counted by.",
             process.addresses.known());
  text.counter("forgotten_addresses_total",
               "Addresses that lost their count to one that asked more, within their window.",
               process.addresses.forgotten());
}

// The items with the most refusals, as many as a shard counts by reason (stock/refusals.h).
void add_refusals(MetricsText& text, const Process& process, const stock::Catalog& catalog) {
  text.family(
      "item_refusals_total", "counter",
      "Orders and links refused, by item and reason, of the hundred items that refuse most.");
  for (const stock::ItemRefusals& item : refusals_of(process))
    for (unsigned reason = 0; reason < stock::kRefusalReasons; ++reason) {
      if (item.by_reason[reason] == 0) continue;
      const RefusalReason words = words_of(reason);
      text.sample(label("item", catalog.code(item.item)) + "," + label("code", words.code) + "," +
                      label("limit", words.limit),
                  item.by_reason[reason]);
    }
}

struct ItemFamily {
  std::string_view type, name, help;
  Units (*read)(const stock::ItemFigures&);
};
using Figures = stock::ItemFigures;

constexpr ItemFamily kItemFamilies[] = {
    {"gauge", "item_free_units", "Units that anybody may still lease.",
     [](const Figures& item) { return item.free; }},
    {"gauge", "item_leased_units", "Units that shards of this node hold unsold.",
     [](const Figures& item) { return item.leased; }},
    {"gauge", "item_reserved_units", "Units of reservations that are not paid yet.",
     [](const Figures& item) { return item.reserved; }},
    {"gauge", "item_paid_units", "Units that are paid for.",
     [](const Figures& item) { return item.paid; }},
    {"gauge", "item_waiting_units", "Units that waiting requests ask for.",
     [](const Figures& item) { return item.waiting; }},
    {"counter", "item_sold_units_total", "Units taken by orders, paid for later or not.",
     [](const Figures& item) { return item.events.sold; }},
    {"counter", "item_cancelled_units_total",
     "Units that came back because their order was cancelled.",
     [](const Figures& item) { return item.events.cancelled; }},
    {"counter", "item_expired_units_total", "Units that came back because nobody paid in time.",
     [](const Figures& item) { return item.events.expired; }},
};

// Of the hundred items that have leased most units, or of those that the scrape names (scrapes.h).
void add_items(MetricsText& text, const ServerView& view) {
  std::vector<std::string> labels;
  for (const ItemId item : view.items_shown)
    labels.push_back(label("item", view.catalog->code(item)));
  for (const ItemFamily& family : kItemFamilies) {
    text.family(family.name, family.type, family.help);
    for (size_t i = 0; i < labels.size(); ++i) text.sample(labels[i], family.read(view.figures[i]));
  }
}

struct PaymentOutcome {
  std::string_view name;
  Counter Metrics::*counter;
  bool is_refund_due;  // the money must go back
};
constexpr PaymentOutcome kPaymentOutcomes[] = {
    {"paid", &Metrics::paid, false},
    {"late_paid", &Metrics::late_paid, false},
    {"refund_due", &Metrics::refund_due, true},
    {"payment_rejected", &Metrics::payments_rejected, true},
    {"failed", &Metrics::payments_failed, false},
};

void add_payments(MetricsText& text, const Process& process) {
  uint64_t refunds_due = 0;
  text.family(
      "payments_total", "counter",
      "Payments by outcome: paid, late_paid (behind the expiry, units were taken again), "
      "refund_due (no units, or the "
      "order is paid or cancelled), payment_rejected (wrong amount or currency), failed (the "
      "provider says so).");
  for (const PaymentOutcome& outcome : kPaymentOutcomes) {
    uint64_t sum = 0;
    for (const auto& metrics : process.metrics) sum += ((*metrics).*outcome.counter).get();
    text.sample(label("outcome", outcome.name), sum);
    if (outcome.is_refund_due) refunds_due += sum;
  }
  text.counter("refunds_due_total", "Payments whose money must go back.", refunds_due);
}

void add_watermarks(MetricsText& text, const Process& process) {
  per_shard(text, process, "gauge", "appended_records", "Records appended to the order log.",
            [&](uint32_t shard) { return process.marks[shard]->appended.get(); });
  per_shard(text, process, "gauge", "durable_records", "Records that survive a crash.",
            [&](uint32_t shard) { return process.marks[shard]->durable.get(); });
  per_shard(text, process, "gauge", "acked_records", "Records whose answers have left.",
            [&](uint32_t shard) { return process.marks[shard]->acked.get(); });
  per_shard(text, process, "gauge", "drained_records", "Records that are in the database.",
            [&](uint32_t shard) { return process.marks[shard]->drained.get(); });
}

void add_shards(MetricsText& text, const Process& process) {
  for (const ShardCounter& one : kShardCounters)
    per_shard(text, process, one.type, one.name, one.help,
              [&](uint32_t shard) { return ((*process.metrics[shard]).*one.counter).get(); });
  per_shard(text, process, "gauge", "new_orders_refused",
            "1 while the shard refuses new orders (drainer far behind, stopping).",
            [&](uint32_t shard) { return uint64_t{is_refusing(*process.metrics[shard])}; });
}

void add_latencies(MetricsText& text, const Process& process) {
  Histogram merged;
  text.family(
      "stage_seconds", "histogram",
      "Stages of accepted orders: received to reserved, reserved to durable, received to acked.");
  for (const ShardHistogram& stage : kStages) {
    merge_shards(merged, process, stage.histogram);
    text.seconds(label("stage", stage.stage), merged);
  }
  text.family("log_write_seconds", "histogram", "Group commits, from submission to completion.");
  merge_shards(merged, process, &Metrics::log_write_ns);
  text.seconds("", merged);
  text.family("batch_records", "histogram", "Records in one group commit.");
  merge_shards(merged, process, &Metrics::batch_records);
  text.counts("", merged);
}

void add_turns(MetricsText& text, const Process& process) {
  Histogram merged;
  for (const auto& turns : process.turns) merged.merge(turns->work_ns);
  text.family("turn_seconds", "histogram", "Work of one turn of a shard, without its sleep.");
  text.seconds("", merged);
  text.family("turn_phase_seconds_total", "counter",
              "Time of a shard's turns by phase; poll is sleep and the wait for events.");
  for (uint32_t shard = 0; shard < process.shard_count; ++shard)
    for (unsigned phase = 0; phase < kTurnPhases; ++phase) {
      const uint64_t ns = process.turns[shard]->phase_ns[phase].get();
      text.sample(shard_label(shard) + "," + label("phase", name_of(static_cast<TurnPhase>(phase))),
                  static_cast<double>(ns) / 1e9);
    }
}

void add_drainer(MetricsText& text, const Process& process, const ServerView& view) {
  per_shard(text, process, "gauge", "drainer_lag_records",
            "Durable records that are not in the database yet.",
            [&](uint32_t shard) { return lag_records_of(process, shard); });
  text.gauge("drainer_lag_seconds", "How long the database has been behind.",
             static_cast<double>(view.drainer_lag_ms) / 1e3);
  text.gauge("drainer_up", "1 while rows are being written, or there is no database.",
             uint64_t{view.drain.problem.empty()});
  text.counter("drained_rows_total", "Rows inserted or changed in the database.", view.drain.rows);
  if (view.drain.batch_ns != nullptr) {
    Histogram batches;
    batches.merge(*view.drain.batch_ns);
    text.family("drain_batch_seconds", "histogram",
                "Transactions of the drainer, with the reading of their records.");
    text.seconds("", batches);
  }
  text.counter("rejected_rows_total", "Rows that the database would not take.",
               view.drain.rejected);
  text.counter("drainer_completions_total",
               "Streams whose database had come back older than the order log keeps and was "
               "completed from a snapshot.",
               view.drain.completions);
  text.counter("drainer_retries_total", "Transactions that had to be tried again.",
               view.drain.retries);
}

void add_ledger(MetricsText& text, const LedgerStatus& ledger) {
  text.gauge("ledger_available", "1 while the ledger can grant units of every item.",
             uint64_t{ledger.is_available});
  if (!ledger.is_shared) return;
  text.gauge("ledger_epoch", "The epoch that is open; 0: none.", ledger.epoch);
  text.counter("ledger_epochs_begun_total", "Epochs that this node began.", ledger.epochs_begun);
  text.counter("ledger_epochs_joined_total", "Epochs that this node joined.", ledger.epochs_joined);
  text.counter("ledger_calls_total", "Exchanges sent to Redis.", ledger.calls);
  Histogram merged;
  for (const Histogram* const calls : ledger.call_ns) merged.merge(*calls);
  text.family("ledger_call_seconds", "histogram", "Exchanges with Redis, until their answer.");
  text.seconds("", merged);
  text.counter("ledger_lines_total", "Items in these exchanges.", ledger.lines);
  text.counter("ledger_repeats_total", "Exchanges sent again, as the answer was lost.",
               ledger.repeats);
  text.counter("ledger_connects_total", "Connections made to Redis.", ledger.connects);
  text.counter("ledger_disputes_total", "Answers of Redis that could not be true.",
               ledger.disputes);
  text.family("ledger_missing_member", "gauge", "1 for each node that the next epoch waits for.");
  for (const uint32_t node : ledger.missing)
    text.sample(label("node", std::to_string(node)), uint64_t{1});
}

bool read_jemalloc(const char* name, size_t& out) {
  size_t bytes = sizeof out;
  return mallctl(name, &out, &bytes, nullptr, 0) == 0;
}

void add_memory(MetricsText& text) {
  if (mallctl == nullptr) return;
  uint64_t epoch = 1;  // jemalloc refreshes its figures when this is written
  size_t bytes = sizeof epoch;
  mallctl("epoch", &epoch, &bytes, &epoch, sizeof epoch);
  size_t value = 0;
  if (read_jemalloc("stats.allocated", value))
    text.gauge("allocated_bytes", "Bytes allocated, as jemalloc counts.", uint64_t{value});
  if (read_jemalloc("stats.resident", value))
    text.gauge("resident_bytes", "Bytes of physical memory behind them.", uint64_t{value});
  if (read_jemalloc("stats.mapped", value))
    text.gauge("mapped_bytes", "Bytes of address space behind them.", uint64_t{value});
}

void add_process(MetricsText& text, const ServerView& view) {
  text.family("build_info", "gauge", "What runs here.");
  text.sample(label("version", view.version) + "," + label("ledger", view.ledger) + "," +
                  label("node", std::to_string(view.node)),
              uint64_t{1});
  text.gauge("ready", "1 while /readyz says so.", uint64_t{view.is_ready});
  text.gauge("items", "Items known.", view.items);
  text.gauge("start_time_seconds", "When the server started, since 1970.",
             static_cast<double>(view.started_wall_ms) / 1e3);
  // These three stand under process_* too; here as they always were.
  text.family("cpu_seconds_total", "counter", "Processor time of all threads.");
  text.sample("", cpu_seconds());
  if (const uint64_t open = open_fds(); open > 0)
    text.gauge("open_files", "Open file descriptors.", open);
}

}  // namespace

uint64_t lag_records_of(const Process& process, uint32_t shard) {
  if (!process.has_database.load(std::memory_order_relaxed)) return 0;
  const orderlog::Marks& marks = *process.marks[shard];
  // `drained` first: whatever happens in between, `durable` stands at or above it.
  const Lsn drained = marks.drained.get();
  const Lsn durable = marks.durable.get();
  return durable > drained ? durable - drained : 0;
}

std::vector<stock::ItemRefusals> refusals_of(const Process& process) {
  std::vector<stock::ItemRefusals> sums;
  for (const auto& metrics : process.metrics) metrics->refusals.add_to(sums);
  return stock::busiest(std::move(sums), kItemsByReasonMax);
}

RefusalReason words_of(unsigned reason) {
  if (reason < kVerdictCount) return {http::info_of(static_cast<Verdict>(reason)).code, ""};
  return {http::info_of(Verdict::rate_limited).code,
          name_of(static_cast<Limit>(reason - kVerdictCount))};
}

bool is_refusing(const Metrics& metrics) {
  const uint64_t verdict = metrics.new_orders_refused.get();
  return verdict != 0 && verdict != static_cast<uint64_t>(Verdict::ok);
}

std::string render_metrics(const Process& process, const ServerView& view) {
  MetricsText text;
  add_process(text, view);
  add_answers(text, process);
  add_limits(text, process);
  if (view.catalog != nullptr) add_refusals(text, process, *view.catalog);
  text.family("reloads_total", "counter", "Times that the files were read again.");
  text.sample(label("result", "ok"), process.reload.succeeded.load(std::memory_order_relaxed));
  text.sample(label("result", "failed"), process.reload.failed.load(std::memory_order_relaxed));
  text.gauge("last_reload_succeeded", "0 when the files were wrong the last time.",
             uint64_t{!process.reload.has_failed.load(std::memory_order_relaxed)});
  add_items(text, view);
  add_payments(text, process);
  text.gauge("order_rate_measured",
             "New reservations a second that the database takes; 0: there is none.",
             uint64_t{process.order_rates.measured()});
  add_watermarks(text, process);
  add_shards(text, process);
  add_latencies(text, process);
  add_turns(text, process);
  add_drainer(text, process, view);
  add_ledger(text, view.shared_ledger);
  add_memory(text);
  add_process_metrics(text, view.constants);
  return text.take();
}

}  // namespace stampede::shard
