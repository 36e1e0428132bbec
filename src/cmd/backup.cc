// `stampede backup`: a copy of a data directory as it was at one moment, beside the server that writes to it.
//
// It is made beside its place (backup_place.h), and gets its name when it has been read back and is on the disk.
#include <string>

#include "base/progress.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cmd/backup_place.h"
#include "cmd/fail.h"
#include "cmd/flags.h"
#include "node/copy.h"
#include "node/data.h"

namespace stampede::cmd {
namespace {

constexpr Fail fail("backup");

// Whether there is a log to copy: nothing is cleared away for a backup that cannot be.
node::MayEnd check_source(const std::string& data) {
  return node::Data(data, node::Data::Use::reading).open();
}

node::MayEnd make(const std::string& data, BackupPlace& place, node::CopyReport& report) {
  if (node::MayEnd end = place.begin()) return end;
  Progress progress;
  const ProgressLines lines(progress);
  const node::CopyOrder order{.from = data, .to = place.unfinished(), .progress = progress};
  if (node::MayEnd end = node::copy_directory(node::system_machine(), order, report)) {
    place.abandon();
    return end;
  }
  const Status named = place.finish();
  return named ? std::nullopt : node::MayEnd(node::ending(named.error()));
}

struct Flags {
  std::string data = "./stampede-data", to;
};

int run(const Flags& flags) {
  BackupPlace place(flags.to);
  if (const node::MayEnd end = place.check(flags.data)) return fail(*end);
  if (const node::MayEnd end = check_source(flags.data)) return fail(*end);
  node::CopyReport report;
  if (const node::MayEnd end = make(flags.data, place, report)) return fail(*end);
  std::printf("%s: %s and %s in %s, as of %s; read back and sound\n", place.to().c_str(),
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
                .help = "the backup: a new directory, or an empty one that is no mount point",
                .is_required = true}});
  return command;
}

}  // namespace stampede::cmd
