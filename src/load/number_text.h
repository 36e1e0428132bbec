// Numbers for people: 1,000,000 and 1.04 ms.
#pragma once

#include <cstdint>
#include <string>

namespace stampede::load {

[[nodiscard, gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

[[nodiscard]] std::string grouped(uint64_t value);  // 1,000,000
[[nodiscard]] std::string duration_text(
    uint64_t ns);  // three digits that count: 740 ns, 12.3 us, 1.04 ms, 8.31 s

}  // namespace stampede::load
