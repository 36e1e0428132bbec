// One sale as its buyers see it: some of them at each node, and the books held against all that they know. Whoever makes the
// trouble owns the servers and brings all of them back before it checks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "buyer.h"

namespace stampede::soak {

using Rows = std::vector<std::vector<std::string>>;
using Query = std::function<Rows(const std::string& sql)>;

class Sale {
 public:
  // `nodes` must outlive it; item "ticket" with `total` units.
  Sale(Report& report, Dice& dice, int64_t total, std::vector<e2e::Server*> nodes, int buyers = 3);
  ~Sale() { rest(); }
  Sale(const Sale&) = delete;

  // Buyers in the background, until their servers are gone or rest() is called.
  void open();
  void rest();
  // Waits for so many answers since open(), so long at most.
  void await_answers(size_t count, std::chrono::milliseconds limit);

  // All nodes run: each order that was acknowledged is there as it was, each that nobody answered is settled, and the nodes'
  // books say what the buyers know.
  void check();
  // Further, when all is quiet: what is left sells out to the last unit, the database has a row for each order and no other,
  // and each payment once.
  void close(const Query& database);

 private:
  int64_t held_units() const;
  void check_books();
  void sell_out();
  void check_rows(const Query& database);
  void check_payments(const Query& database);

  Report& report_;
  Counter counter_;
  std::vector<e2e::Server*> nodes_;
  std::vector<std::unique_ptr<Buyer>> buyers_;
  std::vector<std::thread> threads_;
  std::atomic<bool> over_{false};
};

// A catalog of "ticket" alone.
std::string catalog_of(int64_t total);
// `stampede audit` of what has come to rest; the reason on a difference.
void audit(Report& report, e2e::Arguments arguments);
// Starts it; Broken, and a finding, if it refuses. Logs of earlier numbers of shards are removed then, as an operator may: they
// would fill a small disk.
void start(Report& report, e2e::Server& server);

}  // namespace stampede::soak
