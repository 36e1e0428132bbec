#include "load/request_writer.h"

#include <charconv>

#include "base/hex.h"
#include "door/signature.h"
#include "door/ticket.h"

namespace stampede::load {
namespace {

constexpr std::string_view kJsonBody = "\r\nContent-Type: application/json\r\nContent-Length: ";

// The fields of a JSON body, from the end of the line before them, and the body.
std::string with_body(const std::string& body) {
  return std::string(kJsonBody) + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string order_body(const Wish& wish) {
  return "{\"item\":\"" + wish.item + "\",\"qty\":" + std::to_string(wish.quantity) + "}";
}

std::string hex_text(OrderId order) {
  return std::string(Hex64Text(order.value).view());
}

}  // namespace

RequestWriter::RequestWriter(const Plan& plan)
    : plan_(plan),
      names_(plan),
      host_("Host: " + (plan.host.empty() ? net::text_of(plan.server) : plan.host) + "\r\n"),
      user_field_(plan.ticket_key ? "Authorization: Bearer " : "X-User-Id: "),
      wishes_(plan) {
  for (const Wish& wish : plan.wishes) after_key_.push_back(with_body(order_body(wish)));
}

void RequestWriter::append_order(uint64_t user_number, std::string& out) const {
  char digits[20];
  out += "POST /v1/orders HTTP/1.1\r\n";
  out += host_;
  append_user(user_number, out);
  out += "\r\nIdempotency-Key: load-";
  out.append(digits,
             std::to_chars(digits, digits + sizeof digits, plan_.first_user + user_number).ptr);
  out += after_key_[wishes_.index_of(user_number)];
}

void RequestWriter::append_cancel(uint64_t user_number, OrderId order, std::string& out) const {
  out += "POST /v1/orders/" + hex_text(order) + "/cancel HTTP/1.1\r\n" + host_;
  append_user(user_number, out);
  out += "\r\nContent-Length: 0\r\n\r\n";
}

void RequestWriter::append_look(uint64_t number, std::string_view what, std::string& out) const {
  out += "GET /v1/items/" + wishes_.of(number).item;
  out += what;
  out += " HTTP/1.1\r\n" + host_ + "\r\n";
}

void RequestWriter::append_payment(uint64_t user_number, OrderId order, const Price& price,
                                   int64_t now_unix, std::string& out) const {
  std::string body = "{\"payment_id\":\"load-" + std::to_string(plan_.seed) + "-" +
                     std::to_string(plan_.first_user + user_number) +
                     "\",\"amount\":" + std::to_string(price.amount) + ",\"currency\":\"" +
                     std::string(price.currency.data(), price.currency.size()) +
                     "\",\"status\":\"succeeded\"}";
  out += "POST /v1/orders/" + hex_text(order) + "/payment HTTP/1.1\r\n" + host_;
  out += "Stampede-Signature: " + door::make_signature(body, now_unix, *plan_.payment_key) +
         with_body(body);
}

void RequestWriter::append_user(uint64_t user_number, std::string& out) const {
  UserText user = names_.name_of(user_number);
  out += user_field_;
  if (!plan_.ticket_key) {
    out += user.view();
    return;
  }
  char ticket[door::kTicketBytesMax];
  out += door::mint_ticket(user, plan_.tickets_expire_unix, *plan_.ticket_key, ticket);
}

}  // namespace stampede::load
