// The facts of an order that never change, from a database: evidence of whose database it is (kinship.h).
#pragma once

#include <cstdint>
#include <string>

#include "order.h"

namespace stampede::drain {

struct KnownOrder {
  OrderId id;
  std::string user;
  int64_t quantity = 0, amount = 0;
  std::string created_at;  // as TimeText renders it
};

}  // namespace stampede::drain
