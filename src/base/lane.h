// One direction between two shards: a single producer, a single consumer, no lock. A wrapper of boost::lockfree's
// spsc_queue that names the rules: plain values only, full is an answer.
//
//   shard i ── push() ──▶ [■■■■·····] ── take() ──▶ shard j
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <type_traits>

namespace stampede {

template <typename T>
class Lane {
  static_assert(std::is_trivially_copyable_v<T>, "between shards only plain values");

 public:
  // While a value is visited it still takes its cell: if the visit may let the producer go on, the lane needs one cell more.
  explicit Lane(uint32_t capacity) : queue_(capacity) {}

  [[nodiscard]] bool push(const T& value) { return queue_.push(value); }  // producer
  // Producer; may only grow meanwhile.
  [[nodiscard]] uint32_t room() const { return static_cast<uint32_t>(queue_.write_available()); }
  [[nodiscard]] bool has_some() const { return queue_.read_available() > 0; }  // consumer

  // Hands up to `most` values to `visit` and returns how many there were; the consumer's side.
  template <typename Visit>
  uint32_t take(uint32_t most, Visit visit) {
    uint32_t count = 0;
    while (count < most && queue_.consume_one(visit)) ++count;
    return count;
  }

 private:
  boost::lockfree::spsc_queue<T> queue_;
};

}  // namespace stampede
