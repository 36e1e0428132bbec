// Above which number do orders go on behind an accepted loss, or in a restored copy?
//
// An id is given once. The orders that were lost had the numbers behind the newest one that anybody still knows: a gap is left for
// them. But that one is read from what has survived, and so from the same copy it is the same each time: a copy that is restored twice,
// or a log that loses the same records again, would give one id to two buyers, and a payment of the one would pay the other's order.
// So time decides too:
//
//   floor = max(newest + gap, milliseconds since 2026) + a draw from a 64th of the numbers that are left, by the time's hash
//
// The milliseconds lift what is restored from an old copy above what has gone on from it since. They do it slowly, and not at all when
// the newest is ahead of them (it is, behind a first loss): the draw separates starts whatever lies between them, a moment or years,
// and the two of one moment too unless both clocks read the same nanosecond. Two starts from one ground that give N ids each overlap
// with a chance of 2N in 2^34 at first (the draw's width): one in 86 million for a hundred ids each, one in 8,600 for a million.
// Nothing is promised beyond that: only the database and the ledger know of a sale that goes on elsewhere.
//
// The range lasts: a number has 40 bits (order.h), 1.1e12. Half of them are for the milliseconds, until 2043; time counts no further,
// so that a clock that is far ahead leaves the other half too. A draw takes a 128th of what is left on average, never all of it, and
// with the gap that is room for some two hundred losses in that half alone. A sale that never loses anything counts from 1.
//
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/hash.h"
#include "order.h"

namespace stampede::node {

constexpr uint64_t kSequenceEnd = OrderId{UINT64_MAX}.sequence();
constexpr int64_t kSequenceEpochMs = 1'767'225'600'000;  // 2026-01-01 UTC

// The highest number that the draw leaves out.
[[nodiscard]] constexpr uint64_t sequence_base(uint64_t newest, int64_t wall_ns) {
  const int64_t since_epoch_ms = wall_ns / kMillisecond - kSequenceEpochMs;
  const uint64_t by_time = since_epoch_ms <= 0 ? 0 : static_cast<uint64_t>(since_epoch_ms);
  return std::max(newest + bounds::sequence_gap_after_loss, std::min(by_time, kSequenceEnd / 2));
}

// No order gets a number up to this one. None: the numbers are used up.
[[nodiscard]] constexpr std::optional<uint64_t> sequence_floor(uint64_t newest, int64_t wall_ns) {
  const uint64_t base = sequence_base(newest, wall_ns);
  if (base + bounds::sequence_gap_after_loss > kSequenceEnd) return std::nullopt;
  const uint64_t width = (kSequenceEnd - base) / 64;
  return base + mix(static_cast<uint64_t>(wall_ns)) % width;
}

}  // namespace stampede::node
