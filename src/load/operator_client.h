// Reads the operators' listener of a server: one GET a connection, blocking, with a deadline.
// Used only before and after a run, never while it is measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/verification.h"
#include "net/address.h"

namespace stampede::load {

class OperatorClient {
 public:
  explicit OperatorClient(net::Address address) : address_(std::move(address)) {}

  Result<ItemAudit> audit(std::string_view item) const;
  // Records that are durable in the order log but not yet in the database.
  Result<uint64_t> drainer_lag_records() const;

 private:
  Result<std::string> get(std::string_view path) const;  // the body of a 200

  net::Address address_;
};

// The parts of the answers that are used here.
[[nodiscard]] Result<ItemAudit> parse_audit(std::string_view json, std::string_view item);
[[nodiscard]] Result<uint64_t> parse_drainer_lag(std::string_view json);

}  // namespace stampede::load
