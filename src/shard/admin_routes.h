// What may be asked of the operators' listener, and how: paths, methods, parameters and bodies.
// Everything that a request can get wrong by itself is decided here, before anything is looked up.
//
// Bodies are read with an operator in mind: an unknown or repeated key is refused, because a
// misspelt "delta" must not be a restock of nothing. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "bounds.h"
#include "http/parser.h"
#include "http/routes.h"
#include "order.h"

namespace stampede::shard {

enum class AdminKind : uint8_t {
  health,           // GET /healthz
  readiness,        // GET /readyz
  metrics,          // GET /metrics?item=CODE&item=CODE…
  status,           // GET /admin/status?after=CODE
  audit,            // GET /admin/audit?after=CODE, ?item=CODE
  turns,            // GET /admin/turns?shard=N
  read_limits,      // GET /admin/limits
  set_limits,       // PUT /admin/limits
  reload,           // POST /admin/reload
  list_blocked,     // GET /admin/blocked?after_user=ID, ?after_address=NETWORK
  read_blocked,     // GET /admin/blocked/users/{id}, /admin/blocked/addresses/{network}
  block,            // PUT of the same
  unblock,          // DELETE of the same
  put_item,         // PUT /admin/items/{code}
  pause,            // POST /admin/items/{code}/pause
  resume,           // POST /admin/items/{code}/resume
  end,              // POST /admin/items/{code}/end
  restock,          // POST /admin/items/{code}/restock
  describe_server,  // OPTIONS *
};

// Whom a word of an operator is about: a user, or a network in its one spelling.
struct BlockSubject {
  bool is_network = false;
  std::string text;
};

struct AdminRoute {
  AdminKind kind = AdminKind::health;
  http::ItemCode item;                // of the path, or of the parameter `item`; empty: none
  std::vector<http::ItemCode> items;  // metrics: of the parameters `item`; empty: the busiest
  http::ItemCode after;               // of the parameter `after`; empty: from the first item
  uint32_t shard = 0;                 // turns: of the parameter `shard`
  BlockSubject subject;  // of the path; list_blocked: the one that the page stands behind, or empty
  Verdict refusal =
      Verdict::ok;  // why the request is refused, with the message and the methods that are allowed
  std::string_view reason;
  std::string_view allow;
};
[[nodiscard]] AdminRoute route_admin(const http::Request& request);

// {"op_id":"r1","delta":100}
struct Restock {
  Text<bounds::op_id_bytes_max> op_id;  // 1 to 64 visible ASCII characters
  int64_t delta = 0;                    // units to add, or below 0 to withdraw; never 0
};
[[nodiscard]] Result<Restock> parse_restock(std::string_view body);

// What a delta does to an item's units, or why it cannot be done.
struct Supplied {
  Units supplied = 0, withdrawn = 0;
};
// `total` = supplied − withdrawn stays within 0 … bounds::stock_max. Whether the units to withdraw
// are free is the ledger's to say.
[[nodiscard]] Result<Supplied> restocked(Supplied now, int64_t delta);

}  // namespace stampede::shard
