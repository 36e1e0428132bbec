// What the sinks of all databases write alike: the texts of a row.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/hex.h"
#include "base/result.h"
#include "base/time_text.h"
#include "drain/batch.h"

namespace stampede::drain {

// 16 hex digits: an order id, a chain value.
class Hex64Text {
 public:
  explicit Hex64Text(uint64_t value) { render_hex64(value, digits_); }
  explicit Hex64Text(OrderId order) : Hex64Text(order.value) {}
  std::string_view view() const { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, kHex64Bytes> digits_;
};

// 2026-12-01T02:00:00.123Z
class TimeText {
 public:
  explicit TimeText(int64_t wall_ms) { render_time(wall_ms, text_); }
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, kTimeTextBytes> text_;
};

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
