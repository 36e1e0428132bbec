// The one table that says what each verdict is to a client: status, code, message, and whether
// trying again helps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "order.h"

namespace stampede::http {

// What a verdict is in HTTP. `retry_after_ms` is the default where the answer does not say; 0:
// waiting does not help.
struct VerdictInfo {
  Verdict verdict;
  std::string_view status_line;  // "HTTP/1.1 409 Conflict\r\n"
  std::string_view code;         // "sold_out"; also in metrics
  std::string_view message;
  bool is_retryable;
  uint32_t retry_after_ms;

  constexpr unsigned status() const {
    const auto digit = [this](size_t i) { return static_cast<unsigned>(status_line[i] - '0'); };
    return digit(9) * 100 + digit(10) * 10 + digit(11);
  }
};
[[nodiscard]] const VerdictInfo& info_of(Verdict verdict);

}  // namespace stampede::http
