// Whether an item is on sale now, as its terms and the wall clock have it; units are another matter. One rule for
// buyers, operators and the desk that decides.
#pragma once

#include <cstdint>
#include <string_view>

#include "stock/catalog.h"

namespace stampede::stock {

enum class SaleState : uint8_t { open, not_started, paused, ended };

// An end stands above a start, and a start above a pause: a paused item that has not begun is not_started.
[[nodiscard]] inline SaleState state_of(const SaleTerms& terms, int64_t wall_ms) {
  if (terms.is_ended || (terms.ends_ms != 0 && wall_ms >= terms.ends_ms)) return SaleState::ended;
  if (terms.starts_ms != 0 && wall_ms < terms.starts_ms) return SaleState::not_started;
  return terms.is_paused ? SaleState::paused : SaleState::open;
}

// Would terms put on sale again what was ended for good: with a later end, or without one? They are refused, because orders of such an
// item may be forgotten, and with them keys and purchase limits.
[[nodiscard]] inline bool would_revive(const SaleTerms& known, const SaleTerms& asked) {
  const bool is_later = asked.ends_ms == 0 || asked.ends_ms > known.ends_ms;
  return known.is_ended && known.ends_ms != 0 && is_later;
}
constexpr const char* kNoLaterEnd =
    "its sale was ended for good and can have no later end: sell it under a new code";

[[nodiscard]] constexpr std::string_view name_of(SaleState state) {
  constexpr std::string_view names[] = {"open", "not_started", "paused", "ended"};
  return names[static_cast<unsigned>(state)];
}

}  // namespace stampede::stock
