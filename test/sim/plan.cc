#include "plan.h"

#include <iterator>

#include "base/clock.h"
#include "random.h"

namespace stampede::sim {
namespace {

constexpr std::string_view kNames[] = {"kill",
                                       "power_cut",
                                       "stop",
                                       "freeze",
                                       "reshard",
                                       "slow_disk",
                                       "disk_error",
                                       "disk_full",
                                       "resets",
                                       "slow_readers",
                                       "pieces",
                                       "database_away",
                                       "database_unknown",
                                       "wall_clock",
                                       "redis_dies",
                                       "redis_fails_over",
                                       "redis_network",
                                       "registry_away",
                                       "damage",
                                       "old_copy",
                                       "absence",
                                       "impatient",
                                       "operators",
                                       "deactivate",
                                       "presume",
                                       "reclaim",
                                       "rebuild",
                                       "accept_loss",
                                       "limits",
                                       "links",
                                       "tickets",
                                       "blocks",
                                       "strangers",
                                       "reloads",
                                       "put",
                                       "groups",
                                       "polls"};
static_assert(std::size(kNames) == kMishapCount);
// The later ones are drawn behind all else, so that the seeds of before have the worlds of before when those are off.
constexpr size_t kFirstMishaps = static_cast<size_t>(Mishap::polls);

constexpr MishapSet kMishapsOfSharing =
    bit_of(Mishap::redis_dies) | bit_of(Mishap::redis_fails_over) | bit_of(Mishap::redis_network) |
    bit_of(Mishap::registry_away) | bit_of(Mishap::absence) | bit_of(Mishap::rebuild) |
    bit_of(Mishap::groups);
constexpr MishapSet kMishapsOfSeveral =
    bit_of(Mishap::deactivate) | bit_of(Mishap::presume) | bit_of(Mishap::reclaim);

// Seconds between two of a kind, at least and at most.
struct Often {
  uint32_t least_s, most_s;
};
constexpr Often kOften[] = {{2, 60},  {2, 60}, {5, 120}, {5, 60},  {10, 120}, {1, 30},  {10, 120},
                            {10, 90}, {1, 10}, {1, 10},  {1, 10},  {5, 60},   {1, 20},  {10, 90},
                            {5, 90},  {5, 90}, {3, 60},  {5, 60},  {10, 120}, {10, 60}, {10, 90},
                            {1, 10},  {3, 30}, {5, 60},  {10, 60}, {10, 90},  {5, 60},  {10, 90},
                            {1, 1},   {1, 1},  {1, 1},   {1, 10},  {1, 4},    {3, 20},  {3, 20},
                            {1, 1},   {1, 3}};
static_assert(std::size(kOften) == kMishapCount);

// Low enough that buyers meet them, high enough that a sale comes to its end.
door::Limits draw_limits(Random& random) {
  door::Limits limits;
  const auto rate = [&](uint64_t most) {
    return door::Rate{.requests = static_cast<uint32_t>(random.between(1, most)),
                      .window_ms = static_cast<uint32_t>(random.between(100, 3'000))};
  };
  if (random.chance(0.6)) limits.user = rate(4);
  if (random.chance(0.6)) limits.address = rate(10);
  if (random.chance(0.4)) limits.open_per_user = static_cast<uint32_t>(random.between(1, 4));
  if (random.chance(0.4))
    limits.order_rate.per_second = static_cast<uint32_t>(random.between(3, 30));
  return limits;
}

std::string text_of(const door::Limits& limits) {
  return "user " + door::text_of(limits.user) + ", address " + door::text_of(limits.address) +
         ", open " + std::to_string(limits.open_per_user) + ", orders a second " +
         std::to_string(limits.order_rate.per_second);
}

void draw_mishap(Random& random, size_t mishap, Plan& plan) {
  const bool is_on = random.chance(0.4);
  plan.every_ns[mishap] = static_cast<int64_t>(random.between(kOften[mishap].least_s * 1000,
                                                              kOften[mishap].most_s * 1000)) *
                          kMillisecond;
  if (is_on) plan.faults |= MishapSet{1} << mishap;
}

}  // namespace

std::string_view name_of(Mishap mishap) {
  return kNames[static_cast<size_t>(mishap)];
}

bool parse_mishaps(std::string_view text, MishapSet& faults) {
  faults = 0;
  if (text == "all") return faults = kAllMishaps, true;
  if (text == "none") return true;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    size_t index = 0;
    while (index < kMishapCount && kNames[index] != name) ++index;
    if (index == kMishapCount) return false;
    faults |= MishapSet{1} << index;
  }
  return true;
}

std::string text_of_mishaps(MishapSet faults) {
  std::string text;
  for (size_t i = 0; i < kMishapCount; ++i)
    if ((faults >> i & 1) != 0) text += (text.empty() ? "" : ",") + std::string(kNames[i]);
  return text.empty() ? "none" : text;
}

Plan draw_plan(uint64_t seed, MishapSet allowed) {
  // Neighbouring seeds must not draw neighbouring numbers.
  Random random(Random(seed).next() ^ 0x9e3779b97f4a7c15);
  Plan plan{.seed = seed};
  plan.is_shared = random.chance(0.5);
  plan.nodes = static_cast<uint32_t>(plan.is_shared ? random.between(1, 3) : 1);
  plan.shards = static_cast<uint32_t>(random.between(1, 3));
  plan.items = static_cast<uint32_t>(random.between(1, 3));
  plan.users = static_cast<uint32_t>(random.between(2, 24));
  // Scarce, or so plenty that streams lease ahead of demand.
  const uint64_t stock = random.chance(0.5) ? random.between(1, 8) : random.between(8, 60);
  plan.stock = static_cast<uint32_t>(random.chance(0.1) ? random.between(200, 1'500) : stock);
  plan.per_user_limit = static_cast<uint32_t>(random.chance(0.5) ? random.between(1, 4) : 0);
  plan.quantity_max = static_cast<uint32_t>(random.chance(0.5) ? 1 : random.between(2, 5));
  plan.pay_window_s = static_cast<int64_t>(random.between(2, 60));
  plan.segment_bytes = static_cast<uint32_t>(random.chance(0.95) ? 256 * 1024 : 1024 * 1024);
  plan.lease_max = static_cast<uint32_t>(random.chance(0.5) ? 256 : random.between(1, 8));
  plan.has_database = random.chance(0.85);
  plan.safety_s = static_cast<int64_t>(random.between(10, 120));
  plan.quiet_s = static_cast<int64_t>(random.between(600, 4 * 3'600));
  for (size_t i = 0; i < kFirstMishaps; ++i) draw_mishap(random, i, plan);
  plan.faults &= allowed;
  if (!plan.is_shared) plan.faults &= ~kMishapsOfSharing;
  if (plan.nodes == 1) plan.faults &= ~kMishapsOfSeveral;
  // A log that has lost what it promised to a shared ledger ends its node until that is taken out; this is not played here.
  if (plan.is_shared) plan.faults &= ~bit_of(Mishap::accept_loss);
  // Nodes that share need the database that they share.
  plan.has_database |= plan.nodes > 1;
  plan.forgets = plan.has_database && random.chance(0.25);
  plan.has_extras = random.chance(0.3);
  plan.bloom_rate = random.chance(0.3) ? 0.01 : 0;
  plan.access_sample = static_cast<uint32_t>(random.chance(0.3) ? random.between(1, 5) : 0);
  const door::Limits limits = draw_limits(random);
  if (plan.has(Mishap::limits)) plan.limits = limits;
  plan.places = static_cast<uint32_t>(random.chance(0.3) ? random.between(1, 6) : 0);
  if (plan.nodes > 1 && random.chance(0.3))
    plan.alone_s = static_cast<int64_t>(random.between(1, 20));
  for (size_t i = kFirstMishaps; i < kMishapCount; ++i) draw_mishap(random, i, plan);
  plan.faults &= allowed;
  // The others begin later, with the catalog of the beginning: if the ledger had newer terms by then, they would have to be told.
  if (plan.alone_s != 0) plan.faults &= ~(bit_of(Mishap::put) | bit_of(Mishap::reloads));
  return plan;
}

std::string text_of(const Plan& plan) {
  return "seed " + std::to_string(plan.seed) + ": " + std::to_string(plan.nodes) + " nodes of " +
         std::to_string(plan.shards) + " shards" +
         (plan.is_shared ? " that share a Redis, " : ", ") + std::to_string(plan.items) +
         " items of " + std::to_string(plan.stock) + ", " + std::to_string(plan.users) +
         " users, limit " + std::to_string(plan.per_user_limit) + ", quantity up to " +
         std::to_string(plan.quantity_max) + ", pay within " + std::to_string(plan.pay_window_s) +
         " s, segments of " + std::to_string(plan.segment_bytes / 1024) + " KiB, lease " +
         std::to_string(plan.lease_max) + (plan.has_database ? "" : ", no database") +
         (plan.places == 0 ? "" : ", " + std::to_string(plan.places) + " places") + ", " +
         (plan.alone_s == 0 ? "" : std::to_string(plan.alone_s) + " s of one alone, ") +
         std::to_string(plan.safety_s) + " s with " + text_of_mishaps(plan.faults) +
         (plan.has(Mishap::limits) ? " (" + text_of(plan.limits) + ")" : "") + ", " +
         std::to_string(plan.quiet_s) + " s of quiet" + (plan.forgets ? ", forgets" : "");
}

}  // namespace stampede::sim
