// A copy of a whole data directory as it was at one moment, made beside the server that writes to it: what a backup is, and
// what a restore brings back.
//
// Each stream is copied as far as it reaches, which may take long. Then all of them are cut at one moment: a batch that was
// sealed later is left out of every stream. A start must accept the copy, so it is restored as a start does it, with the
// books of all items. If a batch crossed the cut (a shard sealed it with an old clock and had heard of a newer one), the
// streams hold more units than there are; then they are copied on, and cut at a later moment.
//
//   what was acknowledged before copy_directory() was called    is in it
//   a stream that ends earlier than the copy says               is noticed: the manifest says how far each reaches
//   a start from it                                             goes on behind a loss (start.h): nobody can know what the
//                                                               original has acknowledged since
#pragma once

#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "node/ending.h"
#include "node/machine.h"

namespace stampede::node {

struct CopyOrder {
  std::string from;         // a data directory, in use or not
  std::string to;           // an empty one, which nobody else writes to
  bool is_for_use = false;  // a server will go on in it, on this machine
  Progress& progress;       // of the copying, and of reading it back
};

struct CopyReport {
  uint64_t orders = 0, items = 0, records = 0;
  int64_t made_ms = 0;        // when it was cut, or when what it was copied from was
  std::string other_machine;  // the machine of the original, if that is another
};

// The manifest is written last: without one a directory is not taken for a copy, and a start refuses it. An Ending names the
// file; damage in the source is kExitLogDamaged.
[[nodiscard]] MayEnd copy_directory(Machine& machine, const CopyOrder& order, CopyReport& report);

}  // namespace stampede::node
