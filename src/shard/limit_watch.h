// Limits at which new orders are refused: what /readyz says of a shard's, and one line in the log when one is reached and one
// when that is over. Refusals that come and go with the crowd (rates of orders, full lines) leave a line with their number, at most
// one a minute of each kind.
//
// Belongs to the operators' shard.
#pragma once

#include <array>
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

// What is counted over all shards and said in a line.
enum class CrowdLimit : uint8_t { order_rate, item_rate, waiting_line, long_polls };
constexpr size_t kCrowdLimits = 4;

class LimitWatch {
 public:
  static constexpr int64_t kCrowdLineNs = 60 * kSecond;

  explicit LimitWatch(const Process& process) : process_(process) {}

  // Looks once a second, however often it is called.
  void look(Moment now);

 private:
  struct Told {
    uint64_t count = 0;     // refusals that lines have told of
    int64_t since_ns = 0;   // of the last line
    bool has_said = false;  // there was one
  };

  void tell_closed_connections();
  void tell_crowd(CrowdLimit limit, Moment now);

  const Process& process_;
  int64_t looked_boot_ns_ = 0;
  std::map<std::pair<uint32_t, ShardLimit>, bool> told_;  // true: still so, by the last look
  std::array<Told, kCrowdLimits> crowd_told_;
  uint64_t closed_told_ = 0;
};

}  // namespace stampede::shard
