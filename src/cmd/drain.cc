// `stampede drain`: the drainer of a server, without the server. It writes everything that
// the order log of a data directory holds into the database.
//
// The log is only read: a batch that a crash left half written stays where it is, for the next
// start to judge. It may be stopped and started again at any moment, as every transaction is whole.
#include <cstdio>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "base/progress.h"
#include "base/words.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "drain/database.h"
#include "drain/drainer.h"
#include "drain/report_indexes.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "node/rejected_rows.h"

namespace stampede::cmd {
namespace {

using drain::Drainer;

constexpr int64_t kPatienceNs = 10 * kSecond;  // without a row written

constexpr Fail fail("drain");

int print_summary(const drain::DrainStats& stats, int64_t elapsed_ns) {
  std::printf("%s, %s, %s rejected, in %s\n", counted(stats.records.load(), "record").c_str(),
              counted(stats.rows.load(), "row").c_str(), grouped(stats.rejected.load()).c_str(),
              duration_text(static_cast<uint64_t>(elapsed_ns)).c_str());
  if (stats.rejected.load() == 0) return kExitOk;
  return fail("the database refused rows; they are in its table rejected, with the reasons");
}

// 0 when no line is left in `rejected`.
int put_in_rejected(const node::Data& data, const drain::ItemNames& names,
                    const drain::DatabaseUrl& url, drain::Sink& sink, int64_t now_ms) {
  const Result<node::SettledRejects> settled = node::settle_rejects(data, names, url, sink, now_ms);
  if (!settled) return fail(settled.error());
  std::printf("rejected: %s put in, %s refused again, %s of forgotten orders\n",
              counted(settled->orders, "order").c_str(), counted(settled->refused, "row").c_str(),
              counted(settled->forgotten, "line").c_str());
  if (settled->refused == 0 && settled->forgotten == 0) return kExitOk;
  return fail("the table rejected still has lines, with the reasons");
}

int drain_directory(const std::string& dir, const drain::DatabaseUrl& url, drain::Sink& sink,
                    bool has_rejected) {
  SystemClock clock;
  const Moment begin = clock.now();
  node::Data data(dir, node::Data::Use::offline);
  const ProgressLines lines(data.progress());
  if (const node::MayEnd end = data.open()) return fail(*end);
  if (const node::MayEnd end = data.restore()) return fail(*end);
  for (const node::RestoredStream& stream : data.streams())
    if (stream.report.outcome == orderlog::RecoveryOutcome::torn)
      std::fprintf(stderr, "stampede drain: not acknowledged and left alone: %s\n",
                   stream.report.message.c_str());
  if (const auto there = drain::look_at_positions(url); !there && there.error().is_damage)
    return fail(there.error(), kExitLogDamaged);
  drain::ItemNames names;
  node::name_items(data, names);
  const node::DrainStreams streams(data);
  Drainer drainer(sink, names, clock, streams.all(), data.manifest().ended);
  const Drainer::Finding finding = drainer.reconcile();
  if (finding.agreement == Drainer::Agreement::contradicts)
    return fail(finding.message, kExitLogDamaged);
  data.progress().begin("writing rows", streams.records_left());
  if (!drainer.drain_now(kPatienceNs,
                         [&] { data.progress().set_done(drainer.stats().records.load()); }))
    return fail(drainer.problem(), drainer.is_fenced() ? kExitLogDamaged : kExitFailure);
  const int drained = print_summary(drainer.stats(), clock.now().boot_ns - begin.boot_ns);
  if (!has_rejected) return drained;
  return put_in_rejected(data, names, url, sink, clock.now().wall_ms());
}

struct Flags {
  std::string data_dir = "./stampede-data", database;
  bool has_rejected = false, wants_indexes = false;
};

int make_indexes(const drain::DatabaseUrl& url) {
  const Status made = drain::make_report_indexes(url, [](std::string_view name) {
    std::printf("index %.*s\n", static_cast<int>(name.size()), name.data());
  });
  return made ? kExitOk : fail(made.error());
}

int run(const Flags& flags) {
  const Result<drain::DatabaseUrl> url = drain::parse_database_url(
      flags.database.empty() ? "sqlite:" + flags.data_dir + "/orders.db" : flags.database);
  if (!url) return usage_error("drain", "--db: " + url.error().message);
  const std::unique_ptr<drain::Sink> sink = drain::make_sink(*url);
  if (!sink) return usage_error("drain", "--db none: expected a database to write to");
  if (flags.wants_indexes && flags.has_rejected)
    return usage_error("drain", "--indexes and --rejected exclude each other: use one of them");
  if (flags.wants_indexes) return make_indexes(*url);
  return drain_directory(flags.data_dir, *url, *sink, flags.has_rejected);
}

}  // namespace

Command drain() {
  const auto flags = std::make_shared<Flags>();
  Command command{
      .name = "stampede drain",
      .summary = "replay a data directory's order log into a database, without a server",
      .about = "Replays the order log of a data directory into a database, without a server.",
      .examples = {{"stampede drain --data /var/lib/stampede", "into its own SQLite file"},
                   {"stampede drain --data /var/lib/stampede --db $DB --rejected",
                    "and what was refused before"}},
      .exits = {{kExitFailure, "the database does not answer, or refused rows"},
                {kExitDirInUse, "a server holds the data directory"},
                {kExitLogDamaged, "the log is damaged, or older than the database"}},
      .run = [flags] { return run(*flags); }};
  command.add("",
              {{.name = "--data",
                .unit = "DIR",
                .target = &flags->data_dir,
                .help = "data directory of a server that does not run"},
               {.name = "--db",
                .unit = "URL",
                .target = &flags->database,
                .help = "sqlite:PATH or postgres://…",
                .absent = "sqlite:<data>/orders.db"},
               {.name = "--rejected",
                .target = &flags->has_rejected,
                .help = "then also put in what the database refused before, as the log has it "
                        "now"},
               {.name = "--indexes",
                .target = &flags->wants_indexes,
                .help = "only make the indexes that reports need, beside a running server; they "
                        "cost the drainer time with every row"}});
  return command;
}

}  // namespace stampede::cmd
