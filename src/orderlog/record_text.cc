#include "orderlog/record_text.h"

#include <array>

#include "base/clock.h"
#include "base/hex.h"
#include "base/printable.h"
#include "base/time_text.h"

namespace stampede::orderlog {
namespace {

// Builds "name key=value key=value".
class Line {
 public:
  explicit Line(std::string_view name) : text_(name) {}

  Line& add(std::string_view key, uint64_t number) { return raw(key, std::to_string(number)); }
  Line& add_signed(std::string_view key, int64_t number) {
    return raw(key, std::to_string(number));
  }
  Line& add_order(OrderId order) { return raw("order_id", Hex64Text(order.value).view()); }
  Line& add_money(std::string_view key, Money amount, const Currency& currency) {
    add_signed(key, amount);
    return currency[0] == '\0' ? *this
                               : raw("currency", quoted({currency.data(), currency.size()}));
  }
  Line& add_time(std::string_view key, int64_t wall_ms) {
    return raw(key, TimeText(wall_ms).view());
  }
  Line& add_text(std::string_view key, std::string_view text) {
    return text.empty() ? *this : raw(key, quoted(text));
  }
  Line& flag(std::string_view name, bool is_set) {
    if (is_set) text_.append(" ").append(name);
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  Line& raw(std::string_view key, std::string_view value) {
    text_.append(" ").append(key).append("=").append(value);
    return *this;
  }
  static std::string quoted(std::string_view text) { return "\"" + printable(text, "\"\\") + "\""; }
  std::string text_;
};

void describe(Line& line, const Item& r) {
  line.add("item", r.item).add_text("code", r.code).add_text("title", r.title);
  line.add_money("price", r.price, r.currency).add("per_user_limit", r.per_user_limit);
  if (r.starts_ms != 0) line.add_time("starts", r.starts_ms);
  if (r.ends_ms != 0) line.add_time("ends", r.ends_ms);
  line.add_signed("pay_window_s", r.pay_window_s);
  line.flag("paused", r.is_paused).flag("ended", r.is_ended).flag("hidden_link", r.has_hidden_link);
  line.flag("proof", r.has_proof);
  if (r.order_rate != 0) line.add("order_rate", r.order_rate);
  line.add_text("product", r.product).add_text("enrolled", r.enrolled);
}
void describe(Line& line, const Supply& r) {
  line.add("item", r.item).add("supplied", r.supplied).add("withdrawn", r.withdrawn);
}
void describe(Line& line, const Grant& r) {
  line.add("item", r.item).add("accepted", r.accepted);
}
void describe(Line& line, const GiveBack& r) {
  line.add("item", r.item).add("returned", r.returned);
}
void describe(Line& line, const Admin& r) {
  line.add_time("at", r.at_ms);
  if (r.item != kNoItem) line.add("item", r.item);
  line.add_text("op_id", r.op_id).add_text("who", r.who).add_text("what", r.what);
}
void describe(Line& line, const Epoch& r) {
  line.add("epoch", r.epoch);
}
void describe(Line& line, const SequenceFloor& r) {
  line.add("sequence", r.sequence);
}
void describe(Line& line, const Block& r) {
  constexpr std::string_view names[] = {"none", "blocked", "exempt"};
  line.add_text(r.is_network ? "network" : "user", r.subject);
  line.add_text("word", names[static_cast<unsigned>(r.word)]);
}
void describe(Line& line, const Reserve& r) {
  line.add_order(r.order)
      .add("item", r.item)
      .add("qty", r.quantity)
      .add_money("amount", r.amount, r.currency);
  line.add_text("user", r.user).add_text("key", r.key);
  line.add_time("created", r.created_ms).add_time("pay_before", r.pay_before_ms);
}
void describe(Line& line, const Payment& r) {
  line.add_order(r.order)
      .add_text("payment_id", r.payment_id)
      .add_money("amount", r.amount, r.currency);
  line.add_time("received", r.received_ms);
}
void describe(Line& line, const Cancel& r) {
  line.add_order(r.order).add_time("at", r.at_ms);
}
void describe(Line& line, const Expire& r) {
  line.add_order(r.order).add_time("at", r.at_ms);
}
void describe(Line& line, const Forget& r) {
  line.add_order(r.order);
}
void describe(Line& line, const Recovery& r) {
  line.add("truncated_batch", r.truncated_batch).add("truncated_offset", r.truncated_offset);
}
void describe(Line& line, const SegmentEnd& r) {
  line.add("next_segment", r.next_segment);
}
void describe(Line& line, const OrderImage& r) {
  describe(line, r.reserve);
  line.add_text("state", name_of(r.state))
      .add_signed("refund_due", r.refund_due)
      .add("lsn", r.last_lsn);
}
void describe(Line& line, const PaymentImage& r) {
  line.add_text("outcome", name_of(r.payment.outcome));
  describe(line, r.payment);
}
void describe(Line& line, const SoldImage& r) {
  line.add("item", r.item).add("units", r.units);
}

}  // namespace

std::string text_of(const Record& record) {
  Line line(name_of(type_of(record)));
  std::visit([&](const auto& r) { describe(line, r); }, record);
  return line.take();
}

std::string text_of(const Batch& batch) {
  const BatchHeader& header = batch.header();
  Line line("batch");
  line.add("seq", header.batch_seq).add("segment", header.segment).add("offset", batch.offset());
  line.add("body_bytes", header.body_bytes).add("records", header.record_count);
  line.add("first_lsn", batch.first_lsn())
      .add("last_lsn", batch.last_lsn())
      .add("epoch", header.epoch);
  line.add_time("sealed", header.wall_ns / kMillisecond);
  return line.take();
}

}  // namespace stampede::orderlog
