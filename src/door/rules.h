// What every shard's door goes by: one value, made anew for each change and published whole, so that no shard sees half of
// a change. A shard takes a newer one between two turns (Shard::pull_levers()).
#pragma once

#include <memory>

#include "door/limits.h"

namespace stampede::door {

struct Rules {
  Limits limits;
};
using SharedRules = std::shared_ptr<const Rules>;

}  // namespace stampede::door
