// The ledger's scripts, as lua/ has them, on an instance of the model. Each says whether it did anything: a script that
// refuses leaves the instance as it was.
#pragma once

#include "world.h"

namespace stampede::model {

// look() of lua/identity.lua.
bool answers_for(const Instance& redis, Count epoch, const Rules& rules);

bool bump(Instance& redis, const Proposal& proposal, const Rules& rules);
bool join_database(Instance& redis, const Proposal& proposal, const Rules& rules);
bool join(Instance& redis, int n, const Join& told, const Rules& rules);
bool sync(Instance& redis, int n, const Call& call, const Rules& rules, Reply& reply);
bool fence(Instance& redis, int n, const Rules& rules);
bool presume(Instance& redis, int n, const Rules& rules);
bool settle(Instance& redis, int n, Count a, Count r, const Rules& rules);
bool supply(Instance& redis, Count supplied, const Rules& rules);

}  // namespace stampede::model
