// The operators' listener while the node starts: until the shards turn, this answers its probes and reports how far the start is.
//
//   GET /healthz   200 {"ok":true,"starting":"reading the order log","percent":42,"seconds_left":3}
//   GET /readyz    503 {"ready":false,"reasons":["starting: reading the order log: 42 %, 3 s left"],"warnings":[]}
//
// Everything else is 503. A client has a second for everything that it asks, however it drips; 64 are read side by side, others wait in
// the queue. The end waits for none of them. A thread of its own.
//
// A client of a listener that another process has opened (the service manager, or the server whose place is taken) first waits in
// its queue for half a second: most starts are over by then, and the shards answer it.
#pragma once

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/progress.h"
#include "http/parser.h"
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

  struct Client {
    net::Socket socket;
    int64_t leave_by_ns;  // boot time
    std::string input;
  };

  void run();
  bool is_ended_within(int wait_ms) const;
  std::vector<pollfd> waits() const;
  void take_client(net::Socket listener);
  bool is_served(Client& client) const;
  void send_away_late();
  void answer(const Client& client, const http::Request& request) const;

  const std::vector<net::Socket> listeners_;
  const std::optional<net::Address> own_;  // the address; none: they were passed
  const Progress& progress_;
  const net::Socket end_;  // an eventfd: readable from the end on
  std::vector<Client> clients_;
  std::thread thread_;
};

}  // namespace stampede::node
