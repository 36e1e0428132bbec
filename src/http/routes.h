// Which resource of the public listener a request means, and whether it may be asked for in this
// way. One table of paths; everything a path or a query can get wrong is decided here, before
// anything is looked up.
//
// A path matches segment by segment, percent-decoded (see target.h); the case of its letters counts.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <string_view>

#include "base/text.h"
#include "http/parser.h"
#include "http/response.h"
#include "order.h"

namespace stampede::http {

enum class RouteKind : uint8_t {
  create_order,     // POST /v1/orders
  list_orders,      // GET /v1/orders?item=CODE
  read_order,       // GET /v1/orders/{id}, ?wait_ms=N
  cancel_order,     // POST /v1/orders/{id}/cancel
  pay_order,        // POST /v1/orders/{id}/payment
  list_items,       // GET /v1/items, ?after=CODE
  read_item,        // GET /v1/items/{code}
  read_stock,       // GET /v1/items/{code}/stock
  make_link,        // POST /v1/items/{code}/link
  read_time,        // GET /v1/time
  describe_server,  // OPTIONS *
};

using ItemCode = Text<bounds::item_code_bytes_max>;

struct Route {
  RouteKind kind = RouteKind::read_time;
  bool is_head = false;  // HEAD is allowed wherever GET is
  unsigned wait_ms = 0;  // read_order; 0: answer at once
  OrderId order_id;      // the three of one order
  ItemCode
      item_code;  // list_orders, read_item, read_stock, make_link; list_items: empty without after
  bool is_refused = false;
  Refusal refusal;  // when refused
};

// After a length_required the connection must close: bytes that follow may be the body without a
// length.
[[nodiscard]] Route route(const Request& request);

// The methods of a path as Allow has them; empty when there is no such path.
[[nodiscard]] std::string_view methods_of(std::string_view path);

// OPTIONS * is a ping to a server as a whole (RFC 9110 9.3.7).
[[nodiscard]] inline bool asks_for_server(const Request& request) {
  return request.method == Method::options && request.path == "*";
}
// Its answer.
constexpr std::string_view kServerAllows = "Allow: GET, HEAD, POST, OPTIONS\r\n";

}  // namespace stampede::http
