// `stampede backup`: a copy of a data directory as it was at one moment, beside the server that writes to it.
//
// It is made beside its place, in DIR.unfinished, and gets its name when it has been read back and is on the disk. The rest of
// a backup that was killed is removed by the next one.
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "cmd/nested.h"
#include "node/copy.h"
#include "orderlog/directory.h"

namespace stampede::cmd {
namespace {

namespace fs = std::filesystem;

constexpr Fail fail("backup");

// A name that is free, or an empty directory.
node::MayEnd check_place(const std::string& to) {
  std::error_code absent;
  if (!fs::exists(fs::symlink_status(to, absent))) return std::nullopt;
  std::error_code unreadable;
  const bool is_empty = fs::is_directory(to, absent) && fs::is_empty(to, unreadable);
  if (is_empty && !unreadable) return std::nullopt;
  return node::ending(kExitUsage, "--to " + to +
                                      " is there and is not an empty directory: a backup gets a "
                                      "directory of its own");
}

// Everything but the lock, which is held.
void clear(const std::string& dir) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, ignored))
    if (entry.path().filename() != "lock") fs::remove_all(entry.path(), ignored);
}

node::MayEnd make(const std::string& data, const std::string& to, node::CopyReport& report) {
  const std::string unfinished = to + ".unfinished";
  const orderlog::LockAttempt attempt = orderlog::lock_directory(unfinished);
  if (!attempt.lock)
    return node::ending(attempt.is_in_use ? kExitDirInUse : kExitFailure, attempt.message);
  clear(unfinished);
  Progress progress;
  const ProgressLines lines(progress);
  const node::CopyOrder order{.from = data, .to = unfinished, .progress = progress};
  if (node::MayEnd end = node::copy_directory(node::system_machine(), order, report)) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    return end;
  }
  std::error_code ignored;
  fs::remove(unfinished + "/lock", ignored);
  Status named = orderlog::sync_directory(unfinished);
  if (named) named = orderlog::rename_durably(unfinished, to);
  return named ? std::nullopt : node::MayEnd(node::ending(named.error()));
}

struct Flags {
  std::string data = "./stampede-data", to;
};

int run(const Flags& flags) {
  std::string to = flags.to;
  while (to.size() > 1 && to.ends_with('/')) to.pop_back();
  if (lies_in(to, flags.data))
    return usage_error("backup", "--to " + to + " lies in --data " + flags.data +
                                     ": give a place of its own, best on another disk");
  if (const node::MayEnd end = check_place(to)) return fail(*end);
  node::CopyReport report;
  if (const node::MayEnd end = make(flags.data, to, report)) return fail(*end);
  std::printf("%s: %s and %s in %s, as of %s; read back and sound\n", to.c_str(),
              counted(report.orders, "order").c_str(), counted(report.items, "item").c_str(),
              counted(report.records, "record").c_str(),
              std::string(TimeText(report.made_ms).view()).c_str());
  return kExitOk;
}

}  // namespace

Command backup() {
  const auto flags = std::make_shared<Flags>();
  Command command{
      .name = "stampede backup",
      .summary = "copy a data directory as it is at one moment, beside its running server",
      .about =
          "Copies a data directory as it is at one moment, beside its running server. The copy is "
          "read back before it gets its name.",
      .examples = {{"stampede backup --data /var/lib/stampede --to /backup/sale-1",
                    "the server may run"}},
      .exits = {{kExitFailure, "a file could not be written"},
                {kExitDirInUse, "another backup is made at this place"},
                {kExitLogDamaged, "the data directory is damaged: the line names the file"}},
      .run = [flags] { return run(*flags); }};
  command.add("",
              {{.name = "--data", .unit = "DIR", .target = &flags->data, .help = "data directory"},
               {.name = "--to",
                .unit = "DIR",
                .target = &flags->to,
                .help = "the backup: a new directory, or an empty one",
                .is_required = true}});
  return command;
}

}  // namespace stampede::cmd
