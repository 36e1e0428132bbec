// The order log of one stream on disk.
#pragma once

#include <optional>

#include "drain/source.h"
#include "orderlog/files.h"
#include "orderlog/reader.h"

namespace stampede::drain {

class LogSource final : public Source {
 public:
  explicit LogSource(const orderlog::StreamFiles& files) : files_(files) { seek({}); }

  Result<bool> has_beginning() override;
  Result<uint32_t> oldest_segment() override;
  void seek(const orderlog::Position& position) override { reader_.emplace(files_, position); }
  Result<bool> read(Lsn up_to, Batch& batch) override;
  Result<std::optional<orderlog::Position>> read_snapshot(const Visit& visit) override;

 private:
  orderlog::StreamFiles files_;
  std::optional<orderlog::Reader> reader_;  // always there
};

}  // namespace stampede::drain
