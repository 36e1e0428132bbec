// The streams of a data directory as a drainer reads them.
#pragma once

#include <deque>
#include <vector>

#include "drain/comparison.h"
#include "drain/item_names.h"
#include "drain/log_source.h"
#include "node/data.h"

namespace stampede::node {

// Outlives the drainers that use it; `data` need not.
class DrainStreams {
 public:
  // With marks at the ends that were restored.
  explicit DrainStreams(const Data& data);
  // With the marks of a server, by stream.
  DrainStreams(const Data& data, const std::vector<orderlog::Marks*>& marks);
  // With ends of logs that somebody has gone on with and no longer does: a database that says it has them whole is held to it.
  DrainStreams(const Data& data, const std::vector<orderlog::Marks*>& marks,
               const std::vector<orderlog::Position>& ends);

  [[nodiscard]] const std::vector<drain::Stream>& all() const { return streams_; }
  [[nodiscard]] uint64_t records_left() const;

 private:
  void add(const Data& data, uint32_t stream, orderlog::Marks& marks,
           const orderlog::Position& end);

  std::deque<orderlog::Marks> marks_;
  std::deque<drain::LogSource> sources_;
  std::vector<drain::Stream> streams_;
};

// The names of the items that the directory knows.
void name_items(const Data& data, drain::ItemNames& names);

}  // namespace stampede::node
