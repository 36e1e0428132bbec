// The listening sockets of one shard: what waits there is let in, some at a time; a listener rests while the process
// has no descriptor left, because it would be reported without end.
//
// Tokens carry a generation: the events of one poll stay as they are while the shard works through them, so one may
// speak of a listener that was closed a moment ago, when the server began to stop.
#pragma once

#include <vector>

#include "base/clock.h"
#include "net/net.h"
#include "shard/metrics.h"
#include "shard/request_handler.h"

namespace stampede::shard {

// What the connections of a listener are for.
struct Service {
  RequestHandler* handler = nullptr;
  bool is_public = true;  // counted as buyers' requests and answers in the metrics
};

class Listeners {
 public:
  explicit Listeners(net::Net& net, Metrics& metrics) : net_(net), metrics_(metrics) {}

  static constexpr uint64_t kTokenBit = uint64_t{1} << 62;
  static bool is_mine(uint64_t token) { return (token & kTokenBit) != 0; }

  // Owns the socket from here on. Fatal when it cannot be watched.
  void add(net::Socket socket, const Service& service);

  // Accepts what waits, at most bounds::accepts_per_turn_max: take(accepted, service) owns each.
  template <typename Take>
  void on_event(const net::Event& event, Moment now, Take take) {
    const uint32_t index = static_cast<uint32_t>(event.token);
    for (uint32_t budget = bounds::accepts_per_turn_max; budget > 0; --budget) {
      if (!is_current(event.token)) return;
      const net::Accepted accepted = net_.accept(listeners_[index].socket);
      if (accepted.status == net::Accepted::Status::accepted)
        take(accepted, listeners_[index].service);
      else if (!go_on(index, accepted.status, now))
        return;
    }
  }

  // Watches again what has rested.
  void pass_time(Moment now);
  int64_t quiet_until_ns() const;
  // Clients that wait there are reset by the kernel; events that are still to come are harmless.
  void close_all();

 private:
  struct Listener {
    net::Socket socket = net::kNoSocket;
    Service service;
    uint32_t generation = 0;
    bool is_open = true;
    bool is_watched = true;
    int64_t rest_until_ns = 0;
  };

  uint64_t token_of(uint32_t index) const;
  bool is_current(uint64_t token) const;
  bool go_on(uint32_t index, net::Accepted::Status status, Moment now);

  net::Net& net_;
  Metrics& metrics_;
  std::vector<Listener> listeners_;
};

}  // namespace stampede::shard
