#include "http/json.h"

#include <algorithm>
#include <optional>

#include "http/bytes.h"
#include "http/json_reader.h"
#include "http/plain_create.h"

namespace stampede::http {
namespace {

// Some 24 KB, and what it has decoded outlives a call.
JsonReader& reader() {
  thread_local JsonReader reader;
  return reader;
}

bool read_text(std::string_view raw, std::string_view& text, size_t bytes_max) {
  text = reader().text_of(raw).value_or(std::string_view{});
  return !text.empty() && text.size() <= bytes_max;
}

bool read_integer(std::string_view raw, int64_t& integer, int64_t min, int64_t max) {
  const std::optional<int64_t> number = JsonReader::integer_of(raw);
  integer = number.value_or(0);
  return number && integer >= min && integer <= max;
}

const char* take_create(const JsonReader::Member& member, CreateBody& create) {
  if (member.key == "item" && !read_text(member.raw, create.item, bounds::item_code_bytes_max))
    return "item is not a text of 1 to 64 bytes";
  if (member.key == "qty") {
    int64_t quantity = 0;
    if (!read_integer(member.raw, quantity, 1, bounds::quantity_max))
      return "qty is not an integer from 1 to the limit";
    create.quantity = static_cast<Quantity>(quantity);
  }
  if (member.key == "link") {
    const std::optional<std::string_view> link = reader().text_of(member.raw);
    if (!link) return "link is not a text";
    create.link = *link;
  }
  return nullptr;
}

// In capital letters, as a catalog has them: the case of a code says nothing (ISO 4217 5.1).
bool read_currency(std::string_view raw, Currency& currency) {
  std::string_view text;
  if (!read_text(raw, text, currency.size()) || text.size() != currency.size()) return false;
  std::transform(text.begin(), text.end(), currency.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return std::all_of(currency.begin(), currency.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool read_status(std::string_view raw, PaymentStatus& status) {
  std::string_view text;
  if (!read_text(raw, text, 9)) return false;
  status = text == "failed" ? PaymentStatus::failed : PaymentStatus::succeeded;
  return text == "failed" || text == "succeeded";
}

struct PaymentMember {
  std::string_view key;
  const char* refusal;
  bool (*read)(std::string_view raw, PaymentBody& payment);
};
constexpr PaymentMember kPaymentMembers[] = {
    {"payment_id", "payment_id is not 1 to 64 bytes of visible ASCII",
     [](std::string_view raw, PaymentBody& payment) {
       return read_text(raw, payment.payment_id, bounds::payment_id_bytes_max) &&
              all_are(payment.payment_id, kVisible);
     }},
    {"amount", "amount is not an integer of minor units",
     [](std::string_view raw, PaymentBody& payment) {
       return read_integer(raw, payment.amount, 0, bounds::money_max);
     }},
    {"currency", "currency is not three letters",
     [](std::string_view raw, PaymentBody& payment) {
       return read_currency(raw, payment.currency);
     }},
    {"status", "status is neither succeeded nor failed",
     [](std::string_view raw, PaymentBody& payment) { return read_status(raw, payment.status); }},
};

// Reads all members, whatever they say: a fault in the text comes before what is wrong with one of them.
template <typename Take>
const char* read_members(std::string_view body, Take take) {
  const char* refusal = nullptr;
  JsonReader::Member member;
  reader().start(body);
  while (reader().next(member)) {
    const char* const wrong = take(member);
    if (refusal == nullptr) refusal = wrong;
  }
  return reader().fault() != nullptr ? reader().fault() : refusal;
}

}  // namespace

CreateBody parse_create(std::string_view body) {
  CreateBody create;
  if (read_plain_create(body, create)) return create;
  create = {};
  create.error = read_members(
      body, [&](const JsonReader::Member& member) { return take_create(member, create); });
  if (create.error != nullptr) return create;
  if (create.item.empty())
    create.error = "item is missing";
  else if (create.quantity == 0)
    create.error = "qty is missing";
  return create;
}

PaymentBody parse_payment(std::string_view body) {
  PaymentBody payment;
  unsigned missing = std::size(kPaymentMembers);
  payment.error = read_members(body, [&](const JsonReader::Member& member) -> const char* {
    const auto known = std::ranges::find(kPaymentMembers, member.key, &PaymentMember::key);
    if (known == std::end(kPaymentMembers)) return nullptr;
    --missing;
    return known->read(member.raw, payment) ? nullptr : known->refusal;
  });
  if (payment.error == nullptr && missing > 0)
    payment.error = "payment_id, amount, currency and status are required";
  return payment;
}

}  // namespace stampede::http
