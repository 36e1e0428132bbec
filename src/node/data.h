// A node's data directory, opened: its lock, its manifest, and its streams as memory has them.
//
//   opened for   lock   a fresh one   another machine's   by
//   serving      yes    is begun      no                  serve
//   offline      yes    no            yes                 drain, ledger reclaim
//   reading      no     no            yes                 audit, log; also beside its running server
//   looking      no     in memory     no                  serve --check; also beside its running server
//
// Opening and restoring only read, whatever it is opened for: a start judges what it finds before it writes (start.h).
// Then begin() writes the manifest, and repair() makes the ends of the logs true on the disk.
//
// One thread, which restores the streams side by side (Machine::run_all()).
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/progress.h"
#include "node/ending.h"
#include "node/findings.h"
#include "node/machine.h"
#include "node/restore.h"
#include "node/start.h"
#include "orderlog/directory.h"
#include "stream_key.h"

namespace stampede::node {

// What a fresh directory becomes; not written before Data::begin().
struct FreshData {
  uint32_t node = 0;
  uint32_t shard_count = 1;
  size_t segment_bytes = bounds::segment_bytes_default;
};

class Data {
 public:
  enum class Use : uint8_t { serving, offline, reading, looking };

  Data(std::string dir, Use use, Machine& machine = system_machine())
      : dir_(std::move(dir)), use_(use), machine_(machine), boot_id_(machine.boot_id()) {}

  // Takes the lock and reads the manifest. For serving, and for looking, what is wrong with them is in `findings` and not an Ending; a
  // fresh directory gets its manifest in memory. An Ending: the directory is in use or cannot be read.
  [[nodiscard]] MayEnd open_to_serve(const FreshData& fresh, Findings& findings);
  // For commands. An Ending also when there is no order log, its manifest is damaged, or, offline, names other streams than there are.
  [[nodiscard]] MayEnd open();

  // Of restore(), and of whatever else the owner does with the directory.
  [[nodiscard]] Progress& progress() { return progress_; }
  [[nodiscard]] const Progress& progress() const { return progress_; }

  // How streams are restored. `witnesses` by stream, or none. `order_cells`: room for so many orders a stream; 0: for all
  // that there are.
  struct Restoring {
    std::vector<std::vector<orderlog::Witness>> witnesses;
    uint32_t order_cells = 0;
    bool accepts_loss = false;
  };
  // All streams at once. Damage is in `findings`; with `accepts_loss` what is in front of it is restored all the same, and
  // findings.lost says what is gone. An Ending: more orders than there is room for, or a file system that fails.
  [[nodiscard]] MayEnd restore(const Restoring& how, Findings& findings);
  // For commands: damage is an Ending.
  [[nodiscard]] MayEnd restore(uint32_t order_cells = 0);

  // The first write of a start: the manifest, if anything in it is new. A loss is noted before anything is cut: a start that
  // ends between the cut and the records that follow from it (items paused, a gap in the numbers of orders) leaves a log in
  // which nothing is wrong, and the next start would sell on.
  // `sequence_floor`: of a loss; the highest number that no order gets any more.
  struct Beginning {
    bool raises_boot = false;
    bool has_lost = false;
    uint64_t sequence_floor = 0;
  };
  [[nodiscard]] Status begin(const Beginning& beginning);
  // Cuts off what was found torn, keeps it beside, and makes the rest durable.
  [[nodiscard]] Status repair();
  // How far each log reaches, by stream: once nothing can prevent the start any more, and again at the end.
  // `is_at_rest`: nothing is appended any more, and everything that was is durable.
  [[nodiscard]] Status note_log_ends(const std::vector<orderlog::Position>& ends,
                                     bool is_at_rest = false);
  // Records were appended to the streams and are durable: each goes on at its end.
  void go_on_from(const std::vector<orderlog::Position>& ends);
  // What follows from a loss is durable, and the database knows of it.
  [[nodiscard]] Status end_loss();
  // The streams of `next`, which are on the disk, are valid from here on; the old ones are forgotten.
  [[nodiscard]] Status switch_to(const orderlog::Manifest& next);

  [[nodiscard]] Use use() const { return use_; }
  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] const orderlog::Manifest& manifest() const { return manifest_; }
  [[nodiscard]] BootId boot_id() const { return boot_id_; }
  [[nodiscard]] uint32_t stream_count() const { return manifest_.shard_count; }
  // For reading, a server may begin beside this process, so no log is known to stay at rest.
  [[nodiscard]] orderlog::StreamFiles files(uint32_t stream) const {
    orderlog::StreamFiles files = orderlog::stream_files(dir_, manifest_, stream);
    files.known.is_at_rest = files.known.is_at_rest && use_ != Use::reading;
    return files;
  }
  [[nodiscard]] StreamKey key(uint32_t stream) const {
    return {.node = manifest_.node, .generation = manifest_.generation, .shard = stream};
  }

  // The highest number that an order has, or had, in any stream.
  [[nodiscard]] uint64_t sequence_max() const;
  // What was restored. Items and operators' changes are in stream 0.
  [[nodiscard]] std::vector<RestoredStream>& streams() { return streams_; }
  [[nodiscard]] const std::vector<RestoredStream>& streams() const { return streams_; }
  [[nodiscard]] const std::vector<stock::RegisteredItem>& items() const {
    return streams_[0].state->items();
  }
  [[nodiscard]] std::string_view code_of(ItemId item) const {
    return item < items().size() ? items()[item].terms.code.view() : std::string_view();
  }
  [[nodiscard]] const stock::StreamState& home_of(OrderId order) const {
    return *streams_[shard_of_slot(order.slot(), stream_count())].state;
  }

 private:
  MayEnd lock();
  RestoreInput input_of(uint32_t stream, const Restoring& how) const;
  Result<RestoredStream> restore_one(uint32_t stream, const Restoring& how) const;
  Result<RestoredStream> restore_as_read(uint32_t stream, const Restoring& how) const;
  MayEnd restore_all(const Restoring& how);
  MayEnd restore_damaged(const Restoring& how, Findings& findings);
  MayEnd look_at_streams(Findings& findings) const;
  void judge_streams(const Restoring& how, Findings& findings) const;

  const std::string dir_;
  const Use use_;
  Machine& machine_;
  const BootId boot_id_;
  std::optional<orderlog::DirectoryLock> lock_;
  orderlog::Manifest manifest_;
  bool is_fresh_ = false;
  std::vector<RestoredStream> streams_;
  mutable Progress progress_;  // parts that change nothing tell of it, too
};

}  // namespace stampede::node
