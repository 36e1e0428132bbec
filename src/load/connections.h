// All connections of one generator: opened, reopened when they break, written in batches, read and
// scanned. The outcome goes to the AnswerHandler. An order whose connection broke has an
// unknown end: it is neither sold nor failed until the server has been asked again.
//
// A handshake proves nothing: the kernel makes it, and a server at a bound of its own closes what it has accepted. A
// connection is wanted when it has brought an answer, or has stayed open for half a second. One that was not is opened
// again after a wait that doubles, and the server counts as out of reach until there is one that is wanted.
//
// Owned by one thread. The handler is called from poll() and tend() and may not call back into this
// object.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "load/connection.h"
#include "load/plan.h"
#include "load/scanner.h"
#include "load/tally.h"
#include "net/epoll_net.h"

namespace stampede::load {

class AnswerHandler {
 public:
  virtual ~AnswerHandler() = default;
  virtual void on_answer(const Attempt& attempt, const Reply& reply, int64_t now_ns) = 0;
  virtual void on_lost(const Attempt& attempt,
                       int64_t now_ns) = 0;      // sent, and no answer will come
  virtual void on_failure(Failure failure) = 0;  // once per broken connection
};

class Connections {
 public:
  Connections(const Plan& plan, uint32_t count, Clock& clock, AnswerHandler& handler);
  ~Connections();

  // Before all else: from now on the server may be out of reach.
  void begin(int64_t now_ns) { none_open_since_ns_ = now_ns; }

  // Opens closed connections whose time has come, gives up those that were silent for too long. Cheap
  // to call every turn.
  void tend(int64_t now_ns);
  // Waits at most wait_ns for answers and handles them.
  void poll(int64_t wait_ns);

  // The next connection in turn with room for an attempt; null when there is none now. When
  // users send several copies, a connection whose last order is this user's and unanswered is
  // passed over: copies race only over different connections.
  [[nodiscard]] Connection* next_with_room(const Attempt& attempt);
  // The caller has appended the request's bytes to the connection's output.
  void add_sent(Connection& connection, const Attempt& attempt, int64_t now_ns);
  void flush();

  // And none of them only just.
  bool all_open(int64_t now_ns) const {
    return open_ == connections_.size() && now_ns - opened_at_ns_ >= kSettledAfter;
  }
  uint32_t wanted() const { return wanted_; }  // open and wanted, when tend() last looked
  uint64_t in_flight() const { return in_flight_; }
  int64_t none_open_since_ns() const { return open_ > 0 ? INT64_MAX : none_open_since_ns_; }
  int connect_errno() const { return connect_errno_; }  // why the last attempt to connect failed

  // Everything that was sent and not answered, when the run ends anyway.
  template <typename Visitor>
  void each_in_flight(Visitor visit) {
    for (Connection& connection : connections_)
      for (; !connection.sent.empty(); connection.sent.pop()) visit(connection.sent.front());
  }

 private:
  static constexpr uint32_t kConnectingMax =
      256;  // below the usual backlog of a listener, so that no SYN is dropped
  static constexpr int64_t kTendInterval = 10 * kMillisecond;
  static constexpr int64_t kReopenWaitMin = 10 * kMillisecond;
  static constexpr int64_t kReopenWaitMax = 500 * kMillisecond;
  static constexpr int64_t kSettledAfter = 20 * kMillisecond;
  static constexpr int64_t kWantedAfter = 500 * kMillisecond;

  static bool is_wanted(const Connection& connection, int64_t now_ns) {
    return connection.is_answered || now_ns - connection.opened_at_ns >= kWantedAfter;
  }
  void open(Connection& connection, int64_t now_ns);
  void finish_connect(Connection& connection, int64_t now_ns);
  void fail_connect(Connection& connection, int cause, int64_t now_ns);
  void back_off(Connection& connection, int64_t now_ns);
  void close(Connection& connection, int64_t now_ns);
  void lose(Connection& connection, Failure failure, int64_t now_ns);
  void receive(Connection& connection);
  size_t take_answers(Connection& connection, std::string_view bytes, int64_t now_ns);
  void write(Connection& connection, int64_t now_ns);
  void list(Connection& connection);
  void on_event(const net::Event& event);
  uint64_t token_of(const Connection& connection) const;
  uint32_t index_of(const Connection& connection) const {
    return static_cast<uint32_t>(&connection - connections_.data());
  }

  const Plan& plan_;
  Clock& clock_;
  AnswerHandler& handler_;
  net::EpollNet net_;
  std::vector<Connection> connections_;
  Ring<uint32_t> with_room_;        // indices; may hold some that closed meanwhile
  std::vector<uint32_t> to_flush_;  // indices
  std::unique_ptr<char[]> read_buffer_;
  uint32_t open_ = 0, wanted_ = 0;
  uint32_t connecting_ = 0;
  uint64_t in_flight_ = 0;
  int64_t next_tend_ns_ = 0;
  int64_t opened_at_ns_ = 0;  // the last of them
  int64_t none_open_since_ns_ = 0;
  int connect_errno_ = 0;
};

}  // namespace stampede::load
