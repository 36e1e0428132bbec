// The facts that the nodes of one Redis ledger agree on, kept where they cannot be lost with Redis.
//
// Redis only hands out units. The registry has the members, the supply of every item, the counters of members that are not
// there, and the number of every epoch. The proof that nothing is oversold leans on three facts, and each is one transaction of
// this seam: an epoch's number is never given twice, the node that begins an epoch sees every member that is not frozen, and a
// member is frozen only in the epoch that its counters were read in.
//
// Calls block for a bounded time (seconds) and belong to one thread, which must not be a shard's.
// Mutations of all nodes exclude each other. An Error changed nothing, with one exception: the
// connection broke during the commit, and the message says so. Every mutation may be repeated then;
// only a repeated deactivate() answers that the node is not active any more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "order.h"

namespace stampede::cluster {

enum class MemberState : uint8_t {
  active,    // takes part in each new epoch itself
  inactive,  // its frozen counters take part in its place
  retired,   // the same for ever: it never comes back under this uuid, and its rows are refused
};

struct Member {
  static constexpr uint64_t kNotYet = UINT64_MAX;
  uint32_t node = 0;
  std::string uuid;  // of its data directory
  MemberState state = MemberState::inactive;
  uint64_t epoch = 0;         // the last it entered; 0: none
  uint64_t counted_from = 0;  // the first epoch that has its counters; kNotYet: it has sold alone
  friend bool operator==(const Member&, const Member&) = default;
};

// The units that an item ever got and lost. Both are absolute and only grow; its total is supplied − withdrawn.
struct Supply {
  std::string item;  // code
  Units supplied = 0, withdrawn = 0;
  friend bool operator==(const Supply&, const Supply&) = default;
};

// A stream's absolute counters of an item, kept for a member that is not there to report them.
struct FrozenCount {
  uint32_t node = 0;
  std::string stream;
  std::string item;  // code
  Units accepted = 0, returned = 0;
  friend bool operator==(const FrozenCount&, const FrozenCount&) = default;
};

// In place of the epoch that counters were read in: they are those of the node's own log.
constexpr uint64_t kCountsOfLog = uint64_t{1} << 61;

// The plan of a new epoch: the members that must join, and the counters of all others.
struct EpochPlan {
  uint64_t epoch = 0;
  std::vector<uint32_t> members;  // active ones, rising
  std::vector<FrozenCount> frozen;
  std::vector<Supply> supplies;
};

// `from`: the text that the registry has; empty: none.
struct TermsChange {
  std::string item;  // code
  std::string from, to;
};

struct Restocked {
  bool is_applied = false;  // false: this op_id was applied before
  int64_t delta = 0;        // of the change that was applied under the op_id
  Supply supply;            // as it is now
  // False: the epoch must not be told of it. Of a node alone, until note_recorded() was called for it; of nodes that share, until
  // an epoch counts the node that brought the item.
  bool is_in_force = true;
};

// Why a node is not taken out by what is known in an epoch that does not count it.
[[nodiscard]] std::string not_counted(uint32_t node);
// What to do about a node that has sold alone and that the ledger has not counted.
constexpr const char* kCountIt =
    "start it, or reclaim it with --data DIR, its data directory; if that is lost: stampede ledger "
    "rebuild without --db, then stampede ledger deactivate --presume-sold";

class Registry {
 public:
  virtual ~Registry() = default;

  // The node is or becomes a member. A new one is inactive until its first epoch. An Error, with the
  // remedy, when the number belongs to another data directory or is retired.
  virtual Status enroll(uint32_t node, const std::string& uuid) = 0;

  // Items that are unknown so far get this supply, and every plan is out of date; a known one keeps its own. The answer holds
  // the supply of each of `items` as it is now, in the same order.
  virtual Result<std::vector<Supply>> add_items(std::span<const Supply> items) = 0;
  // The node has sold these items alone, and is to share them. In one transaction it is enrolled, the items are added, and unless
  // an epoch has counted it before it is active and not counted. So every epoch that is begun from now on waits for its counters,
  // wherever the node ends; and an epoch that was begun before is never told of what it brought.
  virtual Result<std::vector<Supply>> bring_items(uint32_t node, const std::string& uuid,
                                                  std::span<const Supply> items) = 0;
  // Of all items, by code.
  virtual Result<std::vector<Supply>> supplies() = 0;
  // Of those that the epoch may be told of: not what a node brought whose counters it does not have.
  virtual Result<std::vector<Supply>> supplies_in(uint64_t epoch) = 0;

  // The terms of those items that are known, by code; empty: no node has written any. See terms.h.
  virtual Result<std::unordered_map<std::string, std::string>> terms(
      std::span<const std::string> items) = 0;
  // The codes under which those of the products are sold that a node has written terms of, by product. Two of one product
  // were given by nodes with different keys.
  using SoldCodes = std::unordered_multimap<std::string, std::string>;
  virtual Result<SoldCodes> codes_of(std::span<const std::string> products) = 0;
  // Returns how many were made: a change whose `from` differs (by now) from the registry's text is left out.
  virtual Result<size_t> change_terms(std::span<const TermsChange> changes) = 0;

  // A new epoch, above `above` and above all before it, never given twice: a counter << 16 | node.
  // Makes `node` active, so its frozen counters go, and reads the rest of the plan in the same
  // transaction. An Error if the node is unknown or retired.
  virtual Result<EpochPlan> begin_epoch(uint32_t node, uint64_t above) = 0;

  // Before the node joins an epoch: remembers it, and never a lower one; from there on the node is counted. An Error unless it is
  // active; and unless it has entered this very epoch before, when the plan of that epoch is out of
  // date, because since then an item or units were added, withdrawn or given back by a retirement: an
  // epoch that begins with the old plan would count them twice. A node that is refused begins another.
  virtual Status enter_epoch(uint32_t node, uint64_t epoch) = 0;

  // Whether enter_epoch() would be a refusal just now, and not merely a database that is slow or away.
  virtual Result<bool> may_enter(uint32_t node, uint64_t epoch) = 0;

  // The change that was made under this op_id, if one was.
  virtual Result<std::optional<Restocked>> find_restock(const std::string& op_id) = 0;
  // delta > 0: `supplied` grows. delta < 0: `withdrawn` grows, and the caller has taken the units
  // off sale in Redis before, in `epoch`: an Error if any member has entered a later one by now, which
  // does not have that withdrawal. Once per op_id; an op_id that was used with another item or delta, an
  // unknown item, or more withdrawn than supplied is an Error.
  virtual Result<Restocked> restock(const std::string& op_id, const std::string& item,
                                    int64_t delta, uint64_t epoch) = 0;

  // The node's log has this supply, durably. True: only now it is in force here.
  virtual bool note_recorded(const std::string& item, Units supplied) = 0;

  // The node becomes inactive, with these counters, in one transaction. An Error unless it is active
  // and has entered no epoch above `epoch`, the one that the counters were read in, which must count it; or kCountsOfLog. Counts
  // that name another node are an Error too, here and below.
  virtual Status deactivate(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) = 0;
  // The same with the most that the node may hold, presumed in an epoch that waits for it. An Error also when the plan of that
  // epoch is out of date, as for enter_epoch(): by then it may hold more.
  virtual Status presume(uint32_t node, uint64_t epoch, std::span<const FrozenCount> counts) = 0;
  // These final counters replace the frozen ones of an inactive or retired node, which is retired
  // from now on; an Error for an active one. Waits for a transaction of its drainer and fences all
  // later ones.
  virtual Status retire(uint32_t node, std::span<const FrozenCount> counts) = 0;

  // By node; frozen ones by node, stream and item.
  virtual Result<std::vector<Member>> members() = 0;
  virtual Result<std::vector<FrozenCount>> frozen() = 0;
};

}  // namespace stampede::cluster
