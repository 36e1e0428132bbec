// The bytes of a user's requests, appended to a connection's output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "load/plan.h"
#include "load/user_name.h"
#include "load/wishes.h"

namespace stampede::load {

// The amount and currency that a payment must name to be accepted, as the answers show them.
struct Price {
  Money amount = 0;
  Currency currency{};
};

class RequestWriter {
 public:
  explicit RequestWriter(const Plan& plan);  // the plan must outlive this

  // The same user always sends the same key, so that an order whose answer was lost can be asked
  // for again. About 200 ns, and 2 us with a ticket.
  void append_order(uint64_t user_number, std::string& out) const;

  void append_cancel(uint64_t user_number, OrderId order, std::string& out) const;

  // Reads the item that a user of this number would want: its page, or with `/stock` behind it the units that are left.
  void append_look(uint64_t number, std::string_view what, std::string& out) const;

  // As the payment provider sends it, signed; the same payment id for the same user.
  void append_payment(uint64_t user_number, OrderId order, const Price& price, int64_t now_unix,
                      std::string& out) const;

 private:
  void append_user(uint64_t user_number, std::string& out) const;

  const Plan& plan_;
  UserNames names_;
  std::string host_;  // with its name and the end of the line
  std::string
      user_field_;  // the name of the field that names the user, and the text before the name
  Wishes wishes_;
  std::vector<std::string> after_key_;  // by wish; ends with the body
};

}  // namespace stampede::load
