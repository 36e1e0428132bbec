// The operators' listener while the node starts: until the shards turn, this answers its probes and reports how far the start is.
//
//   GET /healthz   200 {"ok":true,"starting":"reading the order log","percent":42,"seconds_left":3}
//   GET /readyz    503 {"ready":false,"reasons":["starting: reading the order log: 42 %, 3 s left"],"warnings":[]}
//
// Everything else is 503. One client at a time, at most a second each; a thread of its own.
//
// A client of a listener that another process has opened (the service manager, or the server whose place is taken) first waits in
// its queue for half a second: most starts are over by then, and the shards answer it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/progress.h"
#include "net/address.h"
#include "net/net.h"

namespace stampede::node {

class StartAnswers {
 public:
  // Null when the address cannot be listened at: the start itself will report that.
  [[nodiscard]] static std::unique_ptr<StartAnswers> open(const net::Address& address,
                                                          const Progress& progress);
  // At listeners that stay open behind it.
  [[nodiscard]] static std::unique_ptr<StartAnswers> at(const std::vector<net::Socket>& passed,
                                                        const Progress& progress);
  // Its own address is free again.
  ~StartAnswers();
  StartAnswers(const StartAnswers&) = delete;

 private:
  StartAnswers(std::vector<net::Socket> listeners, std::optional<net::Address> own,
               const Progress& progress);

  void run();
  bool leave_in_queue();
  void take_client(net::Socket listener) const;
  void answer(int client) const;

  const std::vector<net::Socket> listeners_;
  const std::optional<net::Address> own_;  // the address; none: they were passed
  const Progress& progress_;
  std::mutex mutex_;  // guards the next
  bool is_ending_ = false;
  std::condition_variable ends_;
  std::thread thread_;
};

}  // namespace stampede::node
