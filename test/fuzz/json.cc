// Bodies that clients send, held against simdjson, a second reader of JSON.
//
// 1. What our reader accepts, the second one accepts too and reads as the same values: no body is understood in two ways.
// 2. What is accepted lies within its bounds.
// 3. A usual body, which is read in one pass, says the same to the strict reader: to that it goes behind a line's end.
#include <simdjson.h>

#include <cctype>
#include <limits>

#include "http/json.h"
#include "http/plain_create.h"
#include "promise.h"

namespace stampede::http {
namespace {

using fuzz::broken;
using fuzz::require;

// What simdjson reads of one member; it takes the first of two members of one name, so ours must not accept such a body.
class Second {
 public:
  explicit Second(std::string_view body) : text_(body) {
    require(parser_.parse(text_).get(document_) == simdjson::SUCCESS,
            "accepted, and the second reader does not take it for JSON");
    require(document_.is_object(), "accepted, and the second reader sees no object");
  }
  std::string_view text(const char* key) const {
    std::string_view text;
    require(document_[key].get(text) == simdjson::SUCCESS, "the second reader sees no text");
    return text;
  }
  int64_t integer(const char* key) const {
    int64_t number = 0;
    require(document_[key].get(number) == simdjson::SUCCESS, "the second reader sees no integer");
    return number;
  }
  size_t count(std::string_view key) const {
    size_t count = 0;
    for (const auto member : document_.get_object().value_unsafe()) count += member.key == key;
    return count;
  }

 private:
  simdjson::padded_string text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element document_;
};

// simdjson refuses numbers beyond its types, which unknown members of ours may have (they are never read).
bool has_large_number(std::string_view body) {
  size_t digits = 0;
  for (const char c : body) {
    digits = std::isdigit(static_cast<unsigned char>(c)) ? digits + 1 : 0;
    if (digits >= 19 || c == 'e' || c == 'E') return true;
  }
  return false;
}

void compare_with_strict(std::string_view body) {
  CreateBody plain;
  if (!read_plain_create(body, plain) || body.size() == bounds::body_bytes_max) return;
  const std::string strict_body = "\n" + std::string(body);
  const CreateBody strict = parse_create(strict_body);
  require(strict.error == nullptr, "read in one pass, and refused by the strict reader");
  require(
      plain.item == strict.item && plain.quantity == strict.quantity && plain.link == strict.link,
      "the strict reader reads something else");
}

void try_create(std::string_view body) {
  compare_with_strict(body);
  const CreateBody create = parse_create(body);
  if (create.error != nullptr) return;
  require(create.quantity >= 1 && create.quantity <= bounds::quantity_max, "qty within bounds");
  require(!create.item.empty() && create.item.size() <= bounds::item_code_bytes_max,
          "item within bounds");
  if (has_large_number(body)) return;
  const Second second(body);
  require(second.count("item") == 1 && second.count("qty") <= 1, "each member once");
  require(second.text("item") == create.item, "the same item");
  if (second.count("qty") == 1)
    require(second.integer("qty") == create.quantity, "the same quantity");
}

void try_payment(std::string_view body) {
  const PaymentBody payment = parse_payment(body);
  if (payment.error != nullptr) return;
  require(payment.amount >= 0 && payment.amount <= bounds::money_max, "amount within bounds");
  require(!payment.payment_id.empty() && payment.payment_id.size() <= bounds::payment_id_bytes_max,
          "payment_id within bounds");
  if (has_large_number(body)) return;
  const Second second(body);
  for (const char* key : {"payment_id", "amount", "currency", "status"})
    require(second.count(key) == 1, "each member once");
  require(second.text("payment_id") == payment.payment_id, "the same payment");
  require(second.integer("amount") == payment.amount, "the same amount");
  require((second.text("status") == "succeeded") == (payment.status == PaymentStatus::succeeded),
          "the same status");
}

}  // namespace
}  // namespace stampede::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string body(stampede::fuzz::text_of(data, size));
  stampede::http::try_create(body);
  stampede::http::try_payment(body);
  return 0;
}
