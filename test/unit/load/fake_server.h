// A trivial HTTP server for tests of the load generator: one thread, one listening socket on a free
// port of loopback, and a function that decides what every request gets. It can do what real
// servers do on bad days: answer in pieces, hang up in the middle of an answer, say nothing at all.
#pragma once

#include <atomic>
#include <climits>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "net/address.h"

namespace stampede::load {

struct FakeRequest {
  std::string line;  // POST /v1/orders HTTP/1.1
  std::string user;  // X-User-Id
  std::string key;   // Idempotency-Key
  std::string authorization;
  std::string signature;  // Stampede-Signature
  std::string body;
  unsigned connection = 0;  // counted from 0 as they were accepted
};

struct FakeReply {
  std::vector<std::string> pieces;  // written one by one, other connections in between
  bool hangs_up = false;            // after the last piece
};

class FakeServer {
 public:
  // `respond` is called in the server's thread.
  explicit FakeServer(std::function<FakeReply(const FakeRequest&)> respond);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const net::Address& address() const { return address_; }

  // Any thread: further connections are accepted and closed at once, as at a bound.
  void take_at_most(unsigned clients) { clients_max_ = clients; }
  unsigned accepted() const { return accepted_; }

 private:
  struct Client {
    unsigned number = 0;
    std::string input;
    std::vector<std::string> pieces;  // not yet written; the first is next
    bool hangs_up = false;
  };

  void serve();
  void accept_client();
  bool read_from(int socket, Client& client);  // false: the client has gone
  bool write_piece(int socket, Client& client);
  void take_requests(Client& client);

  std::function<FakeReply(const FakeRequest&)> respond_;
  int listener_;
  int stop_[2];  // a pipe
  net::Address address_;
  std::map<int, Client> clients_;  // by socket
  std::atomic<unsigned> accepted_{0}, clients_max_{UINT_MAX};
  std::thread thread_;
};

[[nodiscard]] std::string http_answer(const std::string& status, const std::string& body,
                                      const std::string& fields = "");

// A sale as the contract wants it: `stock` orders of one unit, one order for each user and key,
// told again to whoever asks again.
class FakeSale {
 public:
  explicit FakeSale(uint64_t stock) : stock_(stock) {}

  std::string answer(const FakeRequest& request);

  uint64_t sold() const { return orders_.size(); }
  const std::map<std::string, uint64_t>& orders() const {
    return orders_;
  }  // order id by user and key

 private:
  uint64_t stock_;
  std::map<std::string, uint64_t> orders_;
};

}  // namespace stampede::load
