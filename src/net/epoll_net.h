// The network of Linux: epoll, level-triggered.
//
// Level-triggered, because a turn may then stop reading at its budget and be told again;
// edge-triggered mode would save no system call here, since a read that returns less than was asked
// for ends the reading either way.
//
// Sockets of a better rank have an epoll each rank, which is asked before the one of all others and watched by it, so that it
// ends a sleep: what they wait is one turn, however many usual sockets are ready. Nobody in a rank, no further call.
//
// A full descriptor table: epoll goes on reporting a listener whose queue cannot be emptied, and a
// shard would spin at 100 % exactly when the machine is busiest. So one descriptor is kept in
// reserve: it is closed, the client is accepted into its place and closed, and the reserve is
// opened again. The client learns at once that it will not be served. With a budget the table is
// never full by connections: who is beyond it is told to the owner, which closes somebody at once.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "bounds.h"
#include "net/descriptor_budget.h"
#include "net/net.h"
#include "net/socket_ring.h"

namespace stampede::net {

class EpollNet final : public Net {
 public:
  // Fatal when the kernel gives no epoll descriptor: there is no server without one. Accepted
  // connections take their places from `budget`, if there is one; it must outlive this.
  explicit EpollNet(DescriptorBudget* budget = nullptr);
  ~EpollNet() override;
  EpollNet(const EpollNet&) = delete;
  EpollNet& operator=(const EpollNet&) = delete;

  std::span<const Event> poll(int64_t wait_ns) override;
  void wait_for(std::span<const Socket> sockets, int64_t wait_ns) override;
  Accepted accept(Socket listener) override;
  Accepted adopt(Socket socket, bool is_preferred) override;
  [[nodiscard]] bool watch(Socket socket, uint64_t token, Interest interest) override;
  void rewatch(Socket socket, uint64_t token, Interest interest) override;
  void unwatch(Socket socket) override;
  void set_rank(Socket socket, uint64_t token, Interest interest, Rank rank) override;
  Io read(Socket socket, std::span<char> into) override;
  Io write(Socket socket, std::span<const char> from) override;
  void read_all(std::span<Read> reads) override;
  void write_all(std::span<Write> writes) override;
  void shut_down_write(Socket socket) override;
  void close(Socket socket) override;
  void reset(Socket socket) override;
  void limit_connections(uint32_t most) override;
  Address peer_of(Socket socket) override;
  const NetCounters& counters() const override { return counters_; }

  // Clients of this listener may take the places that a budget keeps.
  void prefer(Socket listener) { preferred_ = listener; }

 private:
  static constexpr unsigned kBetterRanks = 2;
  static constexpr size_t kRankedEventsMax = 128;  // of one rank in one poll
  static constexpr size_t kRankedRoom = kBetterRanks * kRankedEventsMax;

  int epoll_of(Socket socket) const;
  size_t take_ranked();
  int wait_for_events(int64_t wait_ns);
  Accepted accept_with_reserve(Socket listener);
  Accepted take_place(Accepted accepted, bool is_preferred);
  Accepted count(Accepted accepted);
  Io count_read(ssize_t bytes);
  Io count_write(ssize_t bytes, size_t asked);
  SocketRing* ring_for(size_t count);

  int epoll_ = -1;
  int reserve_ =
      -1;  // -1: lost to another thread while the table was full; taken again when there is room
  bool has_pwait2_ = true;
  DescriptorBudget* const budget_;
  Socket preferred_ = kNoSocket;
  std::array<int, kBetterRanks> ranked_epolls_;
  std::array<uint32_t, kBetterRanks> ranked_{};  // sockets in them
  std::vector<Rank> ranks_;                      // by descriptor; beyond its end: usual
  std::vector<bool> is_accepted_;                // by descriptor: it holds a place
  NetCounters counters_;
  // Of the thread that first has use for it; null: there is none to be had.
  std::optional<std::unique_ptr<SocketRing>> ring_;
  std::array<epoll_event, bounds::events_per_turn_max> kernel_events_;
  std::array<epoll_event, kRankedEventsMax> ranked_events_;
  // Those of better rank end where the others begin.
  std::array<Event, kRankedRoom + bounds::events_per_turn_max> events_;
};

}  // namespace stampede::net
