#include "node/copy.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "drain/sqlite_copy.h"
#include "node/data.h"
#include "node/ledgers.h"
#include "orderlog/stream_copy.h"
#include "orderlog/verification.h"

namespace stampede::node {
namespace {

constexpr int kCutsMax = 20;
constexpr const char* kDatabase = "/orders.db";

class Copy {
 public:
  Copy(Machine& machine, const CopyOrder& order, CopyReport& report)
      : machine_(machine),
        order_(order),
        report_(report),
        original_(order.from, Data::Use::reading, machine) {}

  MayEnd make() {
    if (MayEnd end = original_.open()) return end;
    const int64_t now_ms = machine_.clock().now().wall_ms();
    const int64_t before_ms = original_.manifest().copied_ms;
    report_.made_ms = before_ms != 0 ? before_ms : now_ms;
    manifest_ = orderlog::manifest_of_copy(original_.manifest(), report_.made_ms);
    settle_on_machine();
    order_.progress.begin("copying", bytes_to_copy());
    // First, so that the streams reach further than the database has seen of them.
    if (Status copied = copy_database(); !copied) return ending(copied.error());
    for (uint32_t i = 0; i < manifest_.shard_count; ++i)
      streams_.push_back(std::make_unique<orderlog::StreamCopy>(
          original_.files(i), orderlog::stream_files(order_.to, manifest_, i),
          [this](uint64_t bytes) { order_.progress.add(bytes); }));
    if (Status copied = copy_streams({}); !copied) return ending(copied.error());
    if (MayEnd end = cut()) return end;
    return check_original();
  }

 private:
  // A start refuses a directory of another machine. To restore one says that it lives here from now on.
  void settle_on_machine() {
    if (!order_.is_for_use) return;
    const std::string here = orderlog::this_machine_id();
    if (manifest_.machine_id != here) report_.other_machine = manifest_.machine_id;
    manifest_.machine_id = here;
  }

  // Segments count whole, also the last one, so the end may come early.
  uint64_t bytes_to_copy() const {
    std::error_code absent;
    const auto database = std::filesystem::file_size(order_.from + kDatabase, absent);
    uint64_t bytes = absent ? 0 : database;
    for (uint32_t i = 0; i < original_.stream_count(); ++i)
      bytes += orderlog::bytes_to_verify(original_.files(i));
    return bytes;
  }

  Status copy_database() {
    std::error_code absent;
    const std::string from = order_.from + kDatabase;
    if (!std::filesystem::exists(from, absent)) return Ok{};
    return drain::copy_sqlite(from, order_.to + kDatabase,
                              [this](uint64_t bytes) { order_.progress.add(bytes); });
  }

  // Stream 0 last: it knows every item that another one has units of.
  Status copy_streams(const orderlog::Cut& cut) {
    for (size_t i = streams_.size(); i-- > 0;)
      if (Status copied = streams_[i]->copy_up_to(cut); !copied) return copied;
    return Ok{};
  }

  MayEnd cut() {
    for (int attempt = 1;; ++attempt) {
      const Moment now = machine_.clock().now();
      if (Status copied = copy_streams({.boot_ns = now.boot_ns, .boot_id = original_.boot_id()});
          !copied)
        return ending(copied.error());
      if (Status completed = complete(); !completed) return ending(completed.error());
      MayEnd wrong = check();
      if (!wrong) return std::nullopt;
      remove_manifest();
      if (!is_of_two_moments_ || attempt == kCutsMax) return wrong;
    }
  }

  Status complete() {
    for (size_t i = 0; i < streams_.size(); ++i) {
      orderlog::StreamCopy& stream = *streams_[i];
      if (order_.is_for_use)
        if (Status filled = stream.fill_last_segment(); !filled) return filled;
      if (Status synced = stream.sync(); !synced) return synced;
      if (stream.has_begun()) orderlog::note_log_end(manifest_.streams[i], stream.end());
    }
    if (Status synced = orderlog::sync_directory(order_.to); !synced) return synced;
    return orderlog::write_manifest(order_.to, manifest_);
  }

  // Reads it back as `stampede log verify` does, and restores it as a start does.
  MayEnd check() {
    Data copy(order_.to, Data::Use::reading, machine_);
    if (MayEnd end = copy.open()) return end;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < copy.stream_count(); ++i)
      bytes += orderlog::bytes_to_verify(copy.files(i));
    order_.progress.begin("reading the copy back", bytes);
    for (uint32_t i = 0; i < copy.stream_count(); ++i)
      if (const auto sound = orderlog::verify_stream(copy.files(i), order_.progress); !sound)
        return ending(sound.error());
    Findings findings;
    if (MayEnd end = copy.restore({}, findings)) return end;
    is_of_two_moments_ = findings.evidence.log == Log::impossible;
    if (const auto line = findings.lines.begin(); line != findings.lines.end())
      return ending(kExitLogDamaged, line->second);
    report_.records = report_.orders = 0;
    for (const RestoredStream& stream : copy.streams()) {
      report_.records += stream.records;
      report_.orders += stream.state->orders_live();
    }
    report_.items = copy.items().size();
    if (has_shared_before(copy)) return std::nullopt;
    const MadeBook made = make_book(copy);
    is_of_two_moments_ = !made.book;
    if (made.book) return std::nullopt;
    return ending(kExitLogDamaged, "item " + made.oversold + ": the logs in " + order_.from +
                                       " hold more units than were ever supplied");
  }

  // A server that was started with another number of shards has begun another generation.
  MayEnd check_original() {
    Data now(order_.from, Data::Use::reading, machine_);
    MayEnd end = now.open();
    if (!end && now.manifest().stream_uuid != original_.manifest().stream_uuid)
      end = ending(kExitFailure, order_.from +
                                     ": its server was started with another number of shards "
                                     "meanwhile: try again");
    if (end) remove_manifest();
    return end;
  }

  void remove_manifest() const { ::unlink((order_.to + "/manifest").c_str()); }

  Machine& machine_;
  const CopyOrder& order_;
  CopyReport& report_;
  Data original_;
  orderlog::Manifest manifest_;
  std::vector<std::unique_ptr<orderlog::StreamCopy>> streams_;
  bool is_of_two_moments_ = false;  // what check() found can be mended by a later cut
};

}  // namespace

MayEnd copy_directory(Machine& machine, const CopyOrder& order, CopyReport& report) {
  return Copy(machine, order, report).make();
}

}  // namespace stampede::node
