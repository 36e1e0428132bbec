// A network in memory: clients of a test on one side, net::Net on the other, nothing in between but two queues of
// bytes for each connection. One thread, no kernel, no time: the same calls give the same events, so that a fault
// found once is found again.
//
// It keeps the promises of net::Net that EpollNet keeps, and the habits of a kernel that servers stumble over:
//
//   events       level-triggered, in the order of the sockets, a different one first each time; those of one poll stay
//                as they are, whatever is closed meanwhile
//   window       a client that reads nothing stops the server's writes when `window` bytes are unread
//   close        of a socket with unread input resets the connection, and the client loses the answers that it had not
//                read yet (RFC 9112 section 9.6)
//   reset        is told whatever the interest, until the socket is closed
//   descriptors  accepted sockets count against a limit; behind it one reserve, as EpollNet has it
//
// Numbers of sockets are never used twice, and one that is used after its close ends the process: with descriptors it
// would be somebody else's socket. Descriptors of the kernel (a doorbell, a disk's event) may be watched beside: a poll
// asks the kernel about them without waiting.
//
// With a clock a poll that finds nothing moves it by the time that it would have slept.
#pragma once

#include <poll.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_clock.h"
#include "net/net.h"

namespace stampede::world {

// The client's end of one connection. Belongs to its FakeNet and lives as long.
class FakeClient {
 public:
  // ---- what the client does ----

  // More bytes for the server. A server that is gone answers with a reset.
  void send(std::string_view bytes);
  // The server's reads end at each of these pieces: "split at every byte" without a turn for each.
  void send_pieces(std::string_view bytes, size_t piece_bytes);
  // What has arrived, at most that many bytes; taken from the window.
  std::string read(size_t bytes_max = SIZE_MAX);
  // It sends no more and still reads.
  void half_close();
  // It closes: with unread answers that is a reset, and otherwise the server's next write is answered with one.
  void close();
  void reset();

  // Answers that lie here unread, at most; the server cannot write beyond it. Unlimited at first.
  void set_window(size_t bytes) { window_ = bytes; }

  // ---- what it finds ----

  size_t unread_bytes() const { return inbound_.size(); }
  bool is_accepted() const { return socket_ != net::kNoSocket; }
  // The server has written its last byte: the end comes behind what is unread.
  bool sees_end() const { return server_wrote_last_; }
  // The server reset the connection, or closed it over bytes that it had not read.
  bool was_reset() const { return was_reset_; }
  bool is_open_at_server() const { return is_accepted() && !server_closed_; }
  // Where it comes from; 127.0.0.1 at first.
  void set_address(const net::Address& address) { address_ = address; }
  // The server's number of it.
  net::Socket socket() const { return socket_; }
  // Bytes sent that the server has not read.
  size_t unread_by_server() const;

 private:
  friend class FakeNet;

  void lose_everything();

  net::Socket socket_ = net::kNoSocket;
  std::deque<std::string> outbound_;  // pieces; one read of the server takes from one piece
  std::string inbound_;
  size_t window_ = SIZE_MAX;
  net::Address address_{.ip = {127, 0, 0, 1}};
  bool sent_last_ = false;  // half-closed or closed
  bool is_closed_ = false;  // wholly: a write is answered with a reset
  bool was_reset_ = false;
  bool server_wrote_last_ = false;  // shut down or closed
  bool server_closed_ = false;
};

class FakeNet final : public net::Net {
 public:
  explicit FakeNet(FakeClock* clock = nullptr) : clock_(clock) {}

  // ---- the world's side ----

  // A listening socket for the server.
  net::Socket listen();
  // A client waits at it. Refused (the client is reset) when the listener is closed.
  FakeClient& connect(net::Socket listener);

  // Accepted sockets that may be open at once; behind it a client is shed with the reserve, or kept waiting without.
  void set_descriptors_max(size_t count) { descriptors_max_ = count; }
  void set_has_reserve(bool has_reserve) { has_reserve_ = has_reserve; }
  // Accepted sockets that have a place of their own; those behind are let in as beyond it.
  void set_places_max(size_t count) { places_max_ = count; }
  net::Rank rank_of(net::Socket socket) const {
    return ends_.at(static_cast<size_t>(socket - kFirstSocket)).rank;
  }
  uint32_t connections_limit() const { return connections_limit_; }
  // The next accepts say this, whatever waits there (aborted, exhausted), before they go on as usual.
  void script_accepts(std::initializer_list<net::Accepted::Status> outcomes);
  // Sockets that may be watched at once.
  void set_watches_max(size_t count) { watches_max_ = count; }
  // One read and one write move at most so many bytes.
  void set_read_bytes_max(size_t bytes) { read_bytes_max_ = bytes; }
  void set_write_bytes_max(size_t bytes) { write_bytes_max_ = bytes; }

  // ---- what it has seen ----

  size_t open_sockets() const;  // accepted and not closed
  bool is_listening(net::Socket listener) const;
  // The server's process is gone: its kernel resets every connection. With `is_silent` its machine is gone, and a client learns
  // of that when it sends again.
  void die(bool is_silent);
  // How long the last poll, or the wait_for() in front of it, was allowed to sleep, in ns; < 0: for ever.
  int64_t last_wait_ns() const { return last_wait_ns_; }
  size_t last_events() const { return events_.size(); }
  // Polls that were not to sleep at all. A server at rest makes none.
  uint64_t polls_without_rest() const { return polls_without_rest_; }

  // ---- net::Net ----

  std::span<const net::Event> poll(int64_t wait_ns) override;
  void wait_for(std::span<const net::Socket> sockets, int64_t wait_ns) override;
  net::Accepted accept(net::Socket listener) override;
  net::Accepted adopt(net::Socket socket, bool is_preferred) override;
  [[nodiscard]] bool watch(net::Socket socket, uint64_t token, net::Interest interest) override;
  void rewatch(net::Socket socket, uint64_t token, net::Interest interest) override;
  void unwatch(net::Socket socket) override;
  void set_rank(net::Socket socket, uint64_t token, net::Interest interest,
                net::Rank rank) override;
  net::Io read(net::Socket socket, std::span<char> into) override;
  net::Io write(net::Socket socket, std::span<const char> from) override;
  void shut_down_write(net::Socket socket) override;
  void close(net::Socket socket) override;
  void reset(net::Socket socket) override;
  void limit_connections(uint32_t most) override { connections_limit_ = most; }
  net::Address peer_of(net::Socket socket) override;
  const net::NetCounters& counters() const override { return counters_; }

  // Numbers below are descriptors of the kernel.
  static constexpr net::Socket kFirstSocket = 1 << 20;

 private:
  struct End {
    enum class Kind : uint8_t { listener, connection, kernel } kind = Kind::kernel;
    FakeClient* client = nullptr;     // connection
    std::deque<FakeClient*> waiting;  // listener
    bool is_open = true;
    bool is_watched = false;
    uint64_t token = 0;
    net::Interest interest = net::Interest::none;
    net::Rank rank = net::Rank::usual;
  };
  struct KernelWatch {
    net::Socket socket;
    uint64_t token;
    net::Interest interest;
  };

  End& open_end(net::Socket socket, End::Kind kind);
  net::Socket add_end(End end);
  bool is_ready(const End& end, net::Event& event) const;
  void add_kernel_events();
  void add_events_of_ends();
  net::Accepted admit(End& listener);
  void forget(net::Socket socket);

  FakeClock* clock_;
  std::vector<End> ends_;  // by socket − kFirstSocket
  std::vector<KernelWatch> kernel_watches_;
  std::vector<pollfd> looks_;
  std::vector<std::unique_ptr<FakeClient>> clients_;
  std::deque<net::Accepted::Status> script_;
  std::vector<net::Event> events_;
  std::array<std::vector<net::Event>, 3> of_rank_;
  size_t first_of_poll_ = 0;
  size_t descriptors_max_ = SIZE_MAX;
  size_t places_max_ = SIZE_MAX;
  uint32_t connections_limit_ = 0;
  size_t watches_max_ = SIZE_MAX;
  size_t watches_ = 0;
  size_t read_bytes_max_ = SIZE_MAX;
  size_t write_bytes_max_ = SIZE_MAX;
  bool has_reserve_ = true;
  int64_t last_wait_ns_ = 0;
  int64_t waited_for_ns_ = 0;  // since the last poll
  uint64_t polls_without_rest_ = 0;
  net::NetCounters counters_;
};

}  // namespace stampede::world
