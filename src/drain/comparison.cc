#include "drain/comparison.h"

#include <algorithm>

namespace stampede::drain {
namespace {

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
                           const Ancestry& ancestry, Batch& scratch) {
  const Result<bool> has_beginning = stream.source->has_beginning();
  if (!has_beginning) return has_beginning.error();
  const Result<uint32_t> oldest_segment = stream.source->oldest_segment();
  if (!oldest_segment) return oldest_segment.error();
  const LogExtent log{.has_beginning = *has_beginning,
                      .oldest_segment = *oldest_segment,
                      .end = stream.log_end,
                      .durable = stream.marks->durable.get()};
  Comparison comparison{.start_case = start_case(position, ancestry.is_whole, log)};
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
      what = position ? describe_outdated(*position, log) : ancestry.lack;
      break;
    case StartCase::ahead:
      what = describe_missing(*position, log);
      break;
    case StartCase::foreign:
      what = ", as the order log does, but with another history";
      break;
  }
  comparison.contradiction =
      words_of(stream.key) + ": the database ends at " +
      (position ? "record " + std::to_string(position->next_lsn - 1) : ancestry.end) + what;
  return comparison;
}

}  // namespace stampede::drain
