// The logs of all streams of a directory, open for records while no shard turns: one thread appends, and makes ready the segments
// that the logs go on in. For `ledger reclaim --data`, and for what a start writes behind a loss.
#pragma once

#include <initializer_list>
#include <memory>
#include <vector>

#include "node/appender.h"
#include "node/data.h"
#include "orderlog/disk.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"

namespace stampede::node {

class OfflineLogs {
 public:
  // `data`: restored and repaired, and nobody else appends to it. Both outlive this.
  OfflineLogs(Data& data, Machine& machine) : data_(data), machine_(machine) {}

  // Appends first what a torn end calls for. An Ending: the file system does not let it.
  MayEnd open(const orderlog::DiskPlan& plan);
  // Appended together, so that they are in one batch; the state of the stream takes them. An Ending: there is no room, for the disk
  // is full.
  MayEnd append(uint32_t stream, std::initializer_list<orderlog::Record> records);
  // All that was appended.
  MayEnd await_durable();

  // By stream. The ends are those of what is durable when nothing is left to be written.
  [[nodiscard]] std::vector<orderlog::Marks*> marks();
  [[nodiscard]] std::vector<orderlog::Position> ends() const;

 private:
  struct Log {
    std::unique_ptr<orderlog::Disk> disk;
    std::unique_ptr<orderlog::Writer> writer;
    std::unique_ptr<Appender> appender;
    orderlog::Marks marks;
  };

  MayEnd open_log(const orderlog::DiskPlan& plan, uint32_t stream,
                  orderlog::StreamSegments& segments);
  MayEnd without_room() const;

  Data& data_;
  Machine& machine_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<std::unique_ptr<Log>> logs_;  // by stream
};

}  // namespace stampede::node
