#include "load/number_text.h"

#include <cstdarg>
#include <cstdio>

namespace stampede::load {

std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string duration_text(uint64_t ns) {
  constexpr struct {
    double ns;
    const char* unit;
  } kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
  for (const auto& [unit_ns, unit] : kUnits) {
    double value = static_cast<double>(ns) / unit_ns;
    if (value < 0.9995) continue;
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return format("%.*f %s", decimals, value, unit);
  }
  return format("%u ns", static_cast<unsigned>(ns));
}

}  // namespace stampede::load
