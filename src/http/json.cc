#include "http/json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "http/bytes.h"

namespace stampede::http {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// simdjson's DOM and not its On Demand reader: On Demand skips what nobody asks for without
// checking it.
class BodyReader {
 public:
  BodyReader() {
    CHECK(parser_.allocate(bounds::body_bytes_max, bounds::json_depth_max) == simdjson::SUCCESS);
  }

  // Null: `members` is the body's object. Otherwise what is wrong.
  const char* read(std::string_view body, object& members);

 private:
  simdjson::dom::parser parser_{bounds::body_bytes_max};
  std::array<char, bounds::body_bytes_max + simdjson::SIMDJSON_PADDING> padded_{};
};

const char* find_fault(element value);

const char* find_fault(object members) {
  std::array<std::string_view, bounds::json_members_max> keys;
  size_t count = 0;
  for (const auto [key, value] : members) {
    if (count == keys.size()) return "an object of the body has more than 32 members";
    if (std::find(keys.begin(), keys.begin() + count, key) != keys.begin() + count) {
      return "an object of the body has a key twice";
    }
    keys[count++] = key;
    if (const char* fault = find_fault(value)) return fault;
  }
  return nullptr;
}

// What simdjson lets pass and we do not. The depth is bounded by then.
const char* find_fault(element value) {
  if (value.is_object()) return find_fault(object(value));
  if (!value.is_array()) return nullptr;
  for (element child : simdjson::dom::array(value)) {
    if (const char* fault = find_fault(child)) return fault;
  }
  return nullptr;
}

const char* BodyReader::read(std::string_view body, object& members) {
  if (body.size() > bounds::body_bytes_max) return "the body is larger than 4 KiB";
  std::copy(body.begin(), body.end(), padded_.begin());
  std::memset(padded_.data() + body.size(), 0, simdjson::SIMDJSON_PADDING);
  const auto parsed = parser_.parse(padded_.data(), body.size(), false);
  if (parsed.error() == simdjson::DEPTH_ERROR) return "the body is nested too deeply";
  if (parsed.error() == simdjson::UTF8_ERROR) return "the body is not valid UTF-8";
  if (parsed.error() != simdjson::SUCCESS) return "the body is not valid JSON";
  if (parsed.get(members) != simdjson::SUCCESS) return "the body is not a JSON object";
  return find_fault(members);
}

BodyReader& reader() {
  thread_local BodyReader reader;
  return reader;
}

bool is_text(element value, std::string_view& text, size_t bytes_max) {
  return value.get(text) == simdjson::SUCCESS && !text.empty() && text.size() <= bytes_max;
}

// 1.0 and 1e0 are not integers here: simdjson keeps them apart as doubles.
bool is_integer(element value, int64_t& integer, int64_t min, int64_t max) {
  return value.is_int64() && value.get(integer) == simdjson::SUCCESS && integer >= min &&
         integer <= max;
}

const char* take_create(std::string_view key, element value, CreateBody& create) {
  if (key == "item" && !is_text(value, create.item, bounds::item_code_bytes_max)) {
    return "item is not a text of 1 to 64 bytes";
  }
  if (key == "qty") {
    int64_t quantity = 0;
    if (!is_integer(value, quantity, 1, bounds::quantity_max))
      return "qty is not an integer from 1 to the limit";
    create.quantity = static_cast<Quantity>(quantity);
  }
  return nullptr;
}

bool is_currency(element value, Currency& currency) {
  std::string_view text;
  if (!is_text(value, text, currency.size()) || text.size() != currency.size()) return false;
  std::copy(text.begin(), text.end(), currency.begin());
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; });
}

const char* take_payment(std::string_view key, element value, PaymentBody& payment) {
  if (key == "payment_id" && !(is_text(value, payment.payment_id, bounds::payment_id_bytes_max) &&
                               all_are(payment.payment_id, kVisible))) {
    return "payment_id is not 1 to 64 bytes of visible ASCII";
  }
  if (key == "amount" && !is_integer(value, payment.amount, 0, bounds::money_max)) {
    return "amount is not an integer of minor units";
  }
  if (key == "currency" && !is_currency(value, payment.currency))
    return "currency is not three letters";
  if (key == "status") {
    std::string_view status;
    if (!is_text(value, status, 9) || (status != "succeeded" && status != "failed")) {
      return "status is neither succeeded nor failed";
    }
    payment.status = status == "failed" ? PaymentStatus::failed : PaymentStatus::succeeded;
  }
  return nullptr;
}

}  // namespace

CreateBody parse_create(std::string_view body) {
  CreateBody create;
  object members;
  create.error = reader().read(body, members);
  if (create.error) return create;
  for (const auto [key, value] : members) {
    if ((create.error = take_create(key, value, create))) return create;
  }
  if (create.item.empty())
    create.error = "item is missing";
  else if (create.quantity == 0)
    create.error = "qty is missing";
  return create;
}

PaymentBody parse_payment(std::string_view body) {
  PaymentBody payment;
  object members;
  payment.error = reader().read(body, members);
  if (payment.error) return payment;
  unsigned required_missing = 4;
  for (const auto [key, value] : members) {
    if ((payment.error = take_payment(key, value, payment))) return payment;
    required_missing -=
        key == "payment_id" || key == "amount" || key == "currency" || key == "status";
  }
  if (required_missing > 0) payment.error = "payment_id, amount, currency and status are required";
  return payment;
}

}  // namespace stampede::http
