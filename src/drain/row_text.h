// The texts of a row, which the sinks of all databases write alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/hex.h"
#include "base/result.h"
#include "base/time_text.h"
#include "drain/batch.h"

namespace stampede::drain {

inline std::string_view text_of(const Currency& currency) {
  return {currency.data(), currency.size()};
}

// NULL when there is none.
inline std::optional<std::string_view> text_of(const PaymentText& payment) {
  return payment.empty() ? std::nullopt : std::optional(payment.view());
}

// Nothing when there is no state of that name.
[[nodiscard]] std::optional<OrderState> parse_state(std::string_view name);

// The 16 hex digits of a column; an Error names it.
[[nodiscard]] Result<uint64_t> parse_hex64_column(const char* column, const std::string& text);

// A refused row as `name=value` pairs, for the `record` column of `rejected`: enough to put it in
// by hand.
[[nodiscard]] std::string describe(const NewOrder& order);
[[nodiscard]] std::string describe(const OrderChange& change);
[[nodiscard]] std::string describe(const NewPayment& payment);

}  // namespace stampede::drain
