// Many users at once: the asks are dealt out to some connections, one thread each, and sent
// pipelined.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server.h"

namespace stampede::e2e {

struct Outcome {
  Ask ask;
  int status = 0;        // 0: no answer came
  std::string code;      // of a refusal
  std::string order_id;  // of an order, or the one that a refusal names
  bool is_replayed = false;
};

struct RushOptions {
  int connections = 8;
  int pipeline = 16;
  // Called by any thread after every answered window with the number of answers so far.
  std::function<void(size_t answered)> on_progress;
};

// One outcome for each ask, in the order of the asks. A connection that breaks leaves its rest
// without an answer.
std::vector<Outcome> rush(Address address, const std::vector<Ask>& asks,
                          const RushOptions& options = {});

// The same, and whoever is told that trying again helps does so, until everybody has a final
// answer. The asks need keys.
std::vector<Outcome> rush_until_decided(Address address, const std::vector<Ask>& asks,
                                        const RushOptions& options = {});

// `count` users named prefix0, prefix1, … with one ask each and an Idempotency-Key of their own.
std::vector<Ask> crowd(size_t count, const std::string& prefix = "u", const Ask& like = {});

// Adds the outcomes of another rush.
void append(std::vector<Outcome>& all, const std::vector<Outcome>& more);

// How often each answer was given: "201", "409 sold_out", "0".
std::map<std::string, size_t> tally(const std::vector<Outcome>& outcomes);

}  // namespace stampede::e2e
