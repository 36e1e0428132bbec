// A TCP relay on loopback between a client and a server, which does to their connections what
// networks do, at the moment a test says so, and counts what passed.
//
//   client ── to_server ──▶ relay ── to_server ──▶ server
//   client ◀── to_client ── relay ◀── to_client ── server
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "await.h"

namespace stampede::servers {

enum class Direction { to_server, to_client };
enum class Times { never, once, always };

struct RelayCounts {
  uint64_t accepted = 0;         // connections since the start
  uint64_t open = 0;             // connections now
  uint64_t bytes_to_server = 0;  // that the relay handed over
  uint64_t bytes_to_client = 0;
  uint64_t swallowed_requests = 0;  // each with its connection cut
  uint64_t swallowed_replies = 0;
  uint64_t forged_replies = 0;
};

// What comes in place of a reply, and after it.
struct Forgery {
  enum class Then {
    pass,     // the next replies as they are
    silence,  // nothing more on this connection, which stays open
    close,    // FIN
    flood,    // more bytes of no meaning, for as long as they are taken
  };
  std::string bytes;
  Then then = Then::pass;
  std::chrono::milliseconds drip{0};  // between two bytes
};

inline const std::string kGarbage{"\x00\xff not RESP \x7f\r\n", 15};
inline const std::string kHalfReply{"$64\r\nhalf of what was prom"};
inline const std::string kHugeBulk{"$536870912\r\n"};

// A thread of its own moves the bytes; any thread may call. A call returns when it is in force: what
// has not yet been handed over by then is subject to it. Connections made while the server is down
// are reset.
class Relay {
 public:
  explicit Relay(uint16_t server_port);
  ~Relay();
  Relay(const Relay&) = delete;

  uint16_t port() const { return port_; }
  // Where the connections of the future go: the server has moved.
  void redirect(uint16_t server_port);

  // Every byte waits so long; zero ends it, after the bytes that wait.
  void delay(Direction direction, std::chrono::milliseconds time);
  // Accepts connections and forwards nothing in either direction, until resume().
  void pause();
  void resume();
  // Every connection is reset now, both sides of it; what waited in the relay is lost.
  void cut();
  // Connections are refused from now on; those there are stay.
  void refuse();
  void accept();  // again, on the same port

  // The next bytes that go this way are dropped and their connection is cut. A reply that is
  // swallowed is of a request that was executed; a request that is swallowed never was.
  void swallow(Direction direction, Times times);

  // The nth reply from now (1: the next), whichever connection it comes by, is replaced. The replies
  // are RESP, and every connection is between two replies at the time of the call. One at a time: the
  // last call counts.
  void forge_reply(uint64_t nth, Forgery forgery);
  // Bytes that nobody asked for, to every client now connected.
  void inject(const std::string& bytes);

  // With everything in it that a client or server can have noticed.
  RelayCounts counts();
  // Whether the counts have become so in time.
  bool await_counts(const std::function<bool(const RelayCounts&)>& are_so,
                    std::chrono::milliseconds patience = kPatience) const;

 private:
  struct Connection;
  struct Flow;
  using Clock = std::chrono::steady_clock;

  void on_thread(std::function<void()> job);  // waits until it has run
  void run();
  void await_events();
  void run_jobs();
  void accept_all();
  void pump(Connection& connection);
  void receive(Connection& connection, Flow& flow, Direction direction);
  void take_in(Connection& connection, Flow& flow, Direction direction, std::string bytes);
  bool swallows(Connection& connection, Direction direction);
  std::string with_forgery(Flow& flow, std::string bytes);
  void drip(Flow& flow, const std::string& bytes);
  void hand_over(Connection& connection, Flow& flow, uint64_t& count);
  void publish();

  const uint16_t port_;
  const int wake_fd_;  // eventfd: there are jobs

  std::mutex jobs_mutex_;
  std::vector<std::function<void()>> jobs_;

  // Of the relay's thread alone.
  uint16_t server_port_;
  int listener_ = -1;
  std::list<Connection> connections_;
  bool is_paused_ = false;
  bool is_ending_ = false;
  std::chrono::milliseconds delays_[2]{};
  Times swallowing_[2]{};
  uint64_t replies_to_forgery_ = 0;  // 0: none is forged
  Forgery forgery_;
  RelayCounts now_;

  mutable std::mutex counts_mutex_;
  mutable std::condition_variable counts_changed_;
  RelayCounts counts_;

  std::thread thread_;
};

}  // namespace stampede::servers
