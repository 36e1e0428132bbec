#include "cluster/interruption.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace stampede::cluster {

Interruption::Interruption() : eventfd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (eventfd_ < 0) fatal(kExitFailure, "eventfd: %s", std::strerror(errno));
}

Interruption::~Interruption() {
  ::close(eventfd_);
}

void Interruption::interrupt() {
  const uint64_t one = 1;
  CHECK(::write(eventfd_, &one, sizeof one) == sizeof one);
}

bool Interruption::has_come() const {
  pollfd entry = {.fd = eventfd_, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace stampede::cluster
