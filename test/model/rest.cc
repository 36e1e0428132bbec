// Coming to rest: from any world, the members that live get a usable epoch, the dead are reclaimed, and customers buy
// until nothing is left. Then every unit must be sold: a protocol that is merely safe would pass everything else by
// selling nothing.
#include "steps.h"
#include "world.h"

namespace stampede::model {
namespace {

bool runs(const World& world, int n) {
  return world.node[n].fate == Node::runs;
}

Rules without_bounds(Rules rules) {
  rules.epochs = rules.calls_max = rules.accepted_max = rules.returned_max = 100;
  return rules;
}

void lose_all_messages(World& world) {
  for (Node& node : world.node) {
    node.proposal = {};
    node.join = {};
    node.call = node.late_call = {};
    node.reply = {};
  }
  world.fence = {};
}

// The instance whose epoch every living member can go on with, or -1.
int usable_instance(const World& world) {
  for (int i = 0; i < kInstances; i++) {
    const Instance& redis = world.redis[i];
    bool is_usable = redis.is_master && redis.is_intact && redis.is_open;
    for (int n = 0; n < kNodes; n++) {
      if (!runs(world, n)) continue;
      is_usable = is_usable && world.registry.state[n] == Registry::active &&
                  world.node[n].promise == redis.epoch && (redis.joined >> n & 1) &&
                  redis.boot[n] <= world.node[n].boot;
    }
    if (is_usable) return i;
  }
  return -1;
}

// False: a dead member whose disk is lost was never deactivated and no open epoch knows its counters. Nothing is
// granted until an operator decides; the protocol promises no more.
bool retire_the_dead(World& world, const Rules& rules) {
  for (int n = 0; n < kNodes; n++) {
    if (runs(world, n) || world.registry.state[n] == Registry::retired) continue;
    pass_deadline(world, n, 0, rules);
    for (int i = 0; i < kInstances && !retire(world, n, 0, rules); i++) {
      if (execute_fence(world, n, i, rules)) deactivate(world, n, 0, rules);
    }
    if (world.registry.state[n] != Registry::retired && !retire(world, n, 0, rules)) return false;
  }
  return true;
}

// The last of several proposers finds all the others active.
void open_an_epoch(World& world, const Rules& rules) {
  int proposer = 0;
  for (int n = 0; n < kNodes; n++) {
    if (begin_epoch(world, n, 0, rules)) proposer = n;
  }
  promise_and_send_bump(world, proposer, 0, rules);
  execute_bump(world, proposer, 0, rules);
  execute_fill(world, proposer, 0, rules);
}

void join_all(World& world, int i, const Rules& rules) {
  for (int n = 0; n < kNodes; n++) {
    promise_what_is_seen(world, n, i, rules);
    if (send_join(world, n, i, rules)) execute_join(world, n, i, rules);
  }
  for (int n = 0; n < kNodes; n++) hear_that_it_is_open(world, n, i, rules);
}

// One call of each, and customers who buy all there is. True: somebody bought.
bool sell_a_round(World& world, int i, const Rules& rules) {
  bool has_sold = false;
  for (int n = 0; n < kNodes; n++) {
    for (int call = 0; call < 2; call++) {  // the first may repeat one that Redis has executed
      if (!send_call(world, n, rules, 1) || !execute_call(world, n, i, rules)) continue;
      accept_reply(world, n, 0, rules);
      while (sell(world, n, 0, rules)) has_sold = true;
    }
  }
  return has_sold;
}

}  // namespace

const char* broken_promise_at_rest(World world, const Rules& bounded) {
  Rules rules = without_bounds(bounded);
  rules.has_sold_out = false;  // looked at where every order of steps is tried
  lose_all_messages(world);
  if (!retire_the_dead(world, rules)) return nullptr;
  int i = usable_instance(world);
  if (i < 0) {
    i = 0;
    world.redis[0].is_master = true;
    world.redis[0].is_intact = false;
    open_an_epoch(world, rules);
  }
  join_all(world, i, rules);
  for (int n = 0; n < kNodes; n++) {
    if (runs(world, n)) continue;
    execute_fence(world, n, i, rules);
    execute_settle(world, n, i, rules);
  }
  world.redis[i].supplied = world.registry.supplied;
  while (sell_a_round(world, i, rules)) {
  }
  Count sold = 0;
  bool is_anybody_left = false;
  for (int n = 0; n < kNodes; n++) {
    sold += world.node[n].held + world.node[n].paid;
    is_anybody_left = is_anybody_left || runs(world, n);
  }
  if (is_anybody_left && sold < world.registry.supplied) return "UNDERSOLD at rest";
  return broken_promise(world, rules);
}

}  // namespace stampede::model
