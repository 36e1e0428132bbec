#include "http/response.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace stampede::http {
namespace {

constexpr std::string_view k200 = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view k201 = "HTTP/1.1 201 Created\r\n";
constexpr std::string_view k400 = "HTTP/1.1 400 Bad Request\r\n";
constexpr std::string_view k401 = "HTTP/1.1 401 Unauthorized\r\n";
constexpr std::string_view k403 = "HTTP/1.1 403 Forbidden\r\n";
constexpr std::string_view k404 = "HTTP/1.1 404 Not Found\r\n";
constexpr std::string_view k405 = "HTTP/1.1 405 Method Not Allowed\r\n";
constexpr std::string_view k408 = "HTTP/1.1 408 Request Timeout\r\n";
constexpr std::string_view k409 = "HTTP/1.1 409 Conflict\r\n";
constexpr std::string_view k410 = "HTTP/1.1 410 Gone\r\n";
constexpr std::string_view k411 = "HTTP/1.1 411 Length Required\r\n";
constexpr std::string_view k413 = "HTTP/1.1 413 Content Too Large\r\n";
constexpr std::string_view k414 = "HTTP/1.1 414 URI Too Long\r\n";
constexpr std::string_view k415 = "HTTP/1.1 415 Unsupported Media Type\r\n";
constexpr std::string_view k417 = "HTTP/1.1 417 Expectation Failed\r\n";
constexpr std::string_view k421 = "HTTP/1.1 421 Misdirected Request\r\n";
constexpr std::string_view k422 = "HTTP/1.1 422 Unprocessable Content\r\n";
constexpr std::string_view k429 = "HTTP/1.1 429 Too Many Requests\r\n";
constexpr std::string_view k431 = "HTTP/1.1 431 Request Header Fields Too Large\r\n";
constexpr std::string_view k501 = "HTTP/1.1 501 Not Implemented\r\n";
constexpr std::string_view k503 = "HTTP/1.1 503 Service Unavailable\r\n";
constexpr std::string_view k505 = "HTTP/1.1 505 HTTP Version Not Supported\r\n";

// try_again: a place in the line for units is free again after one exchange with the ledger. The
// seconds of the others are how long an operator's restart, a failover or a pause takes at the
// least; clients spread around them.
constexpr std::array<VerdictInfo, kVerdictCount> kVerdicts = {{
    {Verdict::created, 201, k201, "created", "", false, 0},
    {Verdict::ok, 200, k200, "ok", "", false, 0},
    {Verdict::replayed, 200, k200, "replayed", "", false, 0},
    {Verdict::bad_request, 400, k400, "bad_request", "The request is malformed.", false, 0},
    {Verdict::unauthenticated, 401, k401, "unauthenticated", "It is not known who is asking.",
     false, 0},
    {Verdict::bad_link, 403, k403, "bad_link", "The link of this sale is missing or not valid.",
     false, 0},
    {Verdict::not_started, 403, k403, "not_started", "The sale has not started yet.", true, 1000},
    {Verdict::blocked, 403, k403, "blocked", "This user may not buy.", false, 0},
    {Verdict::unknown_item, 404, k404, "unknown_item", "There is no such item.", false, 0},
    {Verdict::unknown_order, 404, k404, "unknown_order", "There is no such order.", false, 0},
    {Verdict::not_found, 404, k404, "not_found", "There is nothing at this path.", false, 0},
    {Verdict::method_not_allowed, 405, k405, "method_not_allowed",
     "This path does not take this method.", false, 0},
    {Verdict::request_timeout, 408, k408, "request_timeout", "The request took too long to arrive.",
     true, 0},
    {Verdict::sold_out, 409, k409, "sold_out", "Sold out.", false, 0},
    {Verdict::not_enough, 409, k409, "not_enough", "Fewer units are left than were asked for.",
     false, 0},
    {Verdict::limit_reached, 409, k409, "limit_reached",
     "This user already holds as many as one may buy.", false, 0},
    {Verdict::already_paid, 409, k409, "already_paid", "The order is paid.", false, 0},
    {Verdict::not_payable, 409, k409, "not_payable", "Amount or currency is not the order's.",
     false, 0},
    {Verdict::sale_ended, 410, k410, "sale_ended", "The sale has ended.", false, 0},
    {Verdict::length_required, 411, k411, "length_required", "A body is needed, with its length.",
     false, 0},
    {Verdict::body_too_large, 413, k413, "body_too_large", "The body is too large.", false, 0},
    {Verdict::uri_too_long, 414, k414, "uri_too_long", "The target is too long.", false, 0},
    {Verdict::unsupported_media_type, 415, k415, "unsupported_media_type",
     "A body is application/json.", false, 0},
    {Verdict::expectation_failed, 417, k417, "expectation_failed",
     "The only expectation is 100-continue.", false, 0},
    {Verdict::misdirected, 421, k421, "misdirected", "The order belongs to another node.", false,
     0},
    {Verdict::key_reused, 422, k422, "key_reused", "The key was used for another request.", false,
     0},
    {Verdict::rate_limited, 429, k429, "rate_limited", "Too many requests.", true, 1000},
    {Verdict::headers_too_large, 431, k431, "headers_too_large", "The head is too large.", false,
     0},
    {Verdict::not_implemented, 501, k501, "not_implemented", "This is not implemented.", false, 0},
    {Verdict::try_again, 503, k503, "try_again", "Not decided yet, please try again.", true, 100},
    {Verdict::overloaded, 503, k503, "overloaded",
     "Too many requests are waiting, please try again.", true, 1000},
    {Verdict::ledger_unavailable, 503, k503, "ledger_unavailable", "The stock cannot be reached.",
     true, 1000},
    {Verdict::sale_paused, 503, k503, "sale_paused", "The sale is paused.", true, 5000},
    {Verdict::shutting_down, 503, k503, "shutting_down", "The server is stopping.", true, 2000},
    {Verdict::version_not_supported, 505, k505, "version_not_supported",
     "Only HTTP/1.1 and HTTP/1.0.", false, 0},
}};

constexpr bool table_is_sound() {
  for (size_t i = 0; i < kVerdicts.size(); ++i) {
    const VerdictInfo& info = kVerdicts[i];
    const std::string_view digits = info.status_line.substr(9, 3);
    const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    if (static_cast<size_t>(info.verdict) != i || status != info.status || info.code.empty())
      return false;
    if (info.retry_after_ms > 0 && !info.is_retryable) return false;
  }
  return true;
}
static_assert(table_is_sound(), "one line for each verdict, in their order");

std::string_view status_line_of(StatusCode status) {
  switch (status) {
    case StatusCode::ok:
      return k200;
    case StatusCode::created:
      return k201;
    case StatusCode::not_modified:
      return "HTTP/1.1 304 Not Modified\r\n";
    case StatusCode::conflict:
      return k409;
    case StatusCode::unavailable:
      return k503;
  }
  return k503;
}

// Each head is these lines in this order; an empty one is left out.
struct Head {
  std::string_view status_line;
  std::string_view content_type = kJson;
  size_t content_length = 0;
  bool has_content = true;
  uint32_t retry_after_ms = 0;
  std::string_view headers = {};  // further lines, each with its CRLF
  std::string_view allow = {};
};

void write_head(Writer& out, const Head& head, const Delivery& delivery) {
  out.raw(head.status_line).literal("Date: ").raw(delivery.date.view());
  if (head.has_content) {
    out.literal("\r\nContent-Type: ")
        .raw(head.content_type)
        .literal("\r\nContent-Length: ")
        .number(uint64_t{head.content_length});
  }
  if (head.retry_after_ms > 0)
    out.literal("\r\nRetry-After: ").number((head.retry_after_ms + 999) / 1000);
  if (!head.allow.empty()) out.literal("\r\nAllow: ").raw(head.allow);
  out.literal("\r\n").raw(head.headers);
  if (delivery.connection == ConnectionOption::close) out.literal("Connection: close\r\n");
  if (delivery.connection == ConnectionOption::keep_alive)
    out.literal("Connection: keep-alive\r\n");
  out.literal("\r\n");
}

size_t write_response(Head head, std::string_view body, const Delivery& delivery,
                      std::span<char> out) {
  Writer writer(out);
  head.content_length = body.size();
  write_head(writer, head, delivery);
  if (!delivery.is_head) writer.raw(body);
  return writer.is_full() ? 0 : writer.size();
}

// A refusal's head line beyond the usual ones (RFC 9110 15.5.2: a 401 names its scheme).
std::string_view headers_of(Verdict verdict) {
  return verdict == Verdict::unauthenticated ? "WWW-Authenticate: Bearer\r\n" : "";
}

void write_refusal(Writer& out, const VerdictInfo& info, std::string_view message,
                   uint32_t retry_after_ms) {
  out.literal("{\"code\":\"").raw(info.code).literal("\",\"message\":").quoted(message);
  out.raw(info.is_retryable ? ",\"retryable\":true" : ",\"retryable\":false");
  if (retry_after_ms > 0) out.literal(",\"retry_after_ms\":").number(retry_after_ms);
}

// What the verdict is about: the order that stands in the way, the units that are left, where or
// when to ask instead.
void write_detail(Writer& out, const OrderAnswer& answer) {
  if (answer.verdict == Verdict::not_enough)
    out.literal(",\"available\":").number(answer.available);
  if (answer.verdict == Verdict::not_started)
    out.literal(",\"starts_at\":").quoted_time(answer.starts_at_ms);
  if (answer.verdict == Verdict::misdirected)
    out.literal(",\"node\":").number(uint32_t{answer.node});
  if (!answer.has_order) return;
  out.literal(",\"order_id\":").quoted_id(answer.order.id);
  out.literal(",\"state\":\"").raw(name_of(answer.order.state)).literal("\"");
}

// The answer's own wait; or, before a sale, until its start; or the table's.
uint32_t retry_after_ms_of(const OrderAnswer& answer, const Delivery& delivery) {
  const uint32_t fallback = info_of(answer.verdict).retry_after_ms;
  if (answer.retry_after_ms > 0 || answer.verdict != Verdict::not_started) {
    return answer.retry_after_ms > 0 ? answer.retry_after_ms : fallback;
  }
  constexpr int64_t day_ms = 86'400'000;
  return static_cast<uint32_t>(
      std::clamp<int64_t>(answer.starts_at_ms - delivery.date.wall_ms(), fallback, day_ms));
}

}  // namespace

const VerdictInfo& info_of(Verdict verdict) {
  CHECK(static_cast<unsigned>(verdict) < kVerdictCount);
  return kVerdicts[static_cast<unsigned>(verdict)];
}

void write_order(Writer& out, const OrderView& order, std::string_view item_code,
                 bool is_replayed) {
  out.literal("{\"order_id\":").quoted_id(order.id);
  out.literal(",\"item\":").quoted(item_code).literal(",\"qty\":").number(order.quantity);
  out.literal(",\"user\":").quoted(order.user).literal(",\"state\":\"").raw(name_of(order.state));
  out.literal("\",\"amount\":").number(order.amount).literal(",\"currency\":");
  out.quoted({order.currency.data(), order.currency.size()});
  out.literal(",\"created_at\":").quoted_time(order.created_ms);
  out.literal(",\"pay_before\":").quoted_time(order.pay_before_ms);
  out.literal(",\"refund_due\":").number(order.refund_due);
  out.raw(is_replayed ? ",\"replayed\":true}" : "}");
}

size_t render_answer(const OrderAnswer& answer, std::string_view item_code,
                     const Delivery& delivery, std::span<char> out) {
  char body[kOrderJsonBytesMax];
  Writer writer(body);
  const VerdictInfo& info = info_of(answer.verdict);
  Head head{.status_line = info.status_line};
  if (info.status < 300) {
    CHECK(answer.has_order);
    write_order(writer, answer.order, item_code, answer.verdict == Verdict::replayed);
  } else {
    head.retry_after_ms = retry_after_ms_of(answer, delivery);
    head.headers = headers_of(answer.verdict);
    write_refusal(writer, info, info.message, head.retry_after_ms);
    write_detail(writer, answer);
    writer.literal("}");
  }
  CHECK(!writer.is_full());
  return write_response(head, writer.view(), delivery, out);
}

size_t render_refusal(const Refusal& refusal, const Delivery& delivery, std::span<char> out) {
  char body[kOrderJsonBytesMax];
  Writer writer(body);
  const VerdictInfo& info = info_of(refusal.verdict);
  const uint32_t retry_after_ms =
      refusal.retry_after_ms > 0 ? refusal.retry_after_ms : info.retry_after_ms;
  write_refusal(writer, info, refusal.reason ? refusal.reason : info.message, retry_after_ms);
  writer.literal("}");
  CHECK(!writer.is_full());
  const Head head{.status_line = info.status_line,
                  .retry_after_ms = retry_after_ms,
                  .headers = headers_of(refusal.verdict),
                  .allow = refusal.allow};
  return write_response(head, writer.view(), delivery, out);
}

size_t render(StatusCode status, std::string_view content_type, std::string_view headers,
              std::string_view body, const Delivery& delivery, std::span<char> out) {
  const Head head{.status_line = status_line_of(status),
                  .content_type = content_type,
                  .has_content = status != StatusCode::not_modified,
                  .headers = headers};
  return write_response(head, head.has_content ? body : "", delivery, out);
}

size_t render_head(StatusCode status, std::string_view content_type, std::string_view headers,
                   size_t content_length, const Delivery& delivery, std::span<char> out) {
  Writer writer(out);
  const Head head{.status_line = status_line_of(status),
                  .content_type = content_type,
                  .content_length = content_length,
                  .has_content = status != StatusCode::not_modified,
                  .headers = headers};
  write_head(writer, head, delivery);
  return writer.is_full() ? 0 : writer.size();
}

void OrderList::append(const OrderView& order, std::string_view item_code) {
  char json[kOrderJsonBytesMax];
  Writer writer(json);
  write_order(writer, order, item_code);
  CHECK(!writer.is_full());
  if (json_.back() == '}') json_ += ',';
  json_ += writer.view();
}

std::string_view OrderList::finish() {
  json_ += "]}";
  return json_;
}

}  // namespace stampede::http
