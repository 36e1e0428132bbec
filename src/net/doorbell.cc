#include "net/doorbell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

// ThreadSanitizer does not model fences and says so. It loses nothing here: they order no plain
// data (the queues do that), they only decide whether a system call is made.
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

namespace stampede::net {

Doorbell::Doorbell() : eventfd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (eventfd_ < 0) fatal(kExitFailure, "eventfd: %s", std::strerror(errno));
}

Doorbell::~Doorbell() {
  ::close(eventfd_);
}

void Doorbell::lie_down() {
  is_sleeping_.store(true, std::memory_order_relaxed);
  // Pairs with the fence in ring(): either our look into the queues sees the push, or the ringer
  // sees us asleep.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Relaxed: what was pushed is ordered by its queue. A ringer that still saw the sleeper makes one
// needless wake-up.
void Doorbell::get_up() {
  is_sleeping_.store(false, std::memory_order_relaxed);
}

void Doorbell::drain() {
  uint64_t rings = 0;
  CHECK(::read(eventfd_, &rings, sizeof rings) == sizeof rings || errno == EAGAIN);
}

bool Doorbell::ring() {
  // Pairs with the fence in lie_down().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // The plain load first: while the owner is awake, its cache line stays shared and nobody writes
  // to it.
  if (!is_sleeping_.load(std::memory_order_relaxed)) return false;
  if (!is_sleeping_.exchange(false, std::memory_order_relaxed)) return false;  // another was first
  const uint64_t one = 1;
  CHECK(::write(eventfd_, &one, sizeof one) == sizeof one);
  return true;
}

}  // namespace stampede::net
