// The bytes of one user's order, appended to a connection's output.
#pragma once

#include <string>

#include "load/plan.h"
#include "load/user_name.h"

namespace stampede::load {

class RequestWriter {
 public:
  explicit RequestWriter(const Plan& plan);  // the plan must outlive this

  // The same user always sends the same key, so that an order whose answer was lost can be asked
  // for again.
  void append_order(uint64_t user_number, std::string& out) const;

 private:
  void append_ticket(std::string_view user, std::string& out) const;

  const Plan& plan_;
  UserNames names_;
  std::string before_user_;
  std::string before_key_;
  std::string after_key_;  // ends with the body, which all users share
};

}  // namespace stampede::load
