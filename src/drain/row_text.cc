#include "drain/row_text.h"

namespace stampede::drain {
namespace {

class Pairs {
 public:
  Pairs& add(std::string_view name, std::string_view value) {
    if (!text_.empty()) text_ += ' ';
    text_.append(name).append("=").append(value);
    return *this;
  }
  Pairs& add(std::string_view name, int64_t value) {
    return add(name, std::string_view(std::to_string(value)));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::optional<OrderState> parse_state(std::string_view name) {
  for (OrderState state :
       {OrderState::reserved, OrderState::paid, OrderState::cancelled, OrderState::expired})
    if (name_of(state) == name) return state;
  return std::nullopt;
}

Result<uint64_t> parse_hex64_column(const char* column, const std::string& text) {
  const std::optional<uint64_t> value = parse_hex64(text);
  if (!value) return Error{std::string(column) + " '" + text + "' is not 16 hex digits"};
  return *value;
}

std::string describe(const NewOrder& order) {
  Pairs pairs;
  pairs.add("order_id", Hex64Text(order.order.value).view())
      .add("item", order.item)
      .add("user_id", order.user.view());
  pairs.add("qty", order.quantity)
      .add("amount", order.amount)
      .add("currency", text_of(order.currency));
  pairs.add("state", name_of(order.state)).add("created_at", TimeText(order.created_ms).view());
  pairs.add("pay_before", TimeText(order.pay_before_ms).view())
      .add("updated_at", TimeText(order.updated_ms).view());
  if (!order.payment.empty()) pairs.add("payment_id", order.payment.view());
  return pairs.add("refund_due", order.refund_due).take();
}

std::string describe(const OrderChange& change) {
  Pairs pairs;
  pairs.add("order_id", Hex64Text(change.order.value).view());
  if (change.state) pairs.add("state", name_of(*change.state));
  if (!change.payment.empty()) pairs.add("payment_id", change.payment.view());
  if (change.refund_added != 0) pairs.add("refund_added", change.refund_added);
  return pairs.add("updated_at", TimeText(change.updated_ms).view()).take();
}

std::string describe(const NewPayment& payment) {
  Pairs pairs;
  pairs.add("payment_id", payment.payment.view())
      .add("order_id", Hex64Text(payment.order.value).view());
  pairs.add("amount", payment.amount).add("currency", text_of(payment.currency));
  pairs.add("outcome", orderlog::name_of(payment.outcome));
  return pairs.add("received_at", TimeText(payment.received_ms).view()).take();
}

}  // namespace stampede::drain
