#include "shard/turns.h"

#include <numeric>
#include <utility>

namespace stampede::shard {

uint64_t Turn::work_ns() const {
  return std::accumulate(phase_ns.begin(), phase_ns.end(), uint64_t{0}) - of(TurnPhase::poll);
}

void TurnTimer::end(uint64_t requests, uint64_t records) {
  enter(TurnPhase::poll);
  ++turn_.number;
  turn_.ended_boot_ns = static_cast<uint64_t>(since_ns_);
  turn_.requests = requests - std::exchange(requests_, requests);
  turn_.records = records - std::exchange(records_, records);
  const uint64_t work_ns = turn_.work_ns();
  turns_.work_ns.record(work_ns);
  for (unsigned phase = 0; phase < kTurnPhases; ++phase)
    turns_.phase_ns[phase].add(turn_.phase_ns[phase]);
  turns_.last.push(turn_);
  if (slow_ns_ != 0 && work_ns > slow_ns_) turns_.slow.push(turn_);
  turn_.phase_ns = {};
}

}  // namespace stampede::shard
