#include "net/socket_ring.h"

#include <cerrno>

#include "base/check.h"

namespace stampede::net {
namespace {

// Best first; an older kernel answers EINVAL to what it does not know. Each operation of a call is tried, whatever became of
// those before it.
constexpr unsigned kSetups[] = {
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
    IORING_SETUP_SUBMIT_ALL,
};

}  // namespace

std::unique_ptr<SocketRing> SocketRing::open() {
  io_uring ring;
  for (const unsigned flags : kSetups)
    if (io_uring_queue_init(kEntries, &ring, flags) == 0)
      return std::unique_ptr<SocketRing>(new SocketRing(ring));
  return nullptr;
}

SocketRing::~SocketRing() {
  io_uring_queue_exit(&ring_);
}

// A signal, or a moment without memory, may end the call before all have been taken.
void SocketRing::submit(unsigned count) {
  while (io_uring_sq_ready(&ring_) > 0 || io_uring_cq_ready(&ring_) < count) {
    const int result = io_uring_submit_and_wait(&ring_, count);
    CHECK(result >= 0 || result == -EINTR || result == -EAGAIN || result == -ENOMEM);
  }
}

}  // namespace stampede::net
