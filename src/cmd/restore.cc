// `stampede restore`: a backup becomes a data directory again, for a disk that was lost.
//
// Orders that the lost directory acknowledged since the backup was made are not in it. The servers that can have traces of them
// are asked first (the database of --db, the ledger of --ledger), and the next start asks again. Where they have none, that start
// still goes on as after a loss: all items paused, and no order's number given that a lost order may have.
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cluster/inspection.h"
#include "cluster/redis_client.h"
#include "cluster/redis_url.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "cmd/nested.h"
#include "node/copy.h"
#include "node/data.h"
#include "node/witness.h"
#include "orderlog/directory.h"

namespace stampede::cmd {
namespace {

constexpr int64_t kRedisTimeoutMs = 5'000;

struct Flags {
  std::string from, data = "./stampede-data", database, ledger;
  bool accepts_loss = false;
};

constexpr Fail fail("restore");

// A directory that holds orders is never overwritten.
node::MayEnd check_place(const std::string& dir) {
  std::error_code absent;
  const std::string way_on = ": move it away, or give another --data";
  if (std::filesystem::exists(dir + "/manifest", absent))
    return node::ending(kExitUsage, "--data " + dir + " holds an order log" + way_on);
  if (const Status empty = orderlog::check_new(dir); !empty)
    return node::ending(kExitUsage, empty.error().message + way_on);
  return std::nullopt;
}

// Reads what a start from this backup would find in the database, and judges it as that start would.
node::MayEnd ask_database(const Flags& flags, node::Data& backup) {
  if (flags.database.empty()) return backup.restore();
  const Result<drain::DatabaseUrl> url = drain::parse_database_url(flags.database);
  if (!url) return node::ending(kExitUsage, "--db: " + url.error().message);
  const node::DatabaseWitness database(node::system_machine(), *url);
  node::Findings findings;
  if (node::MayEnd end = backup.restore({.witnesses = database.of_streams(backup)}, findings))
    return end;
  database.compare(backup, findings);
  findings.evidence.directory = node::Directory::after_loss;
  findings.evidence.accepts_loss = flags.accepts_loss;
  const node::Verdict verdict = node::judge(findings.evidence);
  if (verdict.course != node::Course::refuse) return std::nullopt;
  node::Ending end = findings.ending_of(verdict);
  if (node::loss_in(findings.evidence) == verdict.reason)
    end.message += "; --accept-loss restores the backup all the same, and its start needs it too";
  return end;
}

// The backup's counters of an item in one stream; zeros for a stream or an item that it does not know.
stock::ItemStock stock_of(const node::Data& backup, const std::string& stream,
                          std::string_view code) {
  const orderlog::Manifest& manifest = backup.manifest();
  for (uint32_t shard = 0; shard < backup.stream_count(); ++shard) {
    const std::string name = std::to_string(manifest.node) + "." +
                             std::to_string(manifest.generation) + "." + std::to_string(shard);
    if (name != stream) continue;
    for (const stock::RegisteredItem& item : backup.items())
      if (item.terms.code.view() == code)
        return backup.streams()[shard].state->stock(item.terms.id);
  }
  return {};
}

// Units that the node was granted since the backup was made may be sold, and only the lost log had these orders.
node::MayEnd hold_against(const node::Data& backup, const cluster::ItemCounters& item) {
  const uint32_t node = backup.manifest().node;
  for (const cluster::StreamCounters& stream : item.streams) {
    if (stream.node != node) continue;
    const stock::ItemStock known = stock_of(backup, stream.stream, item.item);
    const bool is_known = stream.granted <= static_cast<int64_t>(known.accepted) &&
                          stream.returned <= static_cast<int64_t>(known.returned);
    if (is_known) continue;
    return node::ending(
        kExitLogDamaged,
        "item " + item.item + ": the ledger has granted " +
            counted(static_cast<uint64_t>(stream.granted), "unit") + " to stream " + stream.stream +
            " and got " + std::to_string(stream.returned) + " back, the backup knows of " +
            std::to_string(known.accepted) + " and " + std::to_string(known.returned) +
            ": take the node out with `stampede ledger reclaim " + "--node " +
            std::to_string(node) + "`, and start an empty --data as another --node");
  }
  return std::nullopt;
}

// A ledger that is empty or waits for its members has no counters; the node's promise holds against it (cluster/).
node::MayEnd ask_ledger(const Flags& flags, const node::Data& backup) {
  if (flags.ledger.empty() || flags.ledger == "embedded") return std::nullopt;
  const Result<cluster::RedisUrl> url = cluster::parse_redis_url(flags.ledger);
  if (!url) return node::ending(kExitUsage, "--ledger: " + url.error().message);
  cluster::RedisClient redis(*url, kRedisTimeoutMs);
  if (Status connected = redis.connect(); !connected) return node::ending(connected.error());
  const Result<cluster::EpochView> view = cluster::look_at_epoch(redis);
  if (!view) return node::ending(view.error());
  if (view->state != cluster::EpochView::State::open) return std::nullopt;
  const Result<std::vector<cluster::ItemCounters>> items = cluster::read_items(redis, view->epoch);
  if (!items) return node::ending(items.error());
  for (const cluster::ItemCounters& item : *items)
    if (node::MayEnd end = hold_against(backup, item)) return end;
  return std::nullopt;
}

void print_way_on(const Flags& flags, const node::CopyReport& report) {
  std::printf("%s: %s and %s in %s, as of %s\n", flags.data.c_str(),
              counted(report.orders, "order").c_str(), counted(report.items, "item").c_str(),
              counted(report.records, "record").c_str(),
              std::string(TimeText(report.made_ms).view()).c_str());
  if (!report.other_machine.empty())
    std::printf("it was machine %s's: nothing may sell from the original any more\n",
                report.other_machine.c_str());
  std::printf(
      "what was acknowledged since is not in it: `stampede serve%s` pauses every item; compare "
      "with `stampede audit`, withdraw what was sold since with a restock, then resume\n",
      flags.accepts_loss ? " --accept-loss" : "");
}

int run(const Flags& flags) {
  if (const node::MayEnd end = check_place(flags.data)) return fail(*end);
  std::error_code absent;
  if (!std::filesystem::exists(flags.from + "/manifest", absent))
    return usage_error("restore",
                       "--from " + flags.from + ": there is no backup, as it has no manifest");
  const Result<bool> is_nested = lies_in(flags.data, flags.from);
  if (!is_nested) return usage_error("restore", is_nested.error().message);
  if (*is_nested)
    return usage_error("restore", "--data " + flags.data + " lies in --from " + flags.from +
                                      ": give a place of its own");
  // What a server has acknowledged meanwhile would be in one of the two, and both would give the same ids.
  const orderlog::LockAttempt at_rest = orderlog::lock_for_reading(flags.from);
  if (at_rest.is_in_use)
    return fail(node::ending(kExitDirInUse, "--from " + at_rest.message +
                                                ": make a backup of it with `stampede backup`, "
                                                "and restore that one"));
  node::Data backup(flags.from, node::Data::Use::reading);
  if (const node::MayEnd end = backup.open()) return fail(*end);
  if (const node::MayEnd end = ask_database(flags, backup)) return fail(*end);
  if (const node::MayEnd end = ask_ledger(flags, backup)) return fail(*end);
  const orderlog::LockAttempt attempt = orderlog::lock_directory(flags.data);
  if (!attempt.lock)
    return fail(node::ending(attempt.is_in_use ? kExitDirInUse : kExitFailure, attempt.message));
  if (const node::MayEnd end = check_place(flags.data)) return fail(*end);
  Progress progress;
  node::CopyReport report;
  const node::CopyOrder order{
      .from = flags.from, .to = flags.data, .is_for_use = true, .progress = progress};
  const ProgressLines lines(progress);
  if (const node::MayEnd end = node::copy_directory(node::system_machine(), order, report))
    return fail(*end);
  print_way_on(flags, report);
  return kExitOk;
}

}  // namespace

Command restore() {
  const auto flags = std::make_shared<Flags>();
  Command command{
      .name = "stampede restore",
      .summary = "make a data directory of a backup",
      .about = "Makes a data directory of a backup, for a disk that was lost.",
      .examples = {{"stampede restore --from /backup/sale-1 --data /var/lib/stampede",
                    "a database in the data directory"},
                   {"stampede restore --from /backup/sale-1 --data /var/lib/stampede --db $DB "
                    "--ledger $LEDGER",
                    "a node of several"}},
      .exits = {{kExitFailure, "a file could not be written, or the database does not answer"},
                {kExitDirInUse, "a server holds one of the two directories"},
                {kExitLogDamaged,
                 "the backup is damaged, or the database or the ledger has newer orders"}},
      .run = [flags] { return run(*flags); }};
  command.add("", {{.name = "--from",
                    .unit = "DIR",
                    .target = &flags->from,
                    .help = "the backup",
                    .is_required = true},
                   {.name = "--data",
                    .unit = "DIR",
                    .target = &flags->data,
                    .help = "the data directory, which holds nothing yet"}});
  command.add("Who may know more than the backup",
              {{.name = "--db",
                .unit = "URL",
                .target = &flags->database,
                .help = "the server's database, if it is not in the data directory"},
               {.name = "--ledger",
                .unit = "URL",
                .target = &flags->ledger,
                .help = "the ledger that the nodes share"},
               {.name = "--accept-loss",
                .target = &flags->accepts_loss,
                .help = "restore although the database knows more"}});
  return command;
}

}  // namespace stampede::cmd
