#include "net/epoll_net.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"

namespace stampede::net {
namespace {

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

// EPOLLRDHUP only for readers: a connection that is not being read must not be woken again and
// again by an end that it does not want to hear of yet.
uint32_t epoll_bits(Interest interest) {
  switch (interest) {
    case Interest::none:
      return 0;
    case Interest::read:
      return EPOLLIN | EPOLLRDHUP;
    case Interest::write:
      return EPOLLOUT;
    case Interest::read_write:
      return EPOLLIN | EPOLLRDHUP | EPOLLOUT;
  }
  CHECK(false);
}

Event event_of(const epoll_event& kernel) {
  return {.token = kernel.data.u64,
          .readable = (kernel.events & EPOLLIN) != 0,
          .writable = (kernel.events & EPOLLOUT) != 0,
          .half_closed = (kernel.events & EPOLLRDHUP) != 0,
          .broken = (kernel.events & (EPOLLERR | EPOLLHUP)) != 0};
}

int wait_for_events(int epoll, std::span<epoll_event> events, int64_t wait_ns) {
  const int capacity = static_cast<int>(events.size());
  if (wait_ns <= 0) return ::epoll_wait(epoll, events.data(), capacity, wait_ns < 0 ? -1 : 0);
  const timespec wait{.tv_sec = wait_ns / kSecond, .tv_nsec = wait_ns % kSecond};
  return ::epoll_pwait2(epoll, events.data(), capacity, &wait, nullptr);
}

Accepted accept_once(Socket listener) {
  const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) return {Accepted::Status::accepted, socket};
  switch (errno) {
    case EAGAIN:
      return {Accepted::Status::none};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return {Accepted::Status::exhausted};
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EFAULT:
      fatal(kExitFailure, "accept on descriptor %d: %s", listener, std::strerror(errno));
    // accept(2), "Error handling": errors that already wait on the new socket are reported here and
    // concern that client.
    default:
      return {Accepted::Status::aborted};
  }
}

// Whatever else the kernel says of a connection (reset, timed out, no route) means that it is of no
// more use.
Io failed_io() {
  if (errno == EAGAIN || errno == EINTR) return {Io::Status::would_block, 0};
  CHECK(errno != EBADF);
  CHECK(errno != EFAULT);
  return {Io::Status::closed, 0};
}

}  // namespace

EpollNet::EpollNet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), reserve_(open_reserve()) {
  if (epoll_ < 0) fatal(kExitFailure, "epoll_create1: %s", std::strerror(errno));
}

EpollNet::~EpollNet() {
  if (reserve_ >= 0) ::close(reserve_);
  ::close(epoll_);
}

std::span<const Event> EpollNet::poll(int64_t wait_ns) {
  const int ready = wait_for_events(epoll_, kernel_events_, wait_ns);
  CHECK(ready >= 0 || errno == EINTR);
  const size_t count = ready > 0 ? static_cast<size_t>(ready) : 0;
  for (size_t i = 0; i < count; ++i) events_[i] = event_of(kernel_events_[i]);
  ++counters_.polls;
  counters_.events += count;
  return {events_.data(), count};
}

void EpollNet::wait_for(std::span<const Socket> sockets, int64_t wait_ns) {
  constexpr size_t kSocketsMax = 4;
  CHECK(sockets.size() <= kSocketsMax);
  pollfd watched[kSocketsMax];
  for (size_t i = 0; i < sockets.size(); ++i)
    watched[i] = {.fd = sockets[i], .events = POLLIN, .revents = 0};
  const timespec wait = {.tv_sec = wait_ns / 1'000'000'000, .tv_nsec = wait_ns % 1'000'000'000};
  ::ppoll(watched, sockets.size(), &wait, nullptr);  // whatever it says, poll() looks
}

Accepted EpollNet::accept(Socket listener) {
  if (reserve_ < 0) reserve_ = open_reserve();
  const Accepted accepted = accept_once(listener);
  if (accepted.status != Accepted::Status::exhausted) return count(accepted);
  return count(accept_with_reserve(listener));
}

// Another shard may take the descriptor between close and accept, or before the reserve is open
// again: then the answer is `exhausted`, and the first call that finds room opens the reserve
// before anything else.
Accepted EpollNet::accept_with_reserve(Socket listener) {
  if (reserve_ >= 0) ::close(reserve_);
  reserve_ = -1;
  Accepted accepted = accept_once(listener);
  if (accepted.status == Accepted::Status::accepted) {
    ::close(accepted.socket);
    accepted = {Accepted::Status::shed};
  }
  reserve_ = open_reserve();
  return accepted;
}

Accepted EpollNet::count(Accepted accepted) {
  switch (accepted.status) {
    case Accepted::Status::accepted:
      ++counters_.accepted;
      break;
    case Accepted::Status::none:
      break;
    case Accepted::Status::aborted:
      ++counters_.accepts_aborted;
      break;
    case Accepted::Status::shed:
      ++counters_.accepts_shed;
      break;
    case Accepted::Status::exhausted:
      ++counters_.accepts_exhausted;
      break;
  }
  return accepted;
}

bool EpollNet::watch(Socket socket, uint64_t token, Interest interest) {
  epoll_event event{.events = epoll_bits(interest), .data = {.u64 = token}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0) return true;
  CHECK(errno == ENOMEM || errno == ENOSPC);  // ENOSPC: /proc/sys/fs/epoll/max_user_watches
  return false;
}

void EpollNet::rewatch(Socket socket, uint64_t token, Interest interest) {
  epoll_event event{.events = epoll_bits(interest), .data = {.u64 = token}};
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event) == 0);
}

void EpollNet::unwatch(Socket socket) {
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr) == 0);
}

Io EpollNet::read(Socket socket, std::span<char> into) {
  CHECK(!into.empty());
  const ssize_t bytes = ::recv(socket, into.data(), into.size(), 0);
  ++counters_.reads;
  if (bytes == 0) return {Io::Status::closed, 0};
  if (bytes < 0) return failed_io();
  counters_.bytes_read += static_cast<size_t>(bytes);
  return {Io::Status::ok, static_cast<size_t>(bytes)};
}

Io EpollNet::write(Socket socket, std::span<const char> from) {
  CHECK(!from.empty());
  const ssize_t bytes = ::send(socket, from.data(), from.size(), MSG_NOSIGNAL);
  ++counters_.writes;
  if (bytes < 0) return failed_io();
  const size_t written = static_cast<size_t>(bytes);
  counters_.bytes_written += written;
  if (written < from.size()) ++counters_.writes_short;
  return {Io::Status::ok, written};
}

// ENOTCONN: the peer was faster.
void EpollNet::shut_down_write(Socket socket) {
  CHECK(::shutdown(socket, SHUT_WR) == 0 || errno == ENOTCONN);
}

// The descriptor is free even when close() reports an error (close(2), "Dealing with error
// returns"); only a wrong number is a bug.
void EpollNet::close(Socket socket) {
  CHECK(::close(socket) == 0 || errno != EBADF);
}

void EpollNet::reset(Socket socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(socket);
}

Address EpollNet::peer_of(Socket socket) {
  sockaddr_storage peer{};
  socklen_t bytes = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &bytes) < 0) return {};
  return from_kernel(peer, bytes);
}

}  // namespace stampede::net
