// The streams that a directory's streams were made of when the number of shards changed, as a database has them.
//
// A new generation says nothing of the one before, but the manifest has noted where each stream of that ended. All of it goes into
// the database before the number changes, and nothing is written there afterwards. So of a database that knows the node
//
//   it has, of the generation before                                    it is
//   each stream up to its end, with the chain value                     whole
//   less of one, or nothing of that generation, only of earlier ones    older
//   a stream whose end nobody noted                                     older, for all that is known
//   more of one, or another chain value, or a shard that it had not     another directory's, or newer
//
// Older: its orders tell whether it is of this directory (kinship.h), and it is completed as any that came back older. Of the
// last line no flag helps: rows would be mixed with another sale's.
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orderlog/marks.h"
#include "stream_key.h"

namespace stampede::drain {

struct StreamPosition;

// Which streams a directory has, and where those before them ended (Manifest::ended).
struct Lineage {
  uint32_t node = 0, generation = 1, shard_count = 1;
  std::vector<orderlog::StreamEnd> ended;
};

struct Ancestry {
  bool is_whole =
      true;  // or nothing is asked of it: it knows nothing of the node, or each present stream
  // Unless it is whole: the newest that it has of earlier generations, and what is wrong with that. For messages.
  std::string end, lack;
  // By how many shards the numbers of its orders were given, each counting for itself. 0: not known, or by both.
  uint32_t shard_count = 0;
};

[[nodiscard]] Ancestry ancestry_of(const std::vector<StreamPosition>& positions,
                                   const Lineage& lineage);

// A stream of the node that the database knows and the directory cannot explain: of a newer generation, of a shard that it does
// not have, or with more than the generation before had, or something else. Its orders are in no log here, so the directory is an
// older copy, or its manifest is not the one that the orders were written under, or they are another sale's. nullopt: there is none.
[[nodiscard]] std::optional<StreamKey> unexplained_stream(
    const std::vector<StreamPosition>& positions, const Lineage& lineage);
// The same in one line, with the remedy.
[[nodiscard]] std::string describe_unexplained(const StreamKey& stream, const Lineage& lineage);

// "shard 1 (node 0, generation 2)"
[[nodiscard]] std::string words_of(const StreamKey& stream);

}  // namespace stampede::drain
