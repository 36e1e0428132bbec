// Answers as bytes: whole responses, rendered into a buffer of the caller.
//
// Everything that can be known before is text in the table (status line, code, message); what is
// left is copying and a few digits: 150 ns for an accepted order, 75 ns for "sold out". Nothing is
// formatted through the C library and nothing is allocated.
//
// Pure: no system call, no clock; time comes in as a DateText. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/date_text.h"
#include "http/order_json.h"
#include "http/parser.h"
#include "http/verdicts.h"
#include "http/writer.h"
#include "order.h"

namespace stampede::http {

// What the Connection header says. HTTP/1.1 stays open without a word; a client of 1.0 that asked
// wants to hear it (ab -k).
enum class ConnectionOption : uint8_t { none, keep_alive, close };
[[nodiscard]] constexpr ConnectionOption connection_option(const Request& request) {
  if (!request.keep_alive) return ConnectionOption::close;
  return request.is_http_1_0 ? ConnectionOption::keep_alive : ConnectionOption::none;
}

// What a response says that does not depend on what was asked for.
struct Delivery {
  const DateText& date;
  ConnectionOption connection = ConnectionOption::none;
  bool is_head = false;         // the answer to HEAD: the headers of a GET, no body
  std::string_view lines = {};  // of every answer (origins.h), each with its CRLF
};

// The largest answer of render_answer() and render_refusal().
constexpr size_t response_bytes_max = 1536 + bounds::origin_lines_bytes_max;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// All return the bytes written at the start of `out`; 0 if they do not fit, which cannot happen to
// the first two when `out` holds response_bytes_max.

// The answer to create, read, watch, cancel and pay. `item_code` is the code of answer.order.item
// (empty without an order).
[[nodiscard]] size_t render_answer(const OrderAnswer& answer, std::string_view item_code,
                                   const Delivery& delivery, std::span<char> out);

// A refusal that was made before the home shard's desk. `reason` takes the place of the table's
// message if it is not null; `allow` is the Allow header of method_not_allowed (RFC 9110 15.5.6).
struct Refusal {
  Verdict verdict = Verdict::bad_request;
  const char* reason = nullptr;
  std::string_view allow = {};
  uint32_t retry_after_ms = 0;  // 0: the table's
  Limit limit = Limit::none;    // of rate_limited
};
[[nodiscard]] size_t render_refusal(const Refusal& refusal, const Delivery& delivery,
                                    std::span<char> out);

enum class StatusCode : uint16_t {
  ok = 200,
  created = 201,
  no_content = 204,
  not_modified = 304,
  conflict = 409,
  unavailable = 503
};
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

// Everything else: items, stock, time, metrics, operators' answers. `headers` are further lines,
// each with its CRLF. no_content and not_modified have neither a body nor a length (RFC 9110 8.6, 15.4.5).
[[nodiscard]] size_t render(StatusCode status, std::string_view content_type,
                            std::string_view headers, std::string_view body,
                            const Delivery& delivery, std::span<char> out);
// The same without the body, for one that is too large to be copied; room for the head: 256 bytes
// and the headers.
[[nodiscard]] size_t render_head(StatusCode status, std::string_view content_type,
                                 std::string_view headers, size_t content_length,
                                 const Delivery& delivery, std::span<char> out);

// The body of a list, one order at a time, newest first: {"orders":[…]}. Reserve room before, or it
// allocates.
class OrderList {
 public:
  void append(const OrderView& order, std::string_view item_code);
  [[nodiscard]] std::string_view finish();

 private:
  std::string json_ = R"({"orders":[)";
};

}  // namespace stampede::http
