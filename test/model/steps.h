// Everything that can happen in the world, one function each.
//
// A step is tried for every node and, where it touches Redis, for every instance. It changes the world and says true,
// or leaves it and says false when it cannot happen now. Steps take no decisions that time or luck would take:
// whatever a node may do, it does at any moment or never.
#pragma once

#include <span>
#include <string>

#include "world.h"

namespace stampede::model {

struct Step {
  const char* text;
  bool (*run)(World& world, int n, int i, const Rules& rules);
  enum Subject : uint8_t { of_node, of_instance, of_both } subject;
};

std::span<const Step> all_steps();
std::string line(const Step& step, int n, int i);

// The steps that coming to rest is made of.
bool begin_epoch(World& world, int n, int i, const Rules& rules);
bool promise_and_send_bump(World& world, int n, int i, const Rules& rules);
bool execute_bump(World& world, int n, int i, const Rules& rules);
bool execute_fill(World& world, int n, int i, const Rules& rules);
bool promise_what_is_seen(World& world, int n, int i, const Rules& rules);
bool send_join(World& world, int n, int i, const Rules& rules);
bool execute_join(World& world, int n, int i, const Rules& rules);
bool hear_that_it_is_open(World& world, int n, int i, const Rules& rules);
bool send_call(World& world, int n, const Rules& rules, Count want);
bool execute_call(World& world, int n, int i, const Rules& rules);
bool accept_reply(World& world, int n, int i, const Rules& rules);
bool sell(World& world, int n, int i, const Rules& rules);
bool execute_fence(World& world, int n, int i, const Rules& rules);
bool deactivate(World& world, int n, int i, const Rules& rules);
bool pass_deadline(World& world, int n, int i, const Rules& rules);
bool retire(World& world, int n, int i, const Rules& rules);
bool execute_settle(World& world, int n, int i, const Rules& rules);

}  // namespace stampede::model
