// The model of the shared ledger: a few nodes, the registry in the database, and two Redis instances that lose, copy
// and fork what they hold. It answers one question: is there any order of events, however unlucky, in which the
// protocol lies?
//
// The world is small on purpose: one item of one or two units, two nodes of one stream each, a handful of epochs.
// Mistakes of such protocols show in small worlds, and a small world can be explored wholly. Each script in lua/ is
// one function of scripts.cc; what nodes, operators and bad luck do between scripts is one function each in steps.cc;
// search.h tries every order of them. A step that ends in a durable record is one step: a crash before the record was
// durable leaves what a lost reply leaves. (Faults that are planted there make two steps of it.)
//
// Messages are slots: the newest JOIN, call and reply of each node. A message stays in its slot until a newer one
// takes its place, and may be executed there never, once or several times: lost, delayed and repeated messages need
// no steps of their own. A BUMP is executed at most once, because a proposer never sends an epoch twice.
//
// `make test` explores 5.1 million worlds and, until the planted faults are found, 4.2 million more, in 15 s of one core;
// `make model` some 74 million in five minutes and 2 GB, and ten million random steps where all forces act at once.
// With three nodes, or with all forces at once, the worlds are too many to be seen wholly.
//
// Not modelled: several items and shards of a node, chunks of a JOIN, withdrawals, the pools of streams that are not
// members (their units are out of reach until they come back or are reclaimed, and count as sold until then), members that have sold
// alone before (test/sim has those).
//
// Counters have the letters of the protocol: a stream's order log knows A accepted, R returned, H held (unpaid), P
// paid; Redis knows a granted, r returned, p unsold in its pool.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace stampede::model {

inline constexpr int kNodes = 2;
inline constexpr int kInstances = 2;
// In Instance::joined, next to the bits of the nodes: the proposer told what the database knows ("*").
inline constexpr int kDatabaseBit = 1 << kNodes;
inline constexpr int kAllNodes = (1 << kNodes) - 1;

using Count = int8_t;

// Each turns one rule of the protocol off. A model that does not notice checks nothing.
enum class Planted : uint8_t {
  nothing,
  no_identity_check,  // scripts do not ask whether this Redis is still the one that opened the epoch
  no_barrier,         // an epoch opens before all members have joined
  join_takes_max,     // JOIN merges with what an older epoch left, and the node adopts it
  epochs_not_unique,      // a proposer takes the highest epoch it has seen plus one
  old_reply_accepted,     // a grant of an epoch before the promised one
  late_join_overwrites,   // a repeated JOIN sets counters again
  return_before_durable,  // R is told before its record is durable
  grant_before_durable,   // units are sold before the record of their grant is durable
  join_keeps_pool,        // JOIN sets a and r but not p
  repeat_counts_pool,     // a call that is executed again sets p again
  repeat_counts_want,     // a call that is executed again grants again
  fence_does_not_hold,    // FENCE reads the counters and leaves the boot number
  deactivate_unchecked,   // the registry does not compare the epoch that the node has entered
  reclaim_at_once,        // units of a lost node come back before their deadline
  settle_first,           // SETTLE runs before the registry has the final counters
  own_returns_ignored,    // `sold_out` although units of the stream itself are on their way back
  own_pool_ignored,  // `sold_out` from a call whose own pool was sold while its reply was on the way
  orphans_not_counted,  // p is what the stream says, without units granted that it does not know of
  rejoin_without_enter,  // a restarted node joins the promised epoch without asking the registry
  bump_sent_twice,       // a proposer repeats a BUMP whose answer it did not hear
  join_before_promise,   // JOIN is sent while grants of the older epoch are still accepted
  enter_unchecked,  // enter_epoch admits an epoch that began before the registry's counters changed
  settle_left_out,  // RECLAIM tells the registry alone
  presume_does_not_hold,  // PRESUME reads the counters and leaves the boot number
  presume_too_early,      // PRESUME while another member has not joined
  settle_anywhere,  // SETTLE and SUPPLY reach epochs that all but the one presumed lost have left
  presume_outdated,  // the registry takes what was presumed in an epoch that began before its counters changed
};

// How large the world is and which of its forces act.
struct Rules {
  Count supply = 1;             // units at the start
  Count restocks = 0;           // times one unit is added
  Count epochs = 3;             // numbers that the registry gives out; the world starts in epoch 1
  Count disasters = 1;          // restarts, losses, promotions and demotions of a Redis instance
  Count crashes = 0;            // node restarts, all nodes together
  Count deaths = 0;             // nodes that never come back, with or without their disk
  Count accepted_max = 2;       // per node
  Count returned_max = 1;       // per node
  Count calls_max = 2;          // calls of one stream in one epoch
  bool has_operators = false;   // fence, presume, deactivate, reclaim
  bool has_late_calls = false;  // an older call may arrive after a newer one
  bool has_sold_out = true;     // false: nobody is told `sold_out`, and fewer worlds differ
  bool has_rest = true;         // every world is let come to rest too
  Planted planted = Planted::nothing;
};

// A Redis instance: what lua/identity.lua calls P m, and the one item. Identity: `is_intact` says that the instance
// is still the one that executed BUMP; a restart, a promotion or a copy ends that for ever.
struct Instance {
  Count epoch;  // 0: nothing there
  bool is_master, is_intact, is_open;
  uint8_t members, joined;  // sets of nodes
  Count boot[kNodes];       // 0: unknown, kFenced
  Count last_call[kNodes];
  Count a[kNodes], r[kNodes], p[kNodes];
  Count supplied, held, unsold;  // T, h = sum of a - r, sum of p
  // Not in Redis: nodes that had a reservation expire after they sent the pool that Redis has. Redis cannot know yet.
  uint8_t expired_since;
};
inline constexpr Count kFenced = 15;

struct Join {
  Count epoch;  // 0: no message
  Count boot, accepted, returned, pool;
  bool is_pool_true;  // no reservation expired since it was sent
};

struct Call {
  Count epoch;  // 0: no message
  Count boot, number, accepted, returned, pool, want;
  bool is_pool_true;
};

struct Reply {
  Count epoch;  // 0: no message
  Count number, granted, returned;
  bool says_nothing_left;  // no free unit, and none unsold in any pool, that of the asker included
  bool was_nothing_left;   // and so it was when the script ran, or at a moment since
};

// What a proposer got from begin_epoch, and how far it is.
struct Proposal {
  enum Stage : uint8_t { none, begun, bump_sent, bumped };
  Stage stage;
  Count epoch;
  uint8_t members, frozen;  // sets of nodes
  Count supplied;
  Count a[kNodes], r[kNodes];
};

struct Node {
  enum Fate : uint8_t { runs, dead, lost };  // dead: its directory is there; lost: so is the disk
  Fate fate;
  Count promise, accepted, returned, held, paid;  // its order log
  Count boot;
  bool is_open;              // it has heard that the promised epoch is open
  bool may_have_orphans;     // an earlier process may have been granted what the log does not know
  Count call_number;         // of the last call that was answered
  Count accepted_in_memory;  // not durable yet, only where a fault is planted
  Count returned_in_memory;
  Proposal proposal;
  Join join;
  Call call, late_call;
  Reply reply;
};

struct Registry {
  enum State : uint8_t { active, inactive, retired };
  Count last_epoch;    // numbers up to here are taken
  Count changed_when;  // last_epoch when final counters or the supply last changed
  Count supplied;
  State state[kNodes];
  Count entered[kNodes];
  Count frozen_a[kNodes], frozen_r[kNodes];
  bool is_presumed[kNodes];  // the frozen counters are not the node's own: what it holds at most
};

// What FENCE or PRESUME answered to the operator who has not told the registry yet.
struct FenceAnswer {
  Count epoch;  // 0: none
  Count node, a, r;
  bool is_presumed;
};

enum class Wrong : uint8_t { nothing, sold_out_lie, granted_more_than_asked };

struct World {
  Instance redis[kInstances];
  Node node[kNodes];
  Registry registry;
  FenceAnswer fence;
  Count disasters, crashes, deaths;  // so far
  Wrong wrong;                       // a step found a lie
};
static_assert(std::is_trivially_copyable_v<World> &&
              std::has_unique_object_representations_v<World>);

// Epoch 1 is open on the first instance, everybody has joined it; the second is its replica.
World first_world(const Rules& rules);

// Units that the stream may sell.
Count pool_of(const Node& node);

// Units of the instance's epoch that no customer holds, as far as Redis can know: those of fenced streams wait for an
// operator, and a reservation that expired a moment ago is known when its stream has told it.
Count units_left(const World& world, int instance);

// Removes what no script and no node can ever use again, so that worlds that differ only there are one. Each removal
// rests on a rule of the protocol and is left out where a planted fault turns that rule off.
void forget_the_dead(World& world, const Rules& rules);

// What must be true in every world: the name of the broken promise, or null.
const char* broken_promise(const World& world, const Rules& rules);

// Lets the world come to rest from here: messages are lost, members come back, dead nodes are reclaimed, an epoch
// opens if none is usable, and customers buy as long as there is anything to buy. Null, or what is wrong: not every
// unit was sold.
const char* broken_promise_at_rest(World world, const Rules& rules);

}  // namespace stampede::model
