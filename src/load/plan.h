// The plan of one run of `stampede load`. Plain values; cmd/load_flags.cc fills them from flags,
// all others only read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "door/keys.h"
#include "net/address.h"
#include "order.h"

namespace stampede::load {

// An order that a user may want.
struct Wish {
  std::string item = "ticket";
  Quantity quantity = 1;
  double weight = 1;  // beside those of the other wishes: how many users have it
};

// The rate moves in a straight line to another one.
struct Ramp {
  double rate = 0;  // at its end
  int64_t ns = 0;   // how long it takes
};

struct Plan {
  net::Address server;
  std::string host;              // how requests name it; empty: its address
  std::vector<Wish> wishes{{}};  // at least one

  uint64_t users = 100'000;  // distinct
  uint64_t first_user = 0;   // their numbers begin here, for several runs that are one crowd
  uint64_t seed = 1;         // in every user id, so that two runs do not meet
  // Of each user's order, all under one Idempotency-Key: a storm of impatient clicks.
  uint32_t copies = 1;
  uint32_t retries_max = 1'000;  // how often a user repeats a retryable answer

  // Buyers act on their orders at once: a part pays, a part cancels, the rest leaves them.
  double pay = 0, cancel = 0;
  std::optional<door::Key> payment_key;  // there when pay > 0

  // Users show tickets signed with it; none: the header of a trusted gateway.
  std::optional<door::Key> ticket_key;
  int64_t tickets_expire_unix = 0;

  // Beside the orders, while they are sent and at a rate of their own: the items' pages and stocks are asked for, so
  // many times a second.
  double page_views = 0, stock_polls = 0;

  double rate = 0;            // orders a second; 0: as fast as connections × pipeline allow
  std::vector<Ramp> ramps;    // one after the other; none without a rate
  uint64_t burst = 0;         // orders that are due at the first moment; 0 without a rate
  int64_t begin_wall_ns = 0;  // when the first order is due; 0: when all connections are open
  int64_t duration_ns = 0;    // 0: until every user has an answer
  // At the beginning: no figure has its answers, their latencies, and the generator's work. Users, requests and broken
  // connections are those of the whole run, which is verified as a whole.
  int64_t warmup_ns = 0;

  uint32_t connections = 64;
  uint32_t pipeline = 1;  // requests that may be unanswered on one connection
  uint32_t threads = 1;

  // Without an answer; then the connection is given up and its orders are sent again.
  int64_t answer_timeout_ns = 30 * kSecond;
  int64_t patience_ns = 30 * kSecond;  // how long to go on while no connection can be opened
};

}  // namespace stampede::load
