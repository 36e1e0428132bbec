#include "drain/comparison.h"

#include "base/words.h"

#include <algorithm>

namespace stampede::drain {
namespace {

std::string text_of(const StreamKey& stream) {
  return "shard " + std::to_string(stream.shard) + " (node " + std::to_string(stream.node) +
         ", generation " + std::to_string(stream.generation) + ")";
}

std::string describe_missing(const orderlog::Position& database, const LogExtent& log) {
  const Lsn log_lsn = std::max(log.end.next_lsn - 1, log.durable);
  const Lsn database_lsn = database.next_lsn - 1;
  const std::string last = std::to_string(database_lsn);
  const std::string missing =
      database_lsn == log_lsn + 1
          ? "record " + last + " is"
          : "records " + std::to_string(log_lsn + 1) + " to " + last + " are";
  return ", the order log at record " + std::to_string(log_lsn) + ": " + missing +
         " missing from the log; was it put back from an old copy, or does the database belong "
         "to another data directory?";
}

std::string describe_outdated(const orderlog::Position& database, const LogExtent& log) {
  return " in segment " + std::to_string(database.segment) + ", but the oldest segment kept is " +
         std::to_string(log.oldest_segment);
}

// Empty: the batch that follows the position continues it. An error: this process has run out of something.
Result<std::string> read_on(const Stream& stream, const orderlog::Position& position, Lsn durable,
                            Batch& scratch) {
  if (position.next_lsn == stream.log_end.next_lsn) return std::string();
  stream.source->seek(position);
  scratch.start(stream.key, position);
  const Result<bool> read =
      stream.source->read(std::max(durable, stream.log_end.next_lsn - 1), scratch);
  if (read) return std::string();
  if (!read.error().is_damage) return read.error();
  return ", and the order log does not go on from there: " + read.error().message;
}

}  // namespace

Result<Comparison> compare(const Stream& stream, const std::optional<orderlog::Position>& position,
                           Batch& scratch) {
  const Result<bool> has_beginning = stream.source->has_beginning();
  if (!has_beginning) return has_beginning.error();
  const Result<uint32_t> oldest_segment = stream.source->oldest_segment();
  if (!oldest_segment) return oldest_segment.error();
  const LogExtent log{.has_beginning = *has_beginning,
                      .oldest_segment = *oldest_segment,
                      .end = stream.log_end,
                      .durable = stream.marks->durable.get()};
  Comparison comparison{.start_case = start_case(position, log)};
  std::string what;
  switch (comparison.start_case) {
    case StartCase::beginning:
    case StartCase::rebuild:
      return comparison;
    case StartCase::resume:
      if (Result<std::string> read = read_on(stream, *position, log.durable, scratch); !read)
        return read.error();
      else
        what = std::move(*read);
      if (what.empty()) return comparison;
      comparison.start_case = StartCase::foreign;
      break;
    case StartCase::outdated:
      what = describe_outdated(*position, log);
      break;
    case StartCase::ahead:
      what = describe_missing(*position, log);
      break;
    case StartCase::foreign:
      what = ", as the order log does, but with another history";
      break;
  }
  comparison.contradiction = text_of(stream.key) + ": the database ends at record " +
                             std::to_string(position->next_lsn - 1) + what;
  return comparison;
}

std::optional<StreamKey> unexplained_stream(const std::vector<StreamPosition>& positions,
                                            uint32_t node, uint32_t generation,
                                            uint32_t shard_count) {
  for (const StreamPosition& position : positions) {
    const StreamKey& stream = position.stream;
    if (stream.node != node) continue;
    const bool is_newer = stream.generation > generation;
    const bool is_beyond = stream.generation == generation && stream.shard >= shard_count;
    if (is_newer || is_beyond) return stream;
  }
  return std::nullopt;
}

std::string describe_unexplained(const StreamKey& stream, uint32_t generation,
                                 uint32_t shard_count) {
  return "the database has orders of " + text_of(stream) + ", and this data directory has " +
         counted(shard_count, "shard") + " of generation " + std::to_string(generation) +
         ": it is an older copy, or the database belongs to another directory; put back the "
         "newest directory, or start an empty one with another database";
}

}  // namespace stampede::drain
