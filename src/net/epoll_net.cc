#include "net/epoll_net.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/clock.h"

namespace stampede::net {
namespace {

constexpr int64_t kWaitNsMax = 3600 * kSecond;  // of one wait in milliseconds, which are an int

// Of an epoll within the epoll; no owner's token.
constexpr uint64_t kNestedToken = UINT64_MAX;

int open_epoll() {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fatal(kExitFailure, "epoll_create1: %s", std::strerror(errno));
  return epoll;
}

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
Io failed_io(int error) {
  if (error == EAGAIN || error == EINTR) return {Io::Status::would_block, 0};
  CHECK(error != EBADF);
  CHECK(error != EFAULT);
  return {Io::Status::closed, 0};
}

// For fewer, calls of their own cost less.
constexpr size_t kRingMin = 3;

}  // namespace

EpollNet::EpollNet(DescriptorBudget* budget) : epoll_(open_epoll()), budget_(budget) {
  for (int& ranked : ranked_epolls_) {
    ranked = open_epoll();
    CHECK(watch(ranked, kNestedToken, Interest::read));
  }
  reserve_ = open_reserve();
}

EpollNet::~EpollNet() {
  if (reserve_ >= 0) ::close(reserve_);
  for (const int ranked : ranked_epolls_) ::close(ranked);
  ::close(epoll_);
}

int EpollNet::epoll_of(Socket socket) const {
  const auto index = static_cast<size_t>(socket);
  const Rank rank = index < ranks_.size() ? ranks_[index] : Rank::usual;
  return rank == Rank::usual ? epoll_ : ranked_epolls_[static_cast<unsigned>(rank)];
}

void EpollNet::set_rank(Socket socket, uint64_t token, Interest interest, Rank rank) {
  const auto index = static_cast<size_t>(socket);
  if (index >= ranks_.size()) ranks_.resize(2 * index + 1, Rank::usual);
  const Rank before = ranks_[index];
  if (before == rank) return;
  epoll_event event{.events = epoll_bits(interest), .data = {.u64 = token}};
  unwatch(socket);
  if (before != Rank::usual) --ranked_[static_cast<unsigned>(before)];
  if (rank != Rank::usual) ++ranked_[static_cast<unsigned>(rank)];
  ranks_[index] = rank;
  // The place that was just given back is taken again; only another process can have been quicker.
  if (::epoll_ctl(epoll_of(socket), EPOLL_CTL_ADD, socket, &event) < 0)
    fatal(kExitFailure, "epoll_ctl: %s", std::strerror(errno));
}

// At the end of the room in front of the usual ones, the better rank first.
size_t EpollNet::take_ranked() {
  size_t count = 0;
  for (unsigned rank = kBetterRanks; rank-- > 0;) {
    if (ranked_[rank] == 0) continue;
    const int ready =
        ::epoll_wait(ranked_epolls_[rank], ranked_events_.data(), kRankedEventsMax, 0);
    CHECK(ready >= 0 || errno == EINTR);
    for (int i = ready; i-- > 0;) events_[kRankedRoom - ++count] = event_of(ranked_events_[i]);
  }
  return count;
}

// epoll_pwait2() is of Linux 5.11; kernels before it say ENOSYS and seccomp filters that do not know
// it EPERM. Then waits are whole milliseconds, rounded up: a wait that is too short would spin.
int EpollNet::wait_for_events(int64_t wait_ns) {
  const int capacity = static_cast<int>(kernel_events_.size());
  if (wait_ns > 0 && has_pwait2_) {
    const timespec wait{.tv_sec = wait_ns / kSecond, .tv_nsec = wait_ns % kSecond};
    const int ready = ::epoll_pwait2(epoll_, kernel_events_.data(), capacity, &wait, nullptr);
    if (ready >= 0 || (errno != ENOSYS && errno != EPERM)) return ready;
    has_pwait2_ = false;
  }
  const int64_t wait_ms = (std::min(wait_ns, kWaitNsMax) + kMillisecond - 1) / kMillisecond;
  return ::epoll_wait(epoll_, kernel_events_.data(), capacity,
                      wait_ns < 0 ? -1 : static_cast<int>(wait_ms));
}

std::span<const Event> EpollNet::poll(int64_t wait_ns) {
  size_t ranked = take_ranked();
  const int ready = wait_for_events(ranked > 0 ? 0 : wait_ns);
  CHECK(ready >= 0 || errno == EINTR);
  size_t usual = 0;
  bool is_nested_ready = false;
  for (int i = 0; i < ready; ++i) {
    if (kernel_events_[i].data.u64 == kNestedToken)
      is_nested_ready = true;
    else
      events_[kRankedRoom + usual++] = event_of(kernel_events_[i]);
  }
  if (is_nested_ready && ranked == 0) ranked = take_ranked();
  ++counters_.polls;
  counters_.events += ranked + usual;
  return {events_.data() + kRankedRoom - ranked, ranked + usual};
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
  if (accepted.status == Accepted::Status::accepted)
    return count(take_place(accepted, listener == preferred_));
  if (accepted.status != Accepted::Status::exhausted) return count(accepted);
  return count(accept_with_reserve(listener));
}

Accepted EpollNet::adopt(Socket socket, bool is_preferred) {
  return count(take_place({Accepted::Status::accepted, socket}, is_preferred));
}

Accepted EpollNet::take_place(Accepted accepted, bool is_preferred) {
  if (budget_ != nullptr && !budget_->take(is_preferred)) {
    accepted.is_beyond = true;
    accepted.has_spare = budget_->take_beyond();
  }
  const auto index = static_cast<size_t>(accepted.socket);
  if (index >= is_accepted_.size()) is_accepted_.resize(2 * index + 1);
  is_accepted_[index] = true;
  return accepted;
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
  if (::epoll_ctl(epoll_of(socket), EPOLL_CTL_ADD, socket, &event) == 0) return true;
  CHECK(errno == ENOMEM || errno == ENOSPC);  // ENOSPC: /proc/sys/fs/epoll/max_user_watches
  return false;
}

void EpollNet::rewatch(Socket socket, uint64_t token, Interest interest) {
  epoll_event event{.events = epoll_bits(interest), .data = {.u64 = token}};
  CHECK(::epoll_ctl(epoll_of(socket), EPOLL_CTL_MOD, socket, &event) == 0);
}

void EpollNet::unwatch(Socket socket) {
  CHECK(::epoll_ctl(epoll_of(socket), EPOLL_CTL_DEL, socket, nullptr) == 0);
}

// `bytes` of a read or a write: what recv(2) or send(2) has returned, or −errno.

Io EpollNet::count_read(ssize_t bytes) {
  ++counters_.reads;
  if (bytes == 0) return {Io::Status::closed, 0};
  if (bytes < 0) return failed_io(static_cast<int>(-bytes));
  counters_.bytes_read += static_cast<size_t>(bytes);
  return {Io::Status::ok, static_cast<size_t>(bytes)};
}

Io EpollNet::count_write(ssize_t bytes, size_t asked) {
  ++counters_.writes;
  if (bytes < 0) return failed_io(static_cast<int>(-bytes));
  const size_t written = static_cast<size_t>(bytes);
  counters_.bytes_written += written;
  if (written < asked) ++counters_.writes_short;
  return {Io::Status::ok, written};
}

Io EpollNet::read(Socket socket, std::span<char> into) {
  CHECK(!into.empty());
  const ssize_t bytes = ::recv(socket, into.data(), into.size(), 0);
  return count_read(bytes < 0 ? -errno : bytes);
}

Io EpollNet::write(Socket socket, std::span<const char> from) {
  CHECK(!from.empty());
  const ssize_t bytes = ::send(socket, from.data(), from.size(), MSG_NOSIGNAL);
  return count_write(bytes < 0 ? -errno : bytes, from.size());
}

SocketRing* EpollNet::ring_for(size_t count) {
  if (count < kRingMin) return nullptr;
  if (!ring_) ring_ = SocketRing::open();
  return ring_->get();
}

void EpollNet::read_all(std::span<Read> reads) {
  SocketRing* const ring = ring_for(reads.size());
  if (ring == nullptr) return Net::read_all(reads);
  ring->read(reads, [&](size_t i, ssize_t bytes) { reads[i].io = count_read(bytes); });
}

void EpollNet::write_all(std::span<Write> writes) {
  SocketRing* const ring = ring_for(writes.size());
  if (ring == nullptr) return Net::write_all(writes);
  ring->write(writes, [&](size_t i, ssize_t bytes) {
    writes[i].io = count_write(bytes, writes[i].from.size());
  });
}

// ENOTCONN: the peer was faster.
void EpollNet::shut_down_write(Socket socket) {
  CHECK(::shutdown(socket, SHUT_WR) == 0 || errno == ENOTCONN);
}

// Of an accepted connection there is one descriptor, so that closing it ends its watch.
// The descriptor is free even when close() reports an error (close(2), "Dealing with error
// returns"); only a wrong number is a bug.
void EpollNet::close(Socket socket) {
  const auto index = static_cast<size_t>(socket);
  if (index < ranks_.size() && ranks_[index] != Rank::usual) {
    --ranked_[static_cast<unsigned>(ranks_[index])];
    ranks_[index] = Rank::usual;
  }
  if (index < is_accepted_.size() && is_accepted_[index]) {
    is_accepted_[index] = false;
    if (budget_ != nullptr) budget_->give();
  } else {
    // A listener of several shards stays open at the others, and closing one of its descriptors would not end the
    // watch. ENOENT: it was not watched.
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
  }
  CHECK(::close(socket) == 0 || errno != EBADF);
}

void EpollNet::reset(Socket socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(socket);
}

void EpollNet::limit_connections(uint32_t most) {
  if (budget_ != nullptr) budget_->limit(most);
}

Address EpollNet::peer_of(Socket socket) {
  sockaddr_storage peer{};
  socklen_t bytes = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &bytes) < 0) return {};
  return from_kernel(peer, bytes);
}

}  // namespace stampede::net
