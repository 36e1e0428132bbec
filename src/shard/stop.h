// How a shard stops. A supervisor's SIGTERM must end in exit code 0 within seconds, no answer may be cut off, and the
// log must be closed by those who write it: so a stop is a protocol, and this file is the one place that says what may
// be done in each phase of it and when the next one begins.
//
//   phase      clients   new orders   time     appends   ledger      the next phase begins when
//   serving    taken     decided      passes   yes       exchanged   the process is asked to stop
//   finishing  –         refused      stands   yes       exchanged   every shard has finished
//   returning  –         refused      stands   yes       exchanged   the units are returned, the log is at rest
//   sealed     –         refused      stands   no        answered    every shard is sealed, and the inbox is empty
//   left       –         –            –        no        –           never
//
// Time stands: nothing expires, is forgotten or given back for its age; the next start makes up for it. Otherwise
// reservations that end one after the other would keep a log busy that is to come to rest.
//
// A shard has finished when its clients have every answer (or are gone), no request is left in its desk, each request
// that it sent to a neighbour has come back, and no operator's change is under way. When all have, there is no request
// anywhere in the process, so no client is refused merely because one shard was sealed before another. A sealed shard still answers
// the ledger's questions about the books that it keeps.
//
// Two things could hold a stop up for ever: a ledger that does not answer (it learns of the returned units from the log
// later) and a full disk, which makes no more records durable. Behind bounds::stop_ms_max a shard is sealed as soon as
// no write is in flight. What was appended and not written goes with the process, exactly as in a crash: no answer that
// shows it has left.
//
// Pure. A shard's thread owns its Stop; the counts are shared by all.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/clock.h"
#include "bounds.h"

namespace stampede::shard {

enum class StopPhase : uint8_t { serving, finishing, returning, sealed, left };

struct StopRules {
  bool takes_clients = false;   // connections, and requests that have not arrived yet
  bool decides_orders = false;  // new ones; everything else that has arrived is decided or answered
  bool lets_time_pass = false;  // expiry, forgetting, idle pools
  bool appends = false;         // anything, to the log
  bool asks_ledger =
      false;  // as a stream; the books of this shard are answered for until it has left
};

[[nodiscard]] constexpr StopRules rules_of(StopPhase phase) {
  switch (phase) {
    case StopPhase::serving:
      return {.takes_clients = true,
              .decides_orders = true,
              .lets_time_pass = true,
              .appends = true,
              .asks_ledger = true};
    case StopPhase::finishing:
    case StopPhase::returning:
      return {.appends = true, .asks_ledger = true};
    case StopPhase::sealed:
    case StopPhase::left:
      return {};
  }
  return {};
}

// What a shard sees of itself and of the others at the end of a turn.
struct StopFacts {
  bool is_asked = false;            // the process is to stop
  bool have_all_finished = false;   // every shard, this one too
  bool are_units_returned = false;  // durably
  bool is_ledger_told = false;      // of them, or its time is over
  bool is_log_idle = false;         // nothing is in flight and nothing waits to be written
  bool is_writing = false;          // a write is in flight: its memory is the kernel's
  bool is_overdue = false;
  bool are_all_sealed = false;  // every shard, this one too
  bool is_inbox_empty = false;
};

[[nodiscard]] constexpr StopPhase next_phase(StopPhase phase, const StopFacts& facts) {
  const bool is_forced = facts.is_overdue && !facts.is_writing;
  switch (phase) {
    case StopPhase::serving:
      return facts.is_asked ? StopPhase::finishing : phase;
    case StopPhase::finishing:
      if (is_forced) return StopPhase::sealed;
      return facts.have_all_finished ? StopPhase::returning : phase;
    case StopPhase::returning:
      if (is_forced) return StopPhase::sealed;
      return facts.are_units_returned && facts.is_ledger_told && facts.is_log_idle
                 ? StopPhase::sealed
                 : phase;
    case StopPhase::sealed:
      return facts.are_all_sealed && facts.is_inbox_empty ? StopPhase::left : phase;
    case StopPhase::left:
      return phase;
  }
  return phase;
}

// How far the shards of the process are; each shard counts itself once in each. Added with release and read with
// acquire order: a shard that sees a count sees every message that was sent before.
struct StopCounts {
  std::atomic<uint32_t> finished{0};
  std::atomic<uint32_t> sealed{0};
};

// The stop of one shard.
class Stop {
 public:
  Stop(StopCounts& counts, uint32_t shard_count) : counts_(counts), shard_count_(shard_count) {}

  [[nodiscard]] StopPhase phase() const { return phase_; }
  [[nodiscard]] const StopRules& may() const { return rules_; }
  [[nodiscard]] bool has_begun() const { return phase_ != StopPhase::serving; }

  // True when this was the last shard to finish: the others sleep and must be woken, as after an enter().
  [[nodiscard]] bool finish() {
    CHECK(has_begun());
    if (has_finished_) return false;
    has_finished_ = true;
    return count(counts_.finished);
  }
  [[nodiscard]] bool have_all_finished() const { return are_all(counts_.finished); }
  [[nodiscard]] bool are_all_sealed() const { return are_all(counts_.sealed); }
  [[nodiscard]] bool is_overdue(Moment now) const {
    return has_begun() && now.boot_ns - began_ns_ > bounds::stop_ms_max * kMillisecond;
  }
  // How long the ledger has been waited for.
  [[nodiscard]] bool is_ledger_late(Moment now) const {
    return phase_ == StopPhase::returning &&
           now.boot_ns - returning_ns_ > bounds::stop_ledger_ms * kMillisecond;
  }

  // Goes on to `next`, which next_phase() gave. True when the others must be woken.
  bool enter(StopPhase next, Moment now) {
    CHECK(next > phase_);
    if (next == StopPhase::finishing) began_ns_ = now.boot_ns;
    if (next == StopPhase::returning) returning_ns_ = now.boot_ns;
    phase_ = next;
    rules_ = rules_of(next);
    return next == StopPhase::sealed && count(counts_.sealed);
  }

 private:
  bool are_all(const std::atomic<uint32_t>& count) const {
    return count.load(std::memory_order_acquire) == shard_count_;
  }
  bool count(std::atomic<uint32_t>& count) {
    const uint32_t before = count.fetch_add(1, std::memory_order_acq_rel);
    CHECK(before < shard_count_);
    return before + 1 == shard_count_;
  }

  StopCounts& counts_;
  const uint32_t shard_count_;
  StopPhase phase_ = StopPhase::serving;
  StopRules rules_ = rules_of(StopPhase::serving);
  bool has_finished_ = false;
  int64_t began_ns_ = 0;
  int64_t returning_ns_ = 0;
};

}  // namespace stampede::shard
