#include "world.h"

namespace stampede::model {

World first_world(const Rules& rules) {
  World world{};
  Instance& master = world.redis[0];
  master.epoch = 1;
  master.is_master = master.is_intact = master.is_open = true;
  master.members = kAllNodes;
  master.joined = kAllNodes | kDatabaseBit;
  master.supplied = rules.supply;
  world.registry.last_epoch = 1;
  world.registry.supplied = rules.supply;
  for (int n = 0; n < kNodes; n++) {
    master.boot[n] = 1;
    world.node[n].promise = world.node[n].boot = 1;
    world.node[n].is_open = true;
    world.registry.entered[n] = 1;
  }
  world.redis[1] = master;
  world.redis[1].is_master = world.redis[1].is_intact = false;
  forget_the_dead(world, rules);
  return world;
}

Count pool_of(const Node& node) {
  return node.accepted + node.accepted_in_memory - node.returned - node.returned_in_memory -
         node.held - node.paid;
}

Count units_left(const World& world, int instance) {
  const Instance& redis = world.redis[instance];
  Count left = redis.supplied - redis.held;
  for (int n = 0; n < kNodes; n++) {
    bool is_known = (redis.joined >> n & 1) && redis.boot[n] != kFenced;
    bool is_untold = redis.expired_since >> n & 1;
    if (!is_known || is_untold) continue;
    left += redis.a[n] - redis.r[n] - world.node[n].held - world.node[n].paid;
  }
  return left;
}

namespace {

// A script of this epoch can still run: the epoch is on an intact master, or its BUMP may come.
bool can_run(const World& world, Count epoch) {
  for (const Instance& redis : world.redis) {
    if (redis.is_master && redis.is_intact && redis.epoch == epoch) return true;
  }
  for (const Node& node : world.node) {
    Proposal::Stage stage = node.proposal.stage;
    if (node.proposal.epoch == epoch &&
        (stage == Proposal::begun || stage == Proposal::bump_sent)) {
      return true;
    }
  }
  return false;
}

const Instance* intact_instance_of(const World& world, Count epoch) {
  for (const Instance& redis : world.redis) {
    if (redis.is_master && redis.is_intact && redis.epoch == epoch) return &redis;
  }
  return nullptr;
}

// Of an instance that is not intact, scripts read the epoch alone: BUMP compares it.
void forget_counters(Instance& redis) {
  Instance left{};
  left.epoch = redis.epoch;
  left.is_master = redis.is_master;
  redis = left;
}

void forget_replies(Node& node, const Rules& rules) {
  bool is_old = node.reply.epoch != node.promise && rules.planted != Planted::old_reply_accepted;
  if (is_old || node.fate != Node::runs) node.reply = {};
}

void forget_messages_of_lost_epochs(const World& world, Node& node) {
  if (!can_run(world, node.join.epoch)) node.join = {};
  if (!can_run(world, node.call.epoch)) node.call = {};
  if (!can_run(world, node.late_call.epoch)) node.late_call = {};
}

// What the one instance of their epoch would refuse.
void forget_outdated_messages(World& world, int n, const Rules& rules) {
  Node& node = world.node[n];
  const Instance* redis = intact_instance_of(world, node.join.epoch);
  if (redis && (redis->joined >> n & 1) && redis->boot[n] >= node.join.boot &&
      rules.planted != Planted::late_join_overwrites) {
    node.join = {};
  }
  for (Call* call : {&node.call, &node.late_call}) {
    redis = intact_instance_of(world, call->epoch);
    if (!redis) continue;
    if (redis->boot[n] > call->boot || redis->last_call[n] > call->number) *call = {};
  }
  if (node.proposal.stage != Proposal::bumped) return;
  redis = intact_instance_of(world, node.proposal.epoch);
  if (!redis || (redis->joined & kDatabaseBit)) node.proposal = {};
}

void forget_fence_answer(World& world) {
  const Registry& registry = world.registry;
  int n = world.fence.node;
  bool is_refused =
      registry.state[n] != Registry::active || registry.entered[n] > world.fence.epoch;
  if (world.fence.epoch && is_refused) world.fence = {};
}

// What is kept only to tell whether `sold_out` is true.
void forget_who_is_left(World& world) {
  for (Instance& redis : world.redis) redis.expired_since = 0;
  for (Node& node : world.node) {
    node.join.is_pool_true = node.call.is_pool_true = node.late_call.is_pool_true = false;
    node.reply.says_nothing_left = node.reply.was_nothing_left = false;
  }
}

}  // namespace

void forget_the_dead(World& world, const Rules& rules) {
  Planted planted = rules.planted;
  if (!rules.has_sold_out) forget_who_is_left(world);
  if (planted == Planted::no_identity_check) return;
  for (Instance& redis : world.redis) {
    bool is_read = planted == Planted::join_takes_max;
    if (!(redis.is_intact && redis.is_master) && !is_read) forget_counters(redis);
  }
  for (int n = 0; n < kNodes; n++) {
    forget_replies(world.node[n], rules);
    if (planted != Planted::bump_sent_twice) forget_messages_of_lost_epochs(world, world.node[n]);
    bool has_epochs_once =
        planted != Planted::epochs_not_unique && planted != Planted::bump_sent_twice;
    if (has_epochs_once) forget_outdated_messages(world, n, rules);
  }
  if (planted != Planted::deactivate_unchecked) forget_fence_answer(world);
}

namespace {

const char* broken_promise_of(const Instance& redis) {
  Count held = 0, unsold = 0;
  for (int n = 0; n < kNodes; n++) {
    held += redis.a[n] - redis.r[n];
    unsold += redis.p[n];
    if (redis.r[n] > redis.a[n]) return "Redis counts more units returned than granted";
    if (redis.p[n] < 0) return "Redis counts a negative pool";
  }
  if (held != redis.held) return "h is not the sum of a - r";
  if (unsold != redis.unsold) return "the sum of pools is not the sum of p";
  if (redis.supplied < redis.held) return "an open epoch counts more units held than supplied";
  return nullptr;
}

// A stream that the registry counts by frozen counters may not have more than they say.
const char* broken_promise_of(const Registry& registry, const Node& node, int n) {
  if (registry.state[n] == Registry::active) return nullptr;
  if (registry.is_presumed[n]) {
    const int presumed = registry.frozen_a[n] - registry.frozen_r[n];
    const bool is_too_low = node.accepted - node.returned > presumed;
    return registry.state[n] == Registry::inactive && is_too_low
               ? "an inactive node holds more than it was presumed to"
               : nullptr;
  }
  if (node.accepted > registry.frozen_a[n]) return "an inactive node accepted a grant";
  bool is_lost_and_retired = node.fate == Node::lost && registry.state[n] == Registry::retired;
  if (!is_lost_and_retired && node.returned < registry.frozen_r[n]) {
    return "the registry counts units returned that the log does not";
  }
  return nullptr;
}

// Somebody still accepts what this instance grants. An epoch that all have left may say anything.
bool is_heard(const World& world, const Instance& redis) {
  for (const Node& node : world.node) {
    if (node.fate == Node::runs && node.promise == redis.epoch) return true;
  }
  return false;
}

}  // namespace

const char* broken_promise(const World& world, const Rules& rules) {
  if (world.wrong == Wrong::sold_out_lie) return "`sold_out` was said while a unit was left";
  if (world.wrong == Wrong::granted_more_than_asked) return "a stream got more than it asked for";
  Count with_customers = 0;
  for (int n = 0; n < kNodes; n++) {
    const Node& node = world.node[n];
    with_customers += node.held + node.paid;
    if (node.accepted < node.returned + node.held + node.paid) {
      return "customers hold units that the log of their node does not have";
    }
    if (const char* broken = broken_promise_of(world.registry, node, n)) return broken;
  }
  if (with_customers > world.registry.supplied) return "OVERSOLD";
  for (const Instance& redis : world.redis) {
    bool is_used = redis.is_intact || rules.planted == Planted::no_identity_check;
    if (!redis.is_master || !redis.is_open || !is_used || !is_heard(world, redis)) continue;
    if (const char* broken = broken_promise_of(redis)) return broken;
  }
  return nullptr;
}

}  // namespace stampede::model
