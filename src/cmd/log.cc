// `stampede log`: shows the order log of a data directory (inspect), and checks whether every byte of it is as it was
// written (verify). Both only read, take no lock and work beside a running server: a batch that is being written while they
// look is not there yet, and a segment that is used again meanwhile is looked for anew.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/words.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "drain/database.h"
#include "node/data.h"
#include "orderlog/reader.h"
#include "orderlog/record_text.h"
#include "orderlog/recovery.h"
#include "orderlog/snapshot.h"
#include "orderlog/verification.h"

namespace stampede::cmd {
namespace {

using namespace orderlog;

enum class Show { summary, batches, records };

struct Flags {
  std::string data = "./stampede-data";
  std::optional<uint32_t> stream;
  Lsn from = 1;
  uint64_t limit = 0;
  bool shows_records = false, shows_batches = false, shows_summary = false;
  std::string database;
};

constexpr Fail fail("log");

std::vector<StreamFiles> streams_of(const node::Data& data, const Flags& flags) {
  std::vector<StreamFiles> streams;
  for (uint32_t stream = 0; stream < data.stream_count(); ++stream)
    if (!flags.stream || *flags.stream == stream) streams.push_back(data.files(stream));
  return streams;
}

// ---- inspect ----

using Drained = std::map<uint32_t, Lsn>;  // by stream

// The database's positions; none when there is no database.
Drained drained_of(const node::Data& data, const drain::DatabaseUrl& url) {
  const auto positions = drain::look_at_positions(url);
  if (!positions) return {};
  Drained drained;
  for (const drain::StreamPosition& position : *positions)
    if (position.stream == data.key(position.stream.shard))
      drained[position.stream.shard] = position.position.next_lsn - 1;
  return drained;
}

class Inspection {
 public:
  Inspection(const Flags& flags, const StreamFiles& files) : flags_(flags), files_(files) {}

  Status run(const Drained& drained) {
    const Result<Position> start = start_of(files_);
    if (!start) return start.error();
    Reader reader(files_, *start);
    first_lsn_ = start->next_lsn;
    Result<Reader::Found> found = reader.look();
    while (found && found->batch && !is_full()) {
      show(*found->batch);
      reader.skip(*found->batch);
      found = reader.look();
    }
    if (!found) return found.error();
    if (!flags_.shows_batches && !flags_.shows_records) summarize(reader, drained);
    if (is_full()) return Ok{};
    if (Status sound = judge_end(reader.position()); !sound) return sound;
    const Result<size_t> snapshots = check_snapshots(files_);
    return snapshots ? Status(Ok{}) : snapshots.error();
  }

 private:
  // The batches that were shown are all, or the log is damaged where more should be. As in verify, a batch that was being written
  // is looked at twice.
  Status judge_end(const Position& end) const {
    const Result<RecoveryReport> report =
        recover({.files = files_, .start = end, .is_read_only = true},
                [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
    if (!report) return report.error();
    if (report->outcome != RecoveryOutcome::damaged || is_sound_by_now(files_, report->end))
      return Ok{};
    return Error{"stream " + std::to_string(files_.stream) + ": " + report->message, true};
  }

  bool is_full() const { return flags_.limit != 0 && shown_ >= flags_.limit; }

  void show(const Batch& batch) {
    last_lsn_ = batch.last_lsn();
    ++batches_;
    if (batch.last_lsn() < flags_.from) return;
    if (flags_.shows_batches) {
      std::printf("stream=%u %s\n", files_.stream, text_of(batch).c_str());
      ++shown_;
    }
    if (!flags_.shows_records) return;
    batch.for_each([&](Lsn lsn, const Record& record) {
      if (lsn < flags_.from || is_full()) return;
      std::printf("stream=%u lsn=%lu %s\n", files_.stream, lsn, text_of(record).c_str());
      ++shown_;
    });
  }

  void summarize(const Reader& reader, const Drained& drained) const {
    const Position& end = reader.position();
    std::printf("stream %u in %s\n", files_.stream, files_.dir.c_str());
    if (batches_ == 0)
      std::printf("  records    none\n");
    else
      std::printf("  records    %lu to %lu in %s\n", first_lsn_, last_lsn_,
                  counted(batches_, "batch", "batches").c_str());
    std::printf("  end        segment %u offset %lu sequence %lu\n", end.segment, end.offset,
                end.batch_seq);
    std::printf("  durable    %lu\n", end.next_lsn - 1);
    const auto found = drained.find(files_.stream);
    if (found != drained.end()) std::printf("  drained    %lu\n", found->second);
    if (const Result<std::vector<uint32_t>> snapshots = list_snapshots(files_))
      for (const uint32_t segment : *snapshots) print_snapshot(segment);
  }

  void print_snapshot(uint32_t segment) const {
    const Result<SnapshotFacts> facts = read_snapshot_facts(files_, segment);
    if (facts)
      std::printf("  snapshot   of the segments below %u: %s, up to record %lu\n", segment,
                  counted(facts->record_count, "record").c_str(), facts->position.next_lsn - 1);
    else
      std::printf("  snapshot   %s\n", facts.error().message.c_str());
  }

  const Flags& flags_;
  const StreamFiles& files_;
  Lsn first_lsn_ = 0, last_lsn_ = 0;
  uint64_t batches_ = 0, shown_ = 0;
};

int inspect(const node::Data& data, const Flags& flags) {
  const Result<drain::DatabaseUrl> url = drain::parse_database_url(
      flags.database.empty() ? "sqlite:" + flags.data + "/orders.db" : flags.database);
  if (!url) return usage_error("log", "--db: " + url.error().message);
  const Drained drained = drained_of(data, *url);
  for (const StreamFiles& files : streams_of(data, flags))
    if (Status done = Inspection(flags, files).run(drained); !done)
      return fail(done.error(), exit_code_of(done.error()));
  return kExitOk;
}

// ---- verify ----

int print_verified(const StreamFiles& files, Progress& progress) {
  const Result<Verified> verified = verify_stream(files, progress);
  if (!verified) return fail(verified.error(), exit_code_of(verified.error()));
  const RecoveryReport& log = verified->log;
  std::printf(
      "stream %u: %s in %s and %s are sound, up to record %lu in segment %u\n", files.stream,
      counted(log.records, "record").c_str(), counted(log.batches, "batch", "batches").c_str(),
      counted(verified->snapshots, "snapshot").c_str(), log.end.next_lsn - 1, log.end.segment);
  if (log.outcome == RecoveryOutcome::torn)
    std::printf("stream %u: the last write did not end and was not acknowledged: %s\n",
                files.stream, log.message.c_str());
  return kExitOk;
}

int verify(const node::Data& data, const Flags& flags) {
  int worst = kExitOk;
  Progress progress;
  uint64_t bytes = 0;
  for (const StreamFiles& files : streams_of(data, flags)) bytes += bytes_to_verify(files);
  progress.begin("reading the order log", bytes);
  const ProgressLines lines(progress);
  for (const StreamFiles& files : streams_of(data, flags))
    worst = std::max(worst, print_verified(files, progress));
  return worst;
}

int run(const Flags& flags, int (*look)(const node::Data&, const Flags&)) {
  node::Data data(flags.data, node::Data::Use::reading);
  if (const node::MayEnd end = data.open()) return fail(*end);
  if (flags.stream && *flags.stream >= data.stream_count())
    return usage_error("log",
                       "--stream: expected a number below " + std::to_string(data.stream_count()));
  return look(data, flags);
}

void add_data_flags(Command& command, Flags& flags) {
  command.add("",
              {{.name = "--data", .unit = "DIR", .target = &flags.data, .help = "data directory"},
               {.name = "--stream",
                .unit = "N",
                .target = &flags.stream,
                .help = "this stream only",
                .absent = "all"}});
}

void add_inspect_flags(Command& command, Flags& flags) {
  command.add(
      "What is printed",
      {{.name = "--summary",
        .target = &flags.shows_summary,
        .help = "watermarks and snapshots (the default)",
        .excludes = {"--records", "--batches"}},
       {.name = "--batches", .target = &flags.shows_batches, .help = "a line for each batch"},
       {.name = "--records", .target = &flags.shows_records, .help = "a line for each record"},
       {.name = "--from",
        .unit = "LSN",
        .target = &flags.from,
        .help = "first record to print, by its number"},
       {.name = "--limit",
        .unit = "N",
        .target = &flags.limit,
        .help = "lines to print of each stream; 0: all"},
       {.name = "--db",
        .unit = "URL",
        .target = &flags.database,
        .help = "database for `drained`",
        .absent = "sqlite:DIR/orders.db"}});
}

}  // namespace

Command log() {
  const auto flags = std::make_shared<Flags>();
  Command inspects{.name = "stampede log inspect",
                   .summary = "print watermarks, batches or records",
                   .examples = {{"stampede log inspect --data /var/lib/stampede", "watermarks"},
                                {"stampede log inspect --data /var/lib/stampede --records | grep "
                                 "00000000000004d2",
                                 "what happened to an order"}},
                   .exits = {{kExitFailure, "a file could not be read"},
                             {kExitLogDamaged, "a file is damaged: the line names it"}},
                   .run = [flags] { return run(*flags, inspect); }};
  add_data_flags(inspects, *flags);
  add_inspect_flags(inspects, *flags);
  Command verifies{.name = "stampede log verify",
                   .summary = "check every checksum; exit 78 and the place when one is wrong",
                   .examples = {{"stampede log verify --data /backup/sale-1", "also of a backup"}},
                   .exits = {{kExitFailure, "a file could not be read"},
                             {kExitLogDamaged, "a file is damaged: the line names it"}},
                   .run = [flags] { return run(*flags, verify); }};
  add_data_flags(verifies, *flags);
  return {.name = "stampede log",
          .summary = "inspect or verify the order log of a data directory",
          .about =
              "What the order log of a data directory holds. Only reads; works beside a running "
              "server.",
          .subcommands = {std::move(inspects), std::move(verifies)}};
}

}  // namespace stampede::cmd
