#include "door/address_table.h"

#include <bit>

#include "base/clock.h"
#include "base/hash.h"
#include "bounds.h"

namespace stampede::door {
namespace {

// How far another shard's clock may be ahead: a slow turn.
constexpr uint64_t kAheadMsMax = 1'000;

// The state of a cell of requests: when its window began, in milliseconds since boot, and how many it has counted.
constexpr unsigned kRequestBits = 30;
constexpr uint64_t kMomentMask = (uint64_t{1} << (64 - kRequestBits)) - 1;
static_assert(bounds::rate_requests_max < uint64_t{1} << kRequestBits);

constexpr uint64_t state_of(uint64_t began_ms, uint64_t requests) {
  return began_ms << kRequestBits | requests;
}
constexpr uint32_t requests_in(uint64_t state) {
  return static_cast<uint32_t>(state & ((uint64_t{1} << kRequestBits) - 1));
}

// How long its window goes on; 0: it is over.
uint64_t left_ms(uint64_t state, const Rate& rate, uint64_t now_ms) {
  const uint64_t age_ms = (now_ms - (state >> kRequestBits)) & kMomentMask;
  if (age_ms < rate.window_ms) return rate.window_ms - age_ms;
  const uint64_t ahead_ms = (kMomentMask + 1) - age_ms;
  return ahead_ms <= kAheadMsMax ? rate.window_ms + ahead_ms : 0;
}

using Sixteen [[gnu::may_alias]] = unsigned __int128;

// One instruction of every x86-64 since 2006; without the attribute the compiler would call a library that may lock.
[[gnu::target("cx16")]] bool exchange_sixteen(void* at, unsigned __int128 seen,
                                              unsigned __int128 next) {
  return __sync_bool_compare_and_swap(static_cast<Sixteen*>(at), seen, next);
}

}  // namespace

AddressTable::AddressTable(uint64_t secret, uint32_t request_sets, uint32_t connection_sets)
    : secret_(secret),
      requests_(size_t{request_sets} * kWays),
      connections_(size_t{connection_sets} * kWays) {
  CHECK(std::has_single_bit(request_sets));
  CHECK(std::has_single_bit(connection_sets));
}

// ---- cells ----

// The two halves are read one after the other. Who changes the cell compares both; who only reads asks for the group again.
AddressTable::Cell AddressTable::look(const Cell& cell) {
  for (;;) {
    const uint64_t group = __atomic_load_n(&cell.group, __ATOMIC_ACQUIRE);
    const uint64_t state = __atomic_load_n(&cell.state, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&cell.group, __ATOMIC_ACQUIRE) == group) return {group, state};
  }
}

bool AddressTable::exchange(Cell& cell, const Cell& seen, const Cell& next) {
  return exchange_sixteen(&cell, std::bit_cast<unsigned __int128>(seen),
                          std::bit_cast<unsigned __int128>(next));
}

AddressTable::Set AddressTable::set_of(Reserved<Cell>& cells, AddressGroup group) const {
  const uint64_t hash = mix(group ^ secret_);
  const size_t sets = cells.capacity() / kWays;
  return {.cells = &cells[(hash & (sets - 1)) * kWays], .hash = hash};
}

AddressTable::Cell* AddressTable::find(const Set& set, AddressGroup group) {
  for (uint32_t way = 0; way < kWays; ++way)
    if (__atomic_load_n(&set.cells[way].group, __ATOMIC_RELAXED) == group) return &set.cells[way];
  return nullptr;
}

// ---- requests ----

// A free cell; or one whose window is over; or that of the address which has asked least. The look begins at another cell
// for each newcomer, so that those who have asked alike are forgotten in no order.
AddressTable::Cell* AddressTable::victim(const Set& set, const Rate& rate, uint64_t now_ms) {
  Cell* least = nullptr;
  uint32_t least_requests = UINT32_MAX;
  for (uint32_t i = 0; i < kWays; ++i) {
    Cell& cell = set.cells[(i + (set.hash >> 32)) % kWays];
    const Cell seen = look(cell);
    if (seen.group == kNoGroup) return &cell;
    const uint32_t requests = left_ms(seen.state, rate, now_ms) > 0 ? requests_in(seen.state) : 0;
    if (requests >= least_requests && least != nullptr) continue;
    least = &cell;
    least_requests = requests;
  }
  return least;
}

// False: another shard was there first.
bool AddressTable::remember(const Set& set, const Cell& first, const Rate& rate, uint64_t now_ms) {
  Cell& cell = *victim(set, rate, now_ms);
  const Cell seen = look(cell);
  if (seen.group == first.group || !exchange(cell, seen, first)) return false;
  if (seen.group == kNoGroup)
    known_.fetch_add(1, std::memory_order_relaxed);
  else if (left_ms(seen.state, rate, now_ms) > 0)
    forgotten_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

uint32_t AddressTable::count_request(AddressGroup group, const Rate& rate, int64_t boot_ns) {
  if (group == kNoGroup || !rate.is_limited()) return 0;
  const Set set = set_of(requests_, group);
  const uint64_t now_ms = static_cast<uint64_t>(boot_ns / kMillisecond) & kMomentMask;
  const Cell first{group, state_of(now_ms, 1)};
  for (;;) {
    Cell* const cell = find(set, group);
    if (cell == nullptr) {
      if (remember(set, first, rate, now_ms)) return 0;
      continue;
    }
    const Cell seen = look(*cell);
    if (seen.group != group) continue;
    Cell next = first;
    if (const uint64_t left = left_ms(seen.state, rate, now_ms); left > 0) {
      if (requests_in(seen.state) >= rate.requests) return static_cast<uint32_t>(left);
      next.state = seen.state + 1;
    }
    if (exchange(*cell, seen, next)) return 0;
  }
}

// ---- connections ----

AddressTable::Admission AddressTable::take_connection(AddressGroup group, uint32_t most) {
  if (group == kNoGroup || most == 0) return Admission::uncounted;
  const Set set = set_of(connections_, group);
  for (;;) {
    Cell* cell = find(set, group);
    if (cell == nullptr) cell = find(set, kNoGroup);
    if (cell == nullptr) return Admission::uncounted;
    const Cell seen = look(*cell);
    if (seen.group != group && seen.group != kNoGroup) continue;
    const uint64_t open = seen.group == group ? seen.state : 0;
    if (open >= most) return Admission::refused;
    if (exchange(*cell, seen, {group, open + 1})) return Admission::counted;
  }
}

// The cell exists. When the search does not find it, another shard has just put it into a place that the search had passed:
// it searches again.
void AddressTable::give_connection(AddressGroup group) {
  const Set set = set_of(connections_, group);
  for (;;) {
    Cell* const cell = find(set, group);
    if (cell == nullptr) continue;
    const Cell seen = look(*cell);
    if (seen.group != group) continue;
    CHECK(seen.state > 0);
    const Cell next = seen.state == 1 ? Cell{} : Cell{group, seen.state - 1};
    if (exchange(*cell, seen, next)) return;
  }
}

}  // namespace stampede::door
