// The seam between connections, which know bytes and HTTP, and what a request means. The public listeners' connections
// have one handler (public_api.h), the operators' have another (admin.h).
//
// A request has a place in its connection's line until it is answered. The handler keeps the ReplyTo of the place and
// answers with Answers::complete(), within the call or turns later, in any order. An answer that comes when the
// connection has gone, and a second answer to one place, go nowhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/parser.h"
#include "http/response.h"
#include "order.h"

namespace stampede::shard {

// Every answer but an order's: it allocates, and an order's path may not.
struct TextAnswer {
  http::StatusCode status = http::StatusCode::ok;
  std::string_view content_type = http::kJson;
  std::string headers;  // further lines, each with its CRLF
  std::string body;
  // Or a refusal, when this is not Verdict::ok; `body` is then its message.
  Verdict refusal = Verdict::ok;
  std::string_view allow = {};
  // In place of `body`: the same bytes for many answers.
  std::shared_ptr<const std::string> shared_body = nullptr;
  uint32_t shared_from = 0;    // the bytes in front are for others
  std::string_view lead = {};  // of the body, in front of the shared ones; at most kLeadBytesMax
  // Bytes behind the request may be no request: nothing more is read, and the connection ends behind this answer.
  bool ends_connection = false;

  static constexpr size_t kLeadBytesMax = 16;

  // The body behind its lead.
  std::string_view content() const {
    return shared_body ? std::string_view(*shared_body).substr(shared_from) : body;
  }
};

// Called on the thread of its shard.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  // One request; its views hold within the call.
  virtual void handle(const http::Request& request, ReplyTo place) = 0;

  // The code of the item of an OrderAnswer that is written now.
  virtual std::string_view item_code(ItemId) const { return {}; }
  // Every answer in front of this place has been written: see Answers::is_first().
  virtual void take_turn(ReplyTo) {}
  // Another request waits behind this place, or the server stops: see Answers::may_linger().
  virtual void hurry(ReplyTo) {}
  // The connection ends before the answer came. Nothing can be answered any more, not even within the call.
  virtual void abandon(ReplyTo) {}
};

}  // namespace stampede::shard
