// What the limits on orders cost a desk: creates, with each limit set alone, decided by a desk without network, log or ledger.
//
//   order_limits CONFIG REQUESTS USERS     CONFIG: none, rate_user, open_per_user, order_rate, all, refused
//
// perf/order_limits runs it under callgrind with two numbers of requests and takes the difference, so that what a start costs
// drops out. All requests are of the same kind: a sold-out item for `none` and each limit alone, which is what a rush is made
// of; `refused` is a user over its rate. `USERS` names repeat round robin. Prints the cells of the users' table that are in
// memory.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "stock/desk.h"

namespace stampede::stock {
namespace {

constexpr HashKey kKey{1, 2, 3};

class NoJournal final : public Journal {
 public:
  Lsn append(const orderlog::Record&) override { return ++last_; }
  bool has_room_for_order() const override { return true; }
  bool has_room_for_change() const override { return true; }

 private:
  Lsn last_ = 0;
};

class Tally final : public AnswerSink {
 public:
  void deliver(const OrderAnswer& answer) override { ++verdicts[static_cast<int>(answer.verdict)]; }
  uint64_t verdicts[kVerdictCount] = {};
};

OrderLimits limits_of(const std::string& config) {
  OrderLimits limits;
  const bool all = config == "all";
  if (all || config == "rate_user")
    limits.user_requests = 1'000'000'000, limits.user_window_ms = 86'400'000;
  if (config == "refused") limits.user_requests = 1, limits.user_window_ms = 86'400'000;
  if (all || config == "open_per_user") limits.open_per_user = 4;
  if (all || config == "order_rate") limits.order_rate = 1'000'000'000;
  return limits;
}

size_t resident_bytes() {
  size_t pages = 0, resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * 4096;
}

int run(const std::string& config, uint64_t requests, uint64_t users) {
  StreamState state(kKey, 1'000);
  Catalog catalog(kKey);
  ItemTerms terms;
  terms.id = 0;
  terms.code = std::string_view("ticket");
  catalog.upsert(terms);
  NoJournal journal;
  Tally answers;
  OrderRates rates;
  Moment now{.wall_ns = 1'800'000'000 * kSecond, .boot_ns = 1'000 * kSecond};
  Desk desk({}, state, catalog, journal, answers, rates, 0, now);
  desk.set_limits(limits_of(config));
  desk.take_news({.item = 0}, now);  // nothing is free anywhere
  OrderRequest request;
  request.item = 0;
  request.quantity = 1;
  const size_t before = resident_bytes();
  for (uint64_t i = 0; i < requests; ++i) {
    char name[16];
    const int size =
        std::snprintf(name, sizeof name, "u%08lu", static_cast<unsigned long>(i % users));
    request.user = std::string_view(name, size);
    request.user_hash = keyed_hash(kKey, request.user);
    desk.handle(request, now);
  }
  std::printf(
      "%s: %lu requests of %lu users, %lu sold_out, %lu rate_limited, %zu KiB more in memory\n",
      config.c_str(), static_cast<unsigned long>(requests), static_cast<unsigned long>(users),
      static_cast<unsigned long>(answers.verdicts[static_cast<int>(Verdict::sold_out)]),
      static_cast<unsigned long>(answers.verdicts[static_cast<int>(Verdict::rate_limited)]),
      (resident_bytes() - before) / 1024);
  return 0;
}

}  // namespace
}  // namespace stampede::stock

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: order_limits CONFIG REQUESTS USERS\n");
    return 2;
  }
  return stampede::stock::run(argv[1], std::strtoull(argv[2], nullptr, 10),
                              std::max(1ull, std::strtoull(argv[3], nullptr, 10)));
}
