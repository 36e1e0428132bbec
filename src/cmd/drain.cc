// `stampede drain`: what the drainer of a running server does, without the server: everything that
// the order log of a data directory holds goes into the database.
//
// The log is only read: a batch that a crash left half written stays where it is, for the next
// start to judge. It may be stopped and started again at any moment, as every transaction is whole.
#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "cmd/flags.h"
#include "drain/database.h"
#include "drain/drainer.h"
#include "drain/log_source.h"
#include "orderlog/directory.h"
#include "orderlog/recovery.h"

namespace stampede::cmd {
namespace {

using drain::Drainer;

constexpr int64_t kPatienceNs = 10 * kSecond;  // without a row written
constexpr int64_t kProgressNs = kSecond;       // between two lines

int fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "stampede drain: %s\n", message.c_str());
  return code;
}

// One stream of the directory, read up to its valid end.
struct OfflineStream {
  explicit OfflineStream(const orderlog::StreamFiles& stream_files)
      : files(stream_files), source(stream_files) {}

  orderlog::StreamFiles files;
  drain::LogSource source;
  orderlog::Marks marks;
  orderlog::Position end;
};

void learn(drain::ItemNames& names, const orderlog::Record& record) {
  if (const auto* item = std::get_if<orderlog::Item>(&record)) names.set(item->item, item->code);
}

// Finds the end of a stream and the codes of its items, from the newest snapshot on.
std::optional<int> recover(OfflineStream& stream, drain::ItemNames& names, int64_t wall_ns) {
  const auto snapshot = stream.source.read_snapshot([&](const orderlog::Record& record) -> Status {
    learn(names, record);
    return Ok{};
  });
  if (!snapshot) return fail(kExitLogDamaged, snapshot.error().message);
  const Result<orderlog::RecoveryReport> report =
      orderlog::recover({.files = stream.files,
                         .start = (*snapshot).value_or(orderlog::Position{}),
                         .is_read_only = true,
                         .wall_ns = wall_ns},
                        [&](Lsn, const orderlog::Record& record, const orderlog::Batch&) -> Status {
                          learn(names, record);
                          return Ok{};
                        });
  if (!report) return fail(exit_code_of(report.error()), report.error().message);
  if (report->outcome == orderlog::RecoveryOutcome::damaged)
    return fail(kExitLogDamaged, report->message);
  if (report->outcome == orderlog::RecoveryOutcome::torn)
    std::fprintf(stderr, "stampede drain: not acknowledged and left alone: %s\n",
                 report->message.c_str());
  stream.end = report->end;
  stream.marks.start_at(report->end.next_lsn - 1);
  return std::nullopt;
}

uint64_t records_left(const std::deque<OfflineStream>& streams) {
  uint64_t left = 0;
  for (const OfflineStream& stream : streams)
    left += stream.marks.durable.get() - stream.marks.drained.get();
  return left;
}

// A line a second for whoever waits.
class Progress {
 public:
  Progress(const Drainer& drainer, Clock& clock, const std::deque<OfflineStream>& streams)
      : drainer_(drainer), clock_(clock), streams_(streams), printed_ns_(clock.now().boot_ns) {}

  void turn() {
    const int64_t now_ns = clock_.now().boot_ns;
    if (now_ns - printed_ns_ < kProgressNs) return;
    printed_ns_ = now_ns;
    const std::string problem = drainer_.problem();
    std::fprintf(stderr, "stampede drain: %lu records written, %lu to go%s%s\n",
                 drainer_.stats().records.load(), records_left(streams_),
                 problem.empty() ? "" : "; waiting: ", problem.c_str());
  }

 private:
  const Drainer& drainer_;
  Clock& clock_;
  const std::deque<OfflineStream>& streams_;
  int64_t printed_ns_;
};

int print_summary(const drain::DrainStats& stats, int64_t elapsed_ns) {
  std::printf("records %lu, rows %lu, rejected %lu, seconds %.3f\n", stats.records.load(),
              stats.rows.load(), stats.rejected.load(),
              static_cast<double>(elapsed_ns) / static_cast<double>(kSecond));
  if (stats.rejected.load() == 0) return kExitOk;
  return fail(kExitFailure,
              "the database refused rows; they are in its table rejected, with the reasons");
}

int drain_directory(const std::string& data_dir, drain::Sink& sink) {
  SystemClock clock;
  const Moment begin = clock.now();
  // Before locking, which would make the directory.
  if (!std::filesystem::exists(data_dir))
    return usage_error("drain", "--data " + data_dir + ": there is no such directory");
  const orderlog::LockAttempt attempt = orderlog::lock_directory(data_dir);
  if (!attempt.lock) return fail(attempt.is_in_use ? kExitDirInUse : kExitFailure, attempt.message);
  const Result<std::optional<orderlog::Manifest>> manifest = orderlog::read_manifest(data_dir);
  if (!manifest) return fail(exit_code_of(manifest.error()), manifest.error().message);
  if (!*manifest) return usage_error("drain", "--data " + data_dir + ": there is no order log");

  drain::ItemNames names;
  std::deque<OfflineStream> streams;
  std::vector<drain::Stream> tails;
  for (uint32_t shard = 0; shard < (*manifest)->shard_count; ++shard) {
    OfflineStream& stream =
        streams.emplace_back(orderlog::stream_files(data_dir, **manifest, shard));
    if (const auto exit_code = recover(stream, names, begin.wall_ns)) return *exit_code;
    tails.push_back({.key = {(*manifest)->node, (*manifest)->generation, shard},
                     .source = &stream.source,
                     .marks = &stream.marks,
                     .log_end = stream.end});
  }

  Drainer drainer(sink, names, clock, std::move(tails));
  const Drainer::Finding finding = drainer.reconcile();
  if (finding.agreement == Drainer::Agreement::contradicts)
    return fail(kExitLogDamaged, finding.message);
  Progress progress(drainer, clock, streams);
  if (!drainer.drain_now(kPatienceNs, [&] { progress.turn(); }))
    return fail(drainer.is_fenced() ? kExitLogDamaged : kExitFailure, drainer.problem());
  return print_summary(drainer.stats(), clock.now().boot_ns - begin.boot_ns);
}

}  // namespace

int drain(Arguments arguments) {
  CLI::App app{"Replays the order log of a data directory into a database, without a server."};
  prepare(app, "drain");
  std::string data_dir = "./stampede-data";
  std::string database;
  app.add_option("--data", data_dir, "data directory of a server that does not run");
  app.add_option("--db", database,
                 "sqlite:PATH or postgres://… (default: sqlite:<data>/orders.db)");
  if (const auto exit_code = parse(app, arguments)) return *exit_code;

  const Result<drain::DatabaseUrl> url =
      drain::parse_database_url(database.empty() ? "sqlite:" + data_dir + "/orders.db" : database);
  if (!url) return usage_error("drain", "--db: " + url.error().message);
  const std::unique_ptr<drain::Sink> sink = drain::make_sink(*url);
  if (!sink) return usage_error("drain", "--db none: expected a database to write to");
  return drain_directory(data_dir, *sink);
}

}  // namespace stampede::cmd
