// The two JSON bodies that clients send, read strictly: a body that two readers understand
// differently (a key twice, 1e3, half a surrogate) is a dispute about an order.
//
// How strictly, says json_reader.h. Members that we do not know are ignored, whatever their type and
// size, if they are well-formed.
//
// No allocation after a thread's first call; any thread.
#pragma once

#include <string_view>

#include "order.h"

namespace stampede::http {

// {"item":"ticket","qty":1}, for a hidden sale also "link":"…". Views are valid until the next parse_…() of this
// thread.
struct CreateBody {
  const char* error =
      nullptr;            // why this is a bad_request, a sentence for the client; null: well-formed
  std::string_view item;  // 1 … bounds::item_code_bytes_max bytes of UTF-8; known or not
  Quantity quantity = 0;  // 1 … bounds::quantity_max
  std::string_view link;  // of a hidden sale, whatever it says; empty: none
};
[[nodiscard]] CreateBody parse_create(std::string_view body);

// {"payment_id":"p1","amount":55350,"currency":"CNY","status":"succeeded"}. A currency that is not the
// order's is well-formed here: the money came, and the order must say that it goes back.
struct PaymentBody {
  const char* error = nullptr;
  std::string_view payment_id;  // 1 … bounds::payment_id_bytes_max bytes of visible ASCII
  Money amount = 0;             // 0 … bounds::money_max
  Currency currency{};          // three capital letters, whatever their case was
  PaymentStatus status = PaymentStatus::succeeded;
};
[[nodiscard]] PaymentBody parse_payment(std::string_view body);

}  // namespace stampede::http
