// Time, read once per turn and passed down. Real in cmd/, simulated in test/sim/.
#pragma once

#include <cstdint>

namespace stampede {

constexpr int64_t kMillisecond = 1'000'000;  // in ns
constexpr int64_t kSecond = 1'000 * kMillisecond;

constexpr int64_t ns_of_ms(int64_t milliseconds) {
  return milliseconds * kMillisecond;
}

// One moment on both clocks. Wall time is shown to people and compared with sale times; boot time drives every
// deadline, because a stepped wall clock must expire no order (CLOCK_BOOTTIME goes on while the machine is suspended).
struct Moment {
  int64_t wall_ns = 0;  // CLOCK_REALTIME, since 1970-01-01 UTC
  int64_t boot_ns = 0;  // CLOCK_BOOTTIME, since this boot

  int64_t wall_ms() const { return wall_ns / kMillisecond; }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Moment now() = 0;
  // The same boot time alone, which costs half: for waiting, and for measuring how long something took (shard/turns.h).
  virtual int64_t boot_ns() { return now().boot_ns; }
};

class SystemClock final : public Clock {
 public:
  Moment now() override;
  int64_t boot_ns() override;
};

// The kernel's id of this boot, and of the time namespace's clock in it, as 128 bits: boot times of two boots, or of two
// clocks with different offsets (a container that is started anew, a process that was moved), cannot be compared.
struct BootId {
  uint64_t low = 0, high = 0;
  friend bool operator==(const BootId&, const BootId&) = default;
};
BootId read_boot_id();
// The id of a clock that runs `boot_offset_ns` beside the machine's.
BootId in_time_namespace(BootId id, int64_t boot_offset_ns);

}  // namespace stampede
