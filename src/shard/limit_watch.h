// Limits of a shard at which it refuses new orders: what /readyz says of them, and one line in the log when one is reached and one
// when that is over.
//
// Belongs to the operators' shard.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "shard/process.h"

namespace stampede::shard {

enum class ShardLimit : uint8_t { drain_lag, segments, memory };

struct ReachedLimit {
  uint32_t shard;
  ShardLimit limit;
  std::string words;
};
[[nodiscard]] std::vector<ReachedLimit> reached_limits(const Process& process);

class LimitWatch {
 public:
  explicit LimitWatch(const Process& process) : process_(process) {}

  // Looks once a second, however often it is called.
  void look(Moment now);

 private:
  void tell_closed_connections();

  const Process& process_;
  int64_t looked_boot_ns_ = 0;
  std::map<std::pair<uint32_t, ShardLimit>, bool> told_;  // true: still so, by the last look
  uint64_t closed_told_ = 0;
};

}  // namespace stampede::shard
