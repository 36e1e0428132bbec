// Long polls: GET /v1/orders/{id}?wait_ms=N is answered when the order changes, at the latest after N ms.
//
// The home shard of the order either answers at once or keeps a watcher and says so; then the request waits here, until
// the watcher's notice comes or the wait is over. A wait that ends without a change asks once more, so that the answer
// is the truth of that moment. It ends early when another request of the connection waits behind it, or when the server
// stops.
//
// Belongs to its shard's thread.
#pragma once

#include <optional>
#include <unordered_map>

#include "shard/answers.h"
#include "stock/timer_wheel.h"

namespace stampede::shard {

class LongPolls {
 public:
  LongPolls(Answers& answers, uint32_t places_max, Moment now)
      : answers_(answers), wheel_(places_max, now.boot_ns) {}

  // The request goes to its home shard as a watch.
  void begin(const OrderRequest& request, unsigned wait_ms);
  // The home shard keeps a watcher. False: the wait is over already.
  [[nodiscard]] bool wait(const ReplyTo& place, Moment now);
  // The wait is over: takes the poll out; what to ask in its stead, or nothing when it has been answered meanwhile.
  std::optional<OrderRequest> end(uint32_t place);
  // It is answered, or its connection has gone.
  void forget(uint32_t place);
  // The next place whose wait is over, or kNone; lowers `budget`.
  uint32_t next_due(Moment now, uint32_t& budget) { return wheel_.next_due(now.boot_ns, budget); }

  int64_t quiet_until_ns() const { return wheel_.quiet_until_ns(); }
  size_t size() const { return polls_.size(); }

 private:
  struct Poll {
    OrderRequest request;
    unsigned wait_ms = 0;
  };

  Answers& answers_;
  std::unordered_map<uint32_t, Poll> polls_;  // by place
  stock::TimerWheel wheel_;                   // by place
};

}  // namespace stampede::shard
