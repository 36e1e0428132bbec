#include "drain/ancestry.h"

#include <algorithm>

#include "base/words.h"
#include "drain/batch.h"

namespace stampede::drain {
namespace {

bool is_of_the_one_before(const StreamKey& stream, const Lineage& lineage) {
  return stream.generation + 1 == lineage.generation;
}

// It goes beyond what that stream ever had.
bool is_beyond(const StreamPosition& position, const Lineage& lineage) {
  if (!is_of_the_one_before(position.stream, lineage) || lineage.ended.empty()) return false;
  if (position.stream.shard >= lineage.ended.size()) return true;
  const orderlog::StreamEnd& end = lineage.ended[position.stream.shard];
  const Lsn lsn = position.position.next_lsn - 1;
  return lsn > end.lsn || (lsn == end.lsn && position.position.prev_chain != end.chain);
}

Lsn lsn_of(const std::vector<StreamPosition>& positions, const StreamKey& stream) {
  const auto found = std::ranges::find(positions, stream, &StreamPosition::stream);
  return found == positions.end() ? 0 : found->position.next_lsn - 1;
}

std::string end_at(Lsn lsn, const StreamKey& stream) {
  return "record " + std::to_string(lsn) + " of " + words_of(stream);
}

// Against the ends of the generation before.
Ancestry hold_against_ends(const std::vector<StreamPosition>& positions, const Lineage& lineage) {
  for (uint32_t shard = 0; shard < lineage.ended.size(); ++shard) {
    const StreamKey stream{
        .node = lineage.node, .generation = lineage.generation - 1, .shard = shard};
    const Lsn lsn = lsn_of(positions, stream), end = lineage.ended[shard].lsn;
    if (lsn >= end) continue;
    return {.is_whole = false,
            .end = end_at(lsn, stream),
            .lack = ", which went on to record " + std::to_string(end) +
                    " before the number of shards changed"};
  }
  return {};
}

}  // namespace

Ancestry ancestry_of(const std::vector<StreamPosition>& positions, const Lineage& lineage) {
  size_t present = 0;
  const StreamPosition* newest = nullptr;  // of earlier generations
  for (const StreamPosition& position : positions) {
    if (position.stream.node != lineage.node) continue;
    if (position.stream.generation >= lineage.generation)
      ++present;
    else if (newest == nullptr || newest->stream.generation < position.stream.generation)
      newest = &position;
  }
  if (newest == nullptr || present >= lineage.shard_count) return {};
  const bool is_of_before = is_of_the_one_before(newest->stream, lineage);
  // A version that noted no end has drained all of it, and the present stream is held against its own log.
  if (is_of_before && lineage.ended.empty() && present > 0) return {};
  if (is_of_before && !lineage.ended.empty()) {
    Ancestry ancestry = hold_against_ends(positions, lineage);
    if (present == 0) ancestry.shard_count = static_cast<uint32_t>(lineage.ended.size());
    return ancestry;
  }
  return {.is_whole = false,
          .end = end_at(newest->position.next_lsn - 1, newest->stream),
          .lack = is_of_before ? ", and the manifest does not say where that stream ended"
                               : ", and the number of shards has changed twice since"};
}

std::optional<StreamKey> unexplained_stream(const std::vector<StreamPosition>& positions,
                                            const Lineage& lineage) {
  for (const StreamPosition& position : positions) {
    const StreamKey& stream = position.stream;
    if (stream.node != lineage.node) continue;
    const bool is_newer = stream.generation > lineage.generation;
    const bool is_another =
        stream.generation == lineage.generation && stream.shard >= lineage.shard_count;
    if (is_newer || is_another || is_beyond(position, lineage)) return stream;
  }
  return std::nullopt;
}

std::string describe_unexplained(const StreamKey& stream, const Lineage& lineage) {
  if (stream.generation < lineage.generation)
    return "the database has other orders of " + words_of(stream) +
           " than this data directory had before its number of shards changed: it belongs to "
           "another directory; give this one's own, or let a new database be built";
  return "the database has orders of " + words_of(stream) + ", and this data directory has " +
         counted(lineage.shard_count, "shard") + " of generation " +
         std::to_string(lineage.generation) +
         ": it is an older copy, or the database belongs to another directory; put back the "
         "newest directory, or start an empty one with another database";
}

std::string words_of(const StreamKey& stream) {
  return "shard " + std::to_string(stream.shard) + " (node " + std::to_string(stream.node) +
         ", generation " + std::to_string(stream.generation) + ")";
}

}  // namespace stampede::drain
