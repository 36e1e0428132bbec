#include "base/clock.h"

#include <time.h>

#include <cstdio>

namespace stampede {
namespace {

int64_t read_clock(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

}  // namespace

Moment SystemClock::now() {
  return {.wall_ns = read_clock(CLOCK_REALTIME), .boot_ns = read_clock(CLOCK_BOOTTIME)};
}

BootId read_boot_id() {
  BootId id;
  std::FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "re");
  if (file == nullptr) return id;
  unsigned a, b, c, d;
  unsigned long long e;
  if (std::fscanf(file, "%8x-%4x-%4x-%4x-%12llx", &a, &b, &c, &d, &e) == 5) {
    id.high = (uint64_t{a} << 32) | (b << 16) | c;
    id.low = (uint64_t{d} << 48) | e;
  }
  std::fclose(file);
  return id;
}

}  // namespace stampede
