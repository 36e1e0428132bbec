// Many reads or writes of sockets in one call of the kernel, by io_uring.
//
//   read_all({a, b, c})   ──▶ three recv(2) in one io_uring_enter(2) ──▶ bytes, or −errno, of each
//
// What is shared is the way into the kernel and out of it, which costs as much as a tenth of an order's whole way. Nothing is
// asynchronous: each operation is told not to wait (MSG_DONTWAIT), so all of them are done when the call returns. Readiness is
// still epoll's.
//
// Belongs to the thread that opened it.
#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <span>

#include "base/check.h"
#include "net/net.h"

namespace stampede::net {

class SocketRing {
 public:
  // Null where the kernel, or a filter of system calls, has no io_uring.
  [[nodiscard]] static std::unique_ptr<SocketRing> open();
  ~SocketRing();
  SocketRing(const SocketRing&) = delete;
  SocketRing& operator=(const SocketRing&) = delete;

  // result(i, bytes) for each, in any order; bytes as recv(2) and send(2) return them, or −errno.
  template <typename Result>
  void read(std::span<const Read> reads, Result&& result) {
    run(
        reads.size(),
        [&](io_uring_sqe* entry, size_t i) {
          io_uring_prep_recv(entry, reads[i].socket, reads[i].into.data(), reads[i].into.size(),
                             MSG_DONTWAIT);
        },
        result);
  }
  template <typename Result>
  void write(std::span<const Write> writes, Result&& result) {
    run(
        writes.size(),
        [&](io_uring_sqe* entry, size_t i) {
          io_uring_prep_send(entry, writes[i].socket, writes[i].from.data(), writes[i].from.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        },
        result);
  }

 private:
  static constexpr unsigned kEntries = 256;  // in one call

  explicit SocketRing(const io_uring& ring) : ring_(ring) {}
  void submit(unsigned count);

  template <typename Prepare, typename Result>
  void run(size_t count, Prepare&& prepare, Result&& result) {
    for (size_t begin = 0; begin < count; begin += kEntries) {
      const size_t end = std::min(count, begin + kEntries);
      for (size_t i = begin; i < end; ++i) {
        io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
        CHECK(entry != nullptr);  // the ring is empty between two calls
        prepare(entry, i);
        entry->user_data = i;
      }
      submit(static_cast<unsigned>(end - begin));
      for (size_t i = begin; i < end; ++i) {
        io_uring_cqe* done = nullptr;
        CHECK(io_uring_peek_cqe(&ring_, &done) == 0);
        result(static_cast<size_t>(done->user_data), done->res);
        io_uring_cqe_seen(&ring_, done);
      }
    }
  }

  io_uring ring_;
};

}  // namespace stampede::net
