#include "node/offline_logs.h"

namespace stampede::node {

MayEnd OfflineLogs::open(const orderlog::DiskPlan& plan) {
  keeper_ =
      std::make_unique<orderlog::SegmentKeeper>(plan.open_flags, machine_.segment_maker(), nullptr);
  std::vector<orderlog::StreamSegments*> segments;
  for (uint32_t i = 0; i < data_.stream_count(); ++i) {
    const RestoredStream& stream = data_.streams()[i];
    segments.push_back(
        &keeper_->add(data_.files(i), stream.report.end.segment, stream.snapshot_segment));
  }
  if (const Status opened = keeper_->open(); !opened) return ending(opened.error());
  for (uint32_t i = 0; i < data_.stream_count(); ++i)
    if (MayEnd end = open_log(plan, i, *segments[i])) return end;
  return std::nullopt;
}

MayEnd OfflineLogs::open_log(const orderlog::DiskPlan& plan, uint32_t stream,
                             orderlog::StreamSegments& segments) {
  Result<std::unique_ptr<orderlog::Disk>> disk = machine_.make_disk(plan);
  if (!disk) return ending(disk.error());
  Log& log = *logs_.emplace_back(std::make_unique<Log>());
  log.disk = std::move(*disk);
  RestoredStream& restored = data_.streams()[stream];
  const orderlog::RecoveryReport& report = restored.report;
  log.writer = std::make_unique<orderlog::Writer>(data_.files(stream), report.end, data_.boot_id(),
                                                  *log.disk, segments, log.marks);
  log.appender =
      std::make_unique<Appender>(*restored.state, *log.writer, *log.disk, machine_, *keeper_);
  if (report.outcome == orderlog::RecoveryOutcome::torn)
    log.appender->append(orderlog::Recovery{.truncated_batch = report.end.batch_seq,
                                            .truncated_offset = report.end.offset});
  return std::nullopt;
}

MayEnd OfflineLogs::without_room() const {
  return ending(kExitFailure, keeper_->problem());
}

MayEnd OfflineLogs::append(uint32_t stream, std::initializer_list<orderlog::Record> records) {
  Appender& log = *logs_[stream]->appender;
  if (!log.make_room(records.size())) return without_room();
  for (const orderlog::Record& record : records) log.append(record);
  return std::nullopt;
}

MayEnd OfflineLogs::await_durable() {
  for (const auto& log : logs_)
    if (!log->appender->await_durable()) return without_room();
  return std::nullopt;
}

std::vector<orderlog::Marks*> OfflineLogs::marks() {
  std::vector<orderlog::Marks*> marks;
  for (const auto& log : logs_) marks.push_back(&log->marks);
  return marks;
}

std::vector<orderlog::Position> OfflineLogs::ends() const {
  std::vector<orderlog::Position> ends;
  for (const auto& log : logs_) ends.push_back(log->writer->position());
  return ends;
}

}  // namespace stampede::node
