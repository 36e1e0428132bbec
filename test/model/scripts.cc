#include "scripts.h"

#include <algorithm>

namespace stampede::model {
namespace {

// SET and not max: the order log alone knows what was accepted.
void set_counters(Instance& redis, int n, Count a, Count r, Count pool) {
  redis.held += (a - r) - (redis.a[n] - redis.r[n]);
  redis.unsold += pool - redis.p[n];
  redis.a[n] = a;
  redis.r[n] = r;
  redis.p[n] = pool;
}

void open_if_all_joined(Instance& redis, const Rules& rules) {
  uint8_t awaited = redis.members | kDatabaseBit;
  if (rules.planted == Planted::no_barrier) awaited = kDatabaseBit;
  if ((redis.joined & awaited) == awaited) redis.is_open = true;
}

}  // namespace

bool answers_for(const Instance& redis, Count epoch, const Rules& rules) {
  bool is_same = redis.is_intact || rules.planted == Planted::no_identity_check;
  return redis.is_master && is_same && epoch != 0 && redis.epoch == epoch;
}

bool bump(Instance& redis, const Proposal& proposal, const Rules& rules) {
  if (!redis.is_master || redis.epoch >= proposal.epoch) return false;
  Instance fresh{};
  if (rules.planted == Planted::join_takes_max) {
    fresh = redis;
    fresh.joined = fresh.expired_since = 0;
    fresh.is_open = false;
    for (Count& number : fresh.last_call) number = 0;
  }
  fresh.epoch = proposal.epoch;
  fresh.is_master = fresh.is_intact = true;
  fresh.members = proposal.members;
  redis = fresh;
  return true;
}

bool join_database(Instance& redis, const Proposal& proposal, const Rules& rules) {
  if (!answers_for(redis, proposal.epoch, rules) || (redis.joined & kDatabaseBit)) return false;
  redis.supplied = std::max(redis.supplied, proposal.supplied);
  for (int n = 0; n < kNodes; n++) {
    if (proposal.frozen >> n & 1) set_counters(redis, n, proposal.a[n], proposal.r[n], 0);
  }
  redis.joined |= kDatabaseBit;
  open_if_all_joined(redis, rules);
  return true;
}

bool join(Instance& redis, int n, const Join& told, const Rules& rules) {
  if (!answers_for(redis, told.epoch, rules) || !(redis.members >> n & 1)) return false;
  if (redis.boot[n] > told.boot) return false;
  bool has_joined = redis.joined >> n & 1;
  if (has_joined && rules.planted != Planted::late_join_overwrites) {
    bool is_newer = redis.boot[n] < told.boot;
    redis.boot[n] = told.boot;
    return is_newer;
  }
  redis.boot[n] = told.boot;
  Count a = told.accepted, r = told.returned;
  if (rules.planted == Planted::join_takes_max) {
    a = std::max(a, redis.a[n]);
    r = std::max(r, redis.r[n]);
  }
  set_counters(redis, n, a, r, rules.planted == Planted::join_keeps_pool ? redis.p[n] : told.pool);
  if (!told.is_pool_true) redis.expired_since |= 1 << n;
  redis.joined |= 1 << n;
  open_if_all_joined(redis, rules);
  return true;
}

bool sync(Instance& redis, int n, const Call& call, const Rules& rules, Reply& reply) {
  if (!answers_for(redis, call.epoch, rules) || redis.boot[n] != call.boot) return false;
  if (!redis.is_open) return false;
  bool is_new = call.number == redis.last_call[n] + 1;
  if (!is_new && call.number != redis.last_call[n]) return false;  // OLD or GAP

  set_counters(redis, n, redis.a[n], std::max(redis.r[n], call.returned), redis.p[n]);
  if (is_new || rules.planted == Planted::repeat_counts_pool) {
    // Granted to an earlier process, and the stream does not know yet.
    Count orphans = std::max<Count>(0, redis.a[n] - call.accepted);
    if (!is_new || rules.planted == Planted::orphans_not_counted) orphans = 0;
    set_counters(redis, n, redis.a[n], redis.r[n], call.pool + orphans);
    redis.expired_since &= ~(1 << n);
    if (!call.is_pool_true) redis.expired_since |= 1 << n;
  }
  if (is_new || rules.planted == Planted::repeat_counts_want) {
    Count free = redis.supplied - redis.held;
    Count grant = std::max<Count>(0, std::min(call.want, free));
    set_counters(redis, n, redis.a[n] + grant, redis.r[n], redis.p[n] + grant);
  }
  redis.last_call[n] = call.number;

  bool is_none_free = redis.supplied - redis.held <= 0;
  Count unsold = redis.unsold;
  if (rules.planted == Planted::own_pool_ignored) unsold -= redis.p[n];
  reply = {call.epoch, call.number, redis.a[n], redis.r[n], is_none_free && unsold == 0, false};
  return true;
}

bool fence(Instance& redis, int n, const Rules& rules) {
  if (!answers_for(redis, redis.epoch, rules) || !redis.is_open) return false;
  if (rules.planted != Planted::fence_does_not_hold) redis.boot[n] = kFenced;
  return true;
}

bool presume(Instance& redis, int n, const Rules& rules) {
  if (!answers_for(redis, redis.epoch, rules) || !(redis.members >> n & 1)) return false;
  bool is_missing = !(redis.joined >> n & 1);
  uint8_t others = (redis.members & ~(1 << n)) | kDatabaseBit;
  if (rules.planted == Planted::presume_too_early) others = kDatabaseBit;
  if (!is_missing || (redis.joined & others) != others) return false;
  if (rules.planted != Planted::presume_does_not_hold) redis.boot[n] = kFenced;
  return true;
}

bool settle(Instance& redis, int n, Count a, Count r, const Rules& rules) {
  if (!answers_for(redis, redis.epoch, rules) || !redis.is_open) return false;
  bool has_joined = redis.joined >> n & 1;
  if (has_joined && redis.boot[n] != kFenced) return false;  // ALIVE
  bool is_news = redis.a[n] != a || redis.r[n] != r || redis.p[n] != 0;
  set_counters(redis, n, a, r, 0);
  return is_news;
}

bool supply(Instance& redis, Count supplied, const Rules& rules) {
  if (!answers_for(redis, redis.epoch, rules) || redis.supplied >= supplied) return false;
  redis.supplied = supplied;
  return true;
}

}  // namespace stampede::model
