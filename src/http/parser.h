// A strict HTTP/1.1 request parser (RFC 9110, RFC 9112). It reads one request from the start of a
// buffer and says one of three things.
//
// - complete: the request and its body are here; `consumed` bytes belong to it, the next request
//   follows them.
// - need_more: nothing is wrong so far.
// - bad: the refusal is certain. Answer it, close, read nothing more.
//
// Two parsers that understand one byte stream differently let an attacker hide a request inside
// another. So there is one framing only: whatever another parser might read differently is refused,
// and the connection ends. A malformed byte is refused when it arrives, not when its head is
// complete. What is well-formed but not served (an unknown method or transfer coding, an
// expectation, a body that is too large) is refused when the head is complete, before its body is
// read.
//
// parse() keeps nothing between calls: it reads the request from its first byte each time. That
// makes every split of the input give the same result by construction, and it is cheap: nearly
// every request arrives whole (150 ns with six header lines), the largest head takes 1 µs, the
// worst body, 4,096 chunks of one byte, 50 µs, and each further look costs the sender a packet.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "bounds.h"
#include "order.h"

namespace stampede::http {

// `other` is a method that HTTP knows and no resource here allows (PATCH, TRACE); what HTTP does
// not know, and CONNECT, is refused by the parser as not_implemented.
enum class Method : uint8_t { get, head, post, put, del, options, other };

// Views point into the input, or for a chunked body into the caller's scratch. A header that was
// not sent is a null view and one that was sent without a value an empty one: gateways blank what
// they do not vouch for. A second line of those named here is refused.
struct Request {
  Method method = Method::other;
  bool keep_alive = false;  // the client lets the connection stay open: 1.1 unless it says
                            // close, 1.0 only if it asks
  bool is_http_1_0 = false;
  bool has_body = false;             // a length was given, by Content-Length or chunks; it may be 0
  bool has_content_coding = false;   // Content-Encoding: the body is not the JSON itself
  bool has_if_none_match = false;    // see is_unchanged() in fields.h
  std::string_view path;             // of the target, from its "/", percent-encoded; or "*"
  std::string_view query;            // without the "?"; still percent-encoded
  std::string_view host;             // of the target, else of Host; with its port
  std::string_view lines;            // the header lines, each with its CRLF
  std::string_view origin;           // Origin
  std::string_view user_id;          // X-User-Id
  std::string_view authorization;    // Authorization
  std::string_view idempotency_key;  // Idempotency-Key
  std::string_view signature;        // Stampede-Signature
  std::string_view proof;            // Stampede-Proof
  std::string_view content_type;     // Content-Type
  std::string_view body;
};

enum class ParseStatus : uint8_t { complete, need_more, bad };

struct Parsed {
  ParseStatus status = ParseStatus::need_more;
  bool is_head_complete = false;  // need_more: it is the body that is missing
  // need_more: the client waits for "100 Continue" before it sends the body (RFC 9110 10.1.1). True
  // at each call until body bytes arrive; answering it once is the caller's part.
  bool wants_continue = false;
  Verdict refusal = Verdict::ok;  // bad
  const char* reason = nullptr;   // bad: what is wrong, a sentence for the client; static text
  size_t consumed = 0;            // complete: with the empty line that may precede a request
  Request request;                // complete; else only its method, other while that is not known
};

// `body_scratch` takes the data of a chunked body and must hold bounds::body_bytes_max. An input of
// bounds::request_bytes_max bytes or more never gives need_more.
[[nodiscard]] Parsed parse(std::span<const char> input, std::span<char> body_scratch);

}  // namespace stampede::http
