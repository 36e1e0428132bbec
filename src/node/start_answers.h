// The operators' listener while the node starts: until the shards turn, this answers its probes and says how far the start is.
//
//   GET /healthz   200 {"ok":true,"starting":"reading the order log","percent":42,"seconds_left":3}
//   GET /readyz    503 {"ready":false,"reasons":["starting: reading the order log: 42 %, 3 s left"],"warnings":[]}
//
// Everything else is 503. One client at a time, at most a second each; a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/progress.h"
#include "net/address.h"
#include "net/net.h"

namespace stampede::node {

class StartAnswers {
 public:
  // Null when the address cannot be listened at: the start itself will say so.
  [[nodiscard]] static std::unique_ptr<StartAnswers> open(const net::Address& address,
                                                          const Progress& progress);
  // The address is free again.
  ~StartAnswers();
  StartAnswers(const StartAnswers&) = delete;

 private:
  StartAnswers(net::Address address, net::Socket listener, const Progress& progress);

  void run();
  void answer(int client) const;

  const net::Address address_;
  const net::Socket listener_;
  const Progress& progress_;
  std::atomic<bool> is_ending_{false};
  std::thread thread_;
};

}  // namespace stampede::node
