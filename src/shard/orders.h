// What the public side of a shard asks of the rest of it: a seam, so that tests answer instead.
#pragma once

#include "stock/desk.h"

namespace stampede::shard {

class Orders {
 public:
  virtual ~Orders() = default;
  // To the home shard of the order or the user; false: no credit, the answer is `overloaded`. The answer comes to
  // PublicApi::complete(), perhaps within the call.
  virtual bool submit(const OrderRequest& request) = 0;
  // What is known of an item's stock; asks for news when it is old, which come to PublicApi::on_news().
  using Glance = stock::Desk::Glance;
  virtual Glance glance(ItemId item) = 0;
};

}  // namespace stampede::shard
