// What every shard's door goes by: one value, made anew for each change and published whole, so that no shard sees half of
// a change. A shard takes a newer one between two turns (Shard::pull_levers()).
#pragma once

#include <memory>
#include <string>

#include "door/block_list.h"
#include "door/enrolment.h"
#include "door/limits.h"

namespace stampede::door {

struct Rules {
  Limits limits;
  // The header in which a gateway names the buyer's address, in lower case; empty: the peer is the buyer.
  std::string address_header;
  std::shared_ptr<const Enrolments> enrolments;  // null: there are none
  Blocked blocked;
  friend bool operator==(const Rules&, const Rules&) = default;
};
using SharedRules = std::shared_ptr<const Rules>;

// Why these rules cannot hold together; null: they can. Behind a gateway every connection is the gateway's own.
[[nodiscard]] inline const char* contradiction_in(const Rules& rules) {
  if (rules.address_header.empty() || rules.limits.connections_address == 0) return nullptr;
  return "connections_address counts the peers of connections, and behind a gateway that is the "
         "gateway itself; expected 0";
}

}  // namespace stampede::door
