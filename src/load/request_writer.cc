#include "load/request_writer.h"

#include <charconv>

#include "door/ticket.h"

namespace stampede::load {
namespace {

std::string body_of(const Plan& plan) {
  return "{\"item\":\"" + plan.item + "\",\"qty\":" + std::to_string(plan.quantity) + "}";
}

}  // namespace

RequestWriter::RequestWriter(const Plan& plan) : plan_(plan), names_(plan.seed, plan.users) {
  std::string body = body_of(plan);
  before_user_ = "POST /v1/orders HTTP/1.1\r\nHost: " + net::text_of(plan.server) +
                 (plan.ticket_key ? "\r\nAuthorization: Bearer " : "\r\nX-User-Id: ");
  before_key_ = "\r\nIdempotency-Key: load-";
  after_key_ =
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
}

void RequestWriter::append_order(uint64_t user_number, std::string& out) const {
  char digits[20];
  out += before_user_;
  UserText user = names_.name_of(user_number);
  if (plan_.ticket_key) {
    append_ticket(user, out);
  } else {
    out += user.view();
  }
  out += before_key_;
  out.append(digits, std::to_chars(digits, digits + sizeof digits, user_number).ptr);
  out += after_key_;
}

void RequestWriter::append_ticket(std::string_view user, std::string& out) const {
  char ticket[door::kTicketBytesMax];
  out += door::mint_ticket(user, plan_.tickets_expire_unix, *plan_.ticket_key, ticket);
}

}  // namespace stampede::load
