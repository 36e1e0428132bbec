#include "base/words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace stampede {
namespace {

// 1.04, 12.3, 123.
std::string three_digits(double value, const char* unit) {
  if (value >= 999.5) return grouped(static_cast<uint64_t>(std::llround(value))) + ' ' + unit;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %s", decimals, value, unit);
  return text;
}

}  // namespace

std::string grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  std::string words = grouped(count) + ' ';
  if (count == 1) return words.append(one);
  return many.empty() ? words.append(one) + 's' : words.append(many);
}

std::string duration_text(uint64_t ns) {
  constexpr struct {
    double ns;
    const char* unit;
  } kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
  for (const auto& [unit_ns, unit] : kUnits) {
    const double value = static_cast<double>(ns) / unit_ns;
    if (value >= 0.9995) return three_digits(value, unit);
  }
  return std::to_string(ns) + " ns";
}

std::string seconds_text(double seconds) {
  return grouped(static_cast<uint64_t>(std::ceil(std::max(0.0, seconds)))) + " s";
}

std::string size_text(uint64_t bytes) {
  constexpr struct {
    uint64_t bytes;
    const char* unit;
  } kUnits[] = {{uint64_t{1} << 30, "GiB"}, {uint64_t{1} << 20, "MiB"}, {uint64_t{1} << 10, "KiB"}};
  for (const auto& [unit_bytes, unit] : kUnits)
    if (bytes >= unit_bytes)
      return three_digits(static_cast<double>(bytes) / static_cast<double>(unit_bytes), unit);
  return counted(bytes, "byte");
}

}  // namespace stampede
