#include "node/drain_streams.h"

namespace stampede::node {

DrainStreams::DrainStreams(const Data& data) {
  for (uint32_t i = 0; i < data.stream_count(); ++i) {
    orderlog::Marks& marks = marks_.emplace_back();
    marks.start_at(data.streams()[i].report.last_lsn);
    add(data, i, marks, data.streams()[i].report.end);
  }
}

DrainStreams::DrainStreams(const Data& data, const std::vector<orderlog::Marks*>& marks) {
  for (uint32_t i = 0; i < data.stream_count(); ++i)
    add(data, i, *marks[i], data.streams()[i].report.end);
}

DrainStreams::DrainStreams(const Data& data, const std::vector<orderlog::Marks*>& marks,
                           const std::vector<orderlog::Position>& ends) {
  for (uint32_t i = 0; i < data.stream_count(); ++i) add(data, i, *marks[i], ends[i]);
}

void DrainStreams::add(const Data& data, uint32_t stream, orderlog::Marks& marks,
                       const orderlog::Position& end) {
  drain::LogSource& source = sources_.emplace_back(data.files(stream));
  streams_.push_back({.key = data.key(stream), .source = &source, .marks = &marks, .log_end = end});
}

uint64_t DrainStreams::records_left() const {
  uint64_t left = 0;
  for (const drain::Stream& stream : streams_)
    left += stream.marks->durable.get() - stream.marks->drained.get();
  return left;
}

void name_items(const Data& data, drain::ItemNames& names) {
  for (const stock::RegisteredItem& item : data.items()) names.set(item.terms.id, item.terms.code);
}

}  // namespace stampede::node
