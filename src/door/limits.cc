#include "door/limits.h"

#include <array>
#include <charconv>

#include "base/check.h"
#include "bounds.h"

namespace stampede::door {
namespace {

struct Unit {
  std::string_view name;
  uint32_t ms;
};
// The largest first: what text_of() tries.
constexpr Unit kUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr uint32_t kWindowMsMax = 24 * 3'600'000;

constexpr std::array<std::string_view, 4> kLevels = {"none", "no_new_users", "no_polls", "static"};

// Decimal digits without a sign or a leading zero, at most `most`; takes them off the front of `text`.
std::optional<uint32_t> take_number(std::string_view& text, uint32_t most) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
  uint32_t number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > most) return std::nullopt;
  text.remove_prefix(end - text.data());
  return number;
}

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  if (text == "0") return Rate{};
  const std::optional<uint32_t> requests = take_number(text, bounds::rate_requests_max);
  if (!requests || !text.starts_with('/')) return std::nullopt;
  text.remove_prefix(1);
  const std::optional<uint32_t> count = take_number(text, kWindowMsMax);
  if (!count) return std::nullopt;
  for (const Unit& unit : kUnits)
    if (text == unit.name && *count <= kWindowMsMax / unit.ms)
      return Rate{.requests = *requests, .window_ms = *count * unit.ms};
  return std::nullopt;
}

std::optional<OrderRate> parse_order_rate(std::string_view text) {
  if (text == "0") return OrderRate{};
  if (text == "auto") return OrderRate{.is_automatic = true};
  const std::optional<uint32_t> per_second = take_number(text, bounds::order_rate_max);
  if (!per_second || !text.empty()) return std::nullopt;
  return OrderRate{.per_second = *per_second};
}

std::string text_of(const Rate& rate) {
  if (!rate.is_limited()) return "0";
  for (const Unit& unit : kUnits)
    if (rate.window_ms % unit.ms == 0)
      return std::to_string(rate.requests) + '/' + std::to_string(rate.window_ms / unit.ms) +
             std::string(unit.name);
  CHECK(false);
}

bool may_raise(const OrderRate& flag, const OrderRate& wanted) {
  if (wanted.is_automatic) return true;  // the database itself is the limit
  if (flag.is_automatic) return wanted.per_second != 0;
  if (flag.per_second == 0) return true;
  return wanted.per_second != 0 && wanted.per_second <= uint64_t{2} * flag.per_second;
}

std::string_view name_of(Degrade level) {
  return kLevels[static_cast<unsigned>(level)];
}

std::optional<Degrade> degrade_of(std::string_view name) {
  for (unsigned level = 0; level < kLevels.size(); ++level)
    if (kLevels[level] == name) return static_cast<Degrade>(level);
  return std::nullopt;
}

}  // namespace stampede::door
