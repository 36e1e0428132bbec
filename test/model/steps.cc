#include "steps.h"

#include <algorithm>

#include "scripts.h"

namespace stampede::model {
namespace {

bool runs(const Node& node) {
  return node.fate == Node::runs;
}

bool has(uint8_t set, int n) {
  return set >> n & 1;
}

// What a process knows and its log does not.
void forget_the_epoch(Node& node) {
  node.is_open = node.may_have_orphans = false;
  node.call_number = 0;
}

void note_that_a_reservation_ended(World& world, int n) {
  Node& node = world.node[n];
  for (Instance& redis : world.redis) redis.expired_since |= 1 << n;
  node.join.is_pool_true = node.call.is_pool_true = node.late_call.is_pool_true = false;
}

// ---- Epochs ----

// The node has no ledger to work with, or the registry took it for dead.
bool needs_an_epoch(const World& world, int n, const Rules& rules) {
  const Node& node = world.node[n];
  if (world.registry.state[n] != Registry::active) return true;
  for (const Instance& redis : world.redis) {
    if (!redis.is_master) continue;
    bool is_mine = answers_for(redis, node.promise, rules) && redis.is_open &&
                   has(redis.joined, n) && redis.boot[n] != kFenced;
    if (!is_mine) return true;
  }
  return false;
}

Count new_epoch(World& world, int n, const Rules& rules) {
  if (rules.planted != Planted::epochs_not_unique) return ++world.registry.last_epoch;
  Count highest = world.node[n].promise;
  for (const Instance& redis : world.redis) highest = std::max(highest, redis.epoch);
  world.registry.last_epoch = std::max<Count>(world.registry.last_epoch, highest + 1);
  return highest + 1;
}

}  // namespace

// One serializable transaction.
bool begin_epoch(World& world, int n, int, const Rules& rules) {
  Registry& registry = world.registry;
  Node& node = world.node[n];
  if (!runs(node) || registry.state[n] == Registry::retired) return false;
  if (registry.last_epoch >= rules.epochs || !needs_an_epoch(world, n, rules)) return false;
  registry.state[n] = Registry::active;
  registry.frozen_a[n] = registry.frozen_r[n] = 0;
  registry.is_presumed[n] = false;
  Proposal proposal{Proposal::begun, new_epoch(world, n, rules)};
  proposal.supplied = registry.supplied;
  for (int m = 0; m < kNodes; m++) {
    if (registry.state[m] == Registry::active) {
      proposal.members |= 1 << m;
    } else {
      proposal.frozen |= 1 << m;
      proposal.a[m] = registry.frozen_a[m];
      proposal.r[m] = registry.frozen_r[m];
    }
  }
  node.proposal = proposal;
  return true;
}

bool promise_and_send_bump(World& world, int n, int, const Rules&) {
  Node& node = world.node[n];
  if (!runs(node) || node.proposal.stage != Proposal::begun) return false;
  if (node.proposal.epoch < node.promise) return false;
  node.promise = node.proposal.epoch;
  node.proposal.stage = Proposal::bump_sent;
  forget_the_epoch(node);
  return true;
}

bool execute_bump(World& world, int n, int i, const Rules& rules) {
  Proposal& proposal = world.node[n].proposal;
  bool is_again = proposal.stage == Proposal::bumped && rules.planted == Planted::bump_sent_twice;
  if (proposal.stage != Proposal::bump_sent && !is_again) return false;
  if (!bump(world.redis[i], proposal, rules)) return false;
  proposal.stage = Proposal::bumped;
  return true;
}

bool execute_fill(World& world, int n, int i, const Rules& rules) {
  const Proposal& proposal = world.node[n].proposal;
  return proposal.stage == Proposal::bumped && join_database(world.redis[i], proposal, rules);
}

bool promise_what_is_seen(World& world, int n, int i, const Rules& rules) {
  Node& node = world.node[n];
  const Instance& redis = world.redis[i];
  if (!runs(node) || !answers_for(redis, redis.epoch, rules)) return false;
  if (redis.epoch <= node.promise || !has(redis.members, n)) return false;
  node.promise = redis.epoch;
  forget_the_epoch(node);
  return true;
}

namespace {

// Refused unless the node is active. An epoch that began before the registry's counters changed knows the old ones;
// whoever has not entered it by then must not: it may have accepted units that were freed by the change.
bool enter_epoch(Registry& registry, int n, Count epoch, const Rules& rules) {
  if (registry.state[n] != Registry::active) return false;
  bool is_old = epoch <= registry.changed_when && rules.planted != Planted::enter_unchecked;
  if (registry.entered[n] != epoch && is_old) return false;
  registry.entered[n] = std::max(registry.entered[n], epoch);
  return true;
}

}  // namespace

bool send_join(World& world, int n, int i, const Rules& rules) {
  Node& node = world.node[n];
  const Instance& redis = world.redis[i];
  if (!runs(node) || !answers_for(redis, redis.epoch, rules) || !has(redis.members, n)) {
    return false;
  }
  bool is_promised = redis.epoch == node.promise;
  bool is_early = rules.planted == Planted::join_before_promise && redis.epoch > node.promise;
  if (!is_promised && !is_early) return false;
  bool is_new = !has(redis.joined, n) || redis.boot[n] < node.boot;
  if (!is_new && rules.planted != Planted::late_join_overwrites) return false;
  Join join{redis.epoch, node.boot, node.accepted, node.returned, pool_of(node), true};
  if (node.join.epoch == join.epoch && node.join.boot == join.boot) return false;
  // Whoever has joined has entered before.
  bool needs_to_enter = !has(redis.joined, n);
  if (node.boot > 1 && rules.planted == Planted::rejoin_without_enter) needs_to_enter = false;
  if (needs_to_enter && !enter_epoch(world.registry, n, redis.epoch, rules)) return false;
  node.join = join;
  return true;
}

bool execute_join(World& world, int n, int i, const Rules& rules) {
  Node& node = world.node[n];
  if (!join(world.redis[i], n, node.join, rules)) return false;
  bool adopts = rules.planted == Planted::join_takes_max && runs(node);
  if (adopts && node.promise == node.join.epoch) {
    node.accepted = std::max(node.accepted, world.redis[i].a[n]);
  }
  return true;
}

bool hear_that_it_is_open(World& world, int n, int i, const Rules& rules) {
  Node& node = world.node[n];
  const Instance& redis = world.redis[i];
  if (!runs(node) || node.is_open || !answers_for(redis, node.promise, rules)) return false;
  if (!redis.is_open || redis.boot[n] != node.boot) return false;
  node.is_open = true;
  node.call_number = redis.last_call[n];
  node.may_have_orphans = node.call_number > 0;
  return true;
}

// ---- Calls ----

bool send_call(World& world, int n, const Rules& rules, Count want) {
  Node& node = world.node[n];
  if (!runs(node) || !node.is_open || node.accepted + want > rules.accepted_max) return false;
  Call call{node.promise, node.boot};
  call.number = node.call_number + 1;
  call.accepted = node.accepted + node.accepted_in_memory;
  call.returned = node.returned + node.returned_in_memory;
  call.pool = pool_of(node);
  call.want = want;
  call.is_pool_true = true;
  bool is_same = call.epoch == node.call.epoch && call.number == node.call.number &&
                 call.returned == node.call.returned && call.pool == node.call.pool &&
                 call.want == node.call.want;
  if (is_same || call.number > rules.calls_max) return false;
  node.call = call;
  return true;
}

bool execute_call(World& world, int n, int i, const Rules& rules) {
  Node& node = world.node[n];
  Reply reply;
  if (!sync(world.redis[i], n, node.call, rules, reply)) return false;
  if (node.call.boot != node.boot) return true;  // the process that asked is gone
  reply.was_nothing_left = units_left(world, i) <= 0;
  node.reply = reply;
  return true;
}

bool accept_reply(World& world, int n, int, const Rules& rules) {
  Node& node = world.node[n];
  Reply reply = node.reply;
  bool is_promised = reply.epoch == node.promise || rules.planted == Planted::old_reply_accepted;
  if (!runs(node) || reply.epoch == 0 || !is_promised) return false;
  node.reply = {};
  Count accepted = node.accepted + node.accepted_in_memory;
  if (reply.granted > accepted + 1 && !node.may_have_orphans) {
    world.wrong = Wrong::granted_more_than_asked;
  }
  Count news = std::max<Count>(0, reply.granted - accepted);
  (rules.planted == Planted::grant_before_durable ? node.accepted_in_memory : node.accepted) +=
      news;
  node.call_number = std::max(node.call_number, reply.number);
  node.may_have_orphans = false;
  bool is_any_on_its_way = node.returned + node.returned_in_memory > reply.returned;
  bool says_sold_out = reply.says_nothing_left && pool_of(node) == 0 &&
                       (!is_any_on_its_way || rules.planted == Planted::own_returns_ignored);
  bool is_sold_out = reply.was_nothing_left && !is_any_on_its_way;
  if (rules.has_sold_out && says_sold_out && !is_sold_out) world.wrong = Wrong::sold_out_lie;
  return true;
}

// ---- Customers ----

bool sell(World& world, int n, int, const Rules&) {
  Node& node = world.node[n];
  if (!runs(node) || pool_of(node) <= 0) return false;
  node.held++;
  return true;
}

// ---- Operators ----

bool execute_fence(World& world, int n, int i, const Rules& rules) {
  Instance& redis = world.redis[i];
  if (world.registry.state[n] == Registry::inactive || redis.boot[n] == kFenced) return false;
  if (!has(redis.joined, n) || !fence(redis, n, rules)) return false;
  world.fence = {redis.epoch, static_cast<Count>(n), redis.a[n], redis.r[n], false};
  return true;
}

// All that nobody else holds; nobody knows how much of it the node was granted.
bool execute_presume(World& world, int n, int i, const Rules& rules) {
  Instance& redis = world.redis[i];
  if (world.registry.state[n] == Registry::inactive || redis.boot[n] == kFenced) return false;
  if (!presume(redis, n, rules)) return false;
  const Count rest = static_cast<Count>(redis.supplied - redis.held);
  world.fence = {redis.epoch, static_cast<Count>(n), rest, 0, true};
  return true;
}

bool deactivate(World& world, int n, int, const Rules& rules) {
  Registry& registry = world.registry;
  FenceAnswer fence = world.fence;
  if (fence.epoch == 0 || fence.node != n || registry.state[n] != Registry::active) return false;
  if (registry.entered[n] > fence.epoch && rules.planted != Planted::deactivate_unchecked) {
    return false;
  }
  bool is_outdated = fence.is_presumed && fence.epoch <= registry.changed_when;
  if (is_outdated && rules.planted != Planted::presume_outdated) return false;
  registry.state[n] = Registry::inactive;
  registry.frozen_a[n] = fence.a;
  registry.frozen_r[n] = fence.r;
  registry.is_presumed[n] = fence.is_presumed;
  world.fence = {};
  return true;
}

// Nobody can pay any more for what a lost node had reserved.
bool pass_deadline(World& world, int n, int, const Rules&) {
  Node& node = world.node[n];
  if (node.fate != Node::lost || node.held == 0) return false;
  node.held = 0;
  note_that_a_reservation_ended(world, n);
  return true;
}

namespace {

// In the log of a dead node: what is unpaid expires, all but the paid goes back.
void expire_and_return_all(World& world, int n) {
  Node& node = world.node[n];
  node.held = 0;
  node.returned = node.accepted - node.paid;
  note_that_a_reservation_ended(world, n);
}

}  // namespace

// RECLAIM, its transaction in the registry.
bool retire(World& world, int n, int, const Rules& rules) {
  Registry& registry = world.registry;
  const Node& node = world.node[n];
  if (runs(node) || registry.state[n] == Registry::retired) return false;
  if (node.fate == Node::dead) {
    expire_and_return_all(world, n);
    registry.frozen_a[n] = node.accepted;
    registry.frozen_r[n] = node.returned;
    registry.is_presumed[n] = false;
  } else {
    if (registry.state[n] != Registry::inactive) return false;
    if (node.held > 0 && rules.planted != Planted::reclaim_at_once) return false;
    registry.frozen_r[n] = registry.frozen_a[n] - node.paid;
  }
  registry.state[n] = Registry::retired;
  registry.changed_when = registry.last_epoch;
  return true;
}

namespace {

// Otherwise only a node that was presumed lost may still be heard there.
bool is_in_use(const World& world, const Instance& redis) {
  const Registry& registry = world.registry;
  bool is_used = false;
  for (int n = 0; n < kNodes; n++)
    is_used |= registry.state[n] == Registry::active && registry.entered[n] == redis.epoch;
  return is_used;
}

}  // namespace

// RECLAIM, its script.
bool execute_settle(World& world, int n, int i, const Rules& rules) {
  const Registry& registry = world.registry;
  Instance& redis = world.redis[i];
  if (rules.planted == Planted::settle_left_out) return false;
  if (!is_in_use(world, redis) && rules.planted != Planted::settle_anywhere) return false;
  if (registry.state[n] == Registry::retired) {
    return settle(redis, n, registry.frozen_a[n], registry.frozen_r[n], rules);
  }
  const Node& node = world.node[n];
  if (rules.planted != Planted::settle_first || node.fate != Node::dead) return false;
  if (!settle(redis, n, node.accepted, node.accepted - node.paid, rules)) return false;
  expire_and_return_all(world, n);
  return true;
}

// ---- Steps of the exploration alone ----

namespace {

bool ask_for_a_unit(World& world, int n, int, const Rules& rules) {
  return send_call(world, n, rules, 1);
}

bool tell_and_ask_for_nothing(World& world, int n, int, const Rules& rules) {
  return send_call(world, n, rules, 0);
}

bool ask_for_a_unit_while_an_older_call_is_late(World& world, int n, int, const Rules& rules) {
  Call older = world.node[n].call;
  if (!rules.has_late_calls || older.epoch == 0 || !send_call(world, n, rules, 1)) return false;
  world.node[n].late_call = older;
  return true;
}

// Nobody waits for its answer any more.
bool execute_late_call(World& world, int n, int i, const Rules& rules) {
  Reply unheard;
  return sync(world.redis[i], n, world.node[n].late_call, rules, unheard);
}

bool pay(World& world, int n, int, const Rules& rules) {
  Node& node = world.node[n];
  if (!runs(node) || node.held == 0 || rules.deaths == 0) return false;
  node.held--;
  node.paid++;
  return true;
}

bool expire(World& world, int n, int, const Rules&) {
  Node& node = world.node[n];
  if (!runs(node) || node.held == 0) return false;
  node.held--;
  note_that_a_reservation_ended(world, n);
  return true;
}

bool give_back(World& world, int n, int, const Rules& rules) {
  Node& node = world.node[n];
  if (!runs(node) || pool_of(node) <= 0) return false;
  if (node.returned + node.returned_in_memory >= rules.returned_max) return false;
  (rules.planted == Planted::return_before_durable ? node.returned_in_memory : node.returned)++;
  return true;
}

bool make_durable(World& world, int n, int, const Rules&) {
  Node& node = world.node[n];
  if (!runs(node) || node.accepted_in_memory + node.returned_in_memory == 0) return false;
  node.accepted += node.accepted_in_memory;
  node.returned += node.returned_in_memory;
  node.accepted_in_memory = node.returned_in_memory = 0;
  return true;
}

void lose_the_process(Node& node) {
  forget_the_epoch(node);
  node.accepted_in_memory = node.returned_in_memory = 0;
  node.reply = {};
  // What was sent is still on its way.
  if (node.proposal.stage == Proposal::begun) node.proposal = {};
}

bool crash_and_restart(World& world, int n, int, const Rules& rules) {
  Node& node = world.node[n];
  if (!runs(node) || world.crashes >= rules.crashes) return false;
  world.crashes++;
  lose_the_process(node);
  node.boot++;
  return true;
}

bool die(World& world, int n, Node::Fate fate, const Rules& rules) {
  Node& node = world.node[n];
  if (!runs(node) || world.deaths >= rules.deaths) return false;
  world.deaths++;
  lose_the_process(node);
  node.fate = fate;
  return true;
}

bool die_leaving_the_disk(World& world, int n, int, const Rules& rules) {
  return die(world, n, Node::dead, rules);
}

bool die_with_the_disk(World& world, int n, int, const Rules& rules) {
  return die(world, n, Node::lost, rules);
}

bool operator_fences(World& world, int n, int i, const Rules& rules) {
  return rules.has_operators && execute_fence(world, n, i, rules);
}

bool operator_presumes(World& world, int n, int i, const Rules& rules) {
  return rules.has_operators && execute_presume(world, n, i, rules);
}

bool restock(World& world, int n, int, const Rules& rules) {
  Registry& registry = world.registry;
  if (n != 0 || registry.supplied >= rules.supply + rules.restocks) return false;
  registry.supplied++;
  registry.changed_when = registry.last_epoch;
  return true;
}

bool execute_supply(World& world, int, int i, const Rules& rules) {
  if (!is_in_use(world, world.redis[i]) && rules.planted != Planted::settle_anywhere) return false;
  return supply(world.redis[i], world.registry.supplied, rules);
}

// ---- Disasters ----

bool happens(World& world, const Rules& rules) {
  if (world.disasters >= rules.disasters) return false;
  world.disasters++;
  return true;
}

bool restart_with_its_data(World& world, int, int i, const Rules& rules) {
  Instance& redis = world.redis[i];
  if (!redis.is_master || !redis.is_intact || !happens(world, rules)) return false;
  redis.is_intact = false;
  return true;
}

// FLUSHALL, or a restart without a file.
bool lose_all_data(World& world, int, int i, const Rules& rules) {
  Instance& redis = world.redis[i];
  if (!redis.is_master || redis.epoch == 0 || !happens(world, rules)) return false;
  redis = {};
  redis.is_master = true;
  return true;
}

// The old master, if it lives, stays one: the brain is split.
bool promote(World& world, int, int i, const Rules& rules) {
  Instance& redis = world.redis[i];
  if (redis.is_master || !happens(world, rules)) return false;
  redis.is_master = true;
  return true;
}

bool copy_the_master(World& world, int i) {
  const Instance& master = world.redis[1 - i];
  if (!master.is_master) return false;
  world.redis[i] = master;
  world.redis[i].is_master = world.redis[i].is_intact = false;
  return true;
}

bool demote(World& world, int, int i, const Rules& rules) {
  if (!world.redis[i].is_master || !world.redis[1 - i].is_master) return false;
  return happens(world, rules) && copy_the_master(world, i);
}

bool replicate(World& world, int, int i, const Rules& rules) {
  if (world.redis[i].is_master || world.disasters >= rules.disasters) return false;
  return copy_the_master(world, i);
}

constexpr Step kSteps[] = {
    {"begins an epoch in the registry", begin_epoch, Step::of_node},
    {"promises its epoch and sends BUMP", promise_and_send_bump, Step::of_node},
    {"BUMP of", execute_bump, Step::of_both},
    {"JOIN * by", execute_fill, Step::of_both},
    {"promises the epoch it sees on", promise_what_is_seen, Step::of_both},
    {"enters and sends JOIN for", send_join, Step::of_both},
    {"JOIN of", execute_join, Step::of_both},
    {"hears that the epoch is open from", hear_that_it_is_open, Step::of_both},
    {"sends a call that asks for a unit", ask_for_a_unit, Step::of_node},
    {"sends a call that asks for nothing", tell_and_ask_for_nothing, Step::of_node},
    {"sends a call while an older one is late", ask_for_a_unit_while_an_older_call_is_late,
     Step::of_node},
    {"SYNC of", execute_call, Step::of_both},
    {"late SYNC of", execute_late_call, Step::of_both},
    {"takes the reply", accept_reply, Step::of_node},
    {"sells a unit", sell, Step::of_node},
    {"is paid", pay, Step::of_node},
    {"lets a reservation expire", expire, Step::of_node},
    {"gives a unit back", give_back, Step::of_node},
    {"makes its records durable", make_durable, Step::of_node},
    {"crashes and restarts", crash_and_restart, Step::of_node},
    {"dies and leaves its disk", die_leaving_the_disk, Step::of_node},
    {"dies with its disk", die_with_the_disk, Step::of_node},
    {"FENCE of", operator_fences, Step::of_both},
    {"PRESUME of", operator_presumes, Step::of_both},
    {"is made inactive in the registry", deactivate, Step::of_node},
    {"has no reservation left that could be paid", pass_deadline, Step::of_node},
    {"is retired in the registry", retire, Step::of_node},
    {"SETTLE of", execute_settle, Step::of_both},
    {"(registry) is told of one unit more", restock, Step::of_node},
    {"SUPPLY", execute_supply, Step::of_instance},
    {"restarts with its data", restart_with_its_data, Step::of_instance},
    {"loses all data", lose_all_data, Step::of_instance},
    {"is promoted", promote, Step::of_instance},
    {"becomes a replica of the other", demote, Step::of_instance},
    {"copies its master", replicate, Step::of_instance},
};

}  // namespace

std::span<const Step> all_steps() {
  return kSteps;
}

std::string line(const Step& step, int n, int i) {
  std::string node = "node " + std::to_string(n), redis = std::string("Redis ") + "AB"[i];
  switch (step.subject) {
    case Step::of_node:
      return node + " " + step.text;
    case Step::of_instance:
      return redis + " " + step.text;
    case Step::of_both:
      break;
  }
  // A script runs on an instance; what a node does names the instance last.
  bool is_script = step.text[0] < 'a' || step.run == execute_late_call;
  return is_script ? redis + ": " + step.text + " " + node : node + " " + step.text + " " + redis;
}

}  // namespace stampede::model
