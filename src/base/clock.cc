#include "base/clock.h"

#include <time.h>

#include <cstdio>

#include "base/hash.h"

namespace stampede {
namespace {

int64_t read_clock(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

// Where the kernel does not name the boot, each start is a boot of its own: its deadlines begin anew, which is late and
// safe.
BootId unknown_boot() {
  return {.low = static_cast<uint64_t>(read_clock(CLOCK_REALTIME)), .high = ~uint64_t{0}};
}

}  // namespace

Moment SystemClock::now() {
  return {.wall_ns = read_clock(CLOCK_REALTIME), .boot_ns = read_clock(CLOCK_BOOTTIME)};
}

int64_t SystemClock::boot_ns() {
  return read_clock(CLOCK_BOOTTIME);
}

// The offset of this process's CLOCK_BOOTTIME against the machine's: a time namespace has its own (time_namespaces(7)).
// 0 where the kernel has none.
static int64_t read_boot_offset_ns() {
  std::FILE* file = std::fopen("/proc/self/timens_offsets", "re");
  if (file == nullptr) return 0;
  char line[128];
  int64_t offset_ns = 0;
  long long seconds = 0, nanoseconds = 0;
  while (std::fgets(line, sizeof line, file) != nullptr)
    if (std::sscanf(line, "boottime %lld %lld", &seconds, &nanoseconds) == 2)
      offset_ns = seconds * kSecond + nanoseconds;
  std::fclose(file);
  return offset_ns;
}

// Two clocks of one boot that run apart are two boots, as far as their moments can be compared.
BootId in_time_namespace(BootId id, int64_t boot_offset_ns) {
  if (boot_offset_ns != 0) id.low ^= mix(static_cast<uint64_t>(boot_offset_ns));
  return id;
}

BootId read_boot_id() {
  BootId id;
  std::FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "re");
  if (file == nullptr) return unknown_boot();
  unsigned a, b, c, d;
  unsigned long long e;
  if (std::fscanf(file, "%8x-%4x-%4x-%4x-%12llx", &a, &b, &c, &d, &e) == 5) {
    id.high = (uint64_t{a} << 32) | (b << 16) | c;
    id.low = (uint64_t{d} << 48) | e;
  } else {
    id = unknown_boot();
  }
  std::fclose(file);
  return in_time_namespace(id, read_boot_offset_ns());
}

}  // namespace stampede
