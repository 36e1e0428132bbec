// The shared ledger as operators and the audit see it: the epoch, its members and its items as they are in Redis, all groups
// together; and the changes that commands make. Blocking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/registry.h"
#include "cluster/script_caller.h"
#include "ledger/messages.h"

namespace stampede::cluster {

struct EpochView {
  enum class State : uint8_t {
    gone,        // Redis has no epoch
    rolled,      // Redis was restarted or replaced since the epoch was opened: a new one must begin
    recovering,  // members are missing
    open,
  };
  State state = State::gone;
  uint64_t epoch = 0;
  std::vector<uint32_t> members, joined;
};
[[nodiscard]] std::string_view name_of(EpochView::State state);

struct StreamCounters {
  uint32_t node = 0;
  std::string stream;
  int64_t granted = 0, returned = 0, unsold = 0;
};

// One item in the open epoch. Signed, so that impossible numbers show as they are.
struct ItemCounters {
  std::string item;
  int64_t supplied = 0, withdrawn = 0;
  int64_t held = 0;    // by streams, withdrawn ones included
  int64_t unsold = 0;  // in the pools of streams, as they last reported
  std::vector<StreamCounters> streams;
  [[nodiscard]] int64_t free() const { return supplied - held; }
  [[nodiscard]] int64_t total() const { return supplied - withdrawn; }
};

// Of a cluster: open when all groups are, in the same epoch.
[[nodiscard]] Result<EpochView> look_at_epoch(ScriptCaller& client);
// Members of the epoch, in rising order: those that have looked at Redis while this watched, and those that have not, in 3 s.
// A member that was fenced is in neither.
struct SignsOfLife {
  std::vector<uint32_t> running, silent;
};
[[nodiscard]] Result<SignsOfLife> watch_members(ScriptCaller& client, uint64_t epoch);
// Of the open epoch, by code; each item as of one moment, the items one after the other.
[[nodiscard]] Result<std::vector<ItemCounters>> read_items(ScriptCaller& client, uint64_t epoch);

// From here on Redis refuses every process of the node in this epoch; the node's counters do not change any more.
[[nodiscard]] Status fence(ScriptCaller& client, uint64_t epoch, uint32_t node);
// The same for a node that is the only one the epoch waits for. Returns the most that the node may hold, for the registry: Redis
// was lost after the node's last exchange, so its grants are not known, and all units that no other node holds are presumed.
[[nodiscard]] Result<std::vector<FrozenCount>> presume(ScriptCaller& client, uint64_t epoch,
                                                       uint32_t node);
// Writes the final counters of a node that was fenced, or never joined this epoch.
[[nodiscard]] Status write_final_counts(ScriptCaller& client, uint64_t epoch, uint32_t node,
                                        const std::vector<FrozenCount>& counts);

// Whether an active member is in this epoch. Otherwise this Redis is not the one in use, and nothing may be freed there: a node
// that alone still uses it may have been presumed lost.
[[nodiscard]] Result<bool> is_in_use(Registry& registry, uint64_t epoch);
// Units ever supplied, absolute.
[[nodiscard]] Status supply(ScriptCaller& client, uint64_t epoch,
                            const std::vector<Supply>& supplies);
// The nodes build the next epoch from their logs; one group is enough for that.
[[nodiscard]] Status finish_epoch(ScriptCaller& client);

// The units that the node's streams were granted and have returned, for the registry.
[[nodiscard]] std::vector<FrozenCount> counts_of(const std::vector<ItemCounters>& items,
                                                 uint32_t node);

// Nodes of a list such as "0,3,7".
[[nodiscard]] std::vector<uint32_t> parse_nodes(const std::string& list);
[[nodiscard]] std::string text_of(const std::vector<uint32_t>& nodes);
// ticket: total 5,000 = free 4,000 + leased 12 + reserved or sold 988
[[nodiscard]] std::string text_of(const ItemCounters& item);
// The complaint when the epoch deals its items out to so many groups and this program to another number: an item would be
// counted at two places.
[[nodiscard]] std::string other_groups(uint32_t groups);

}  // namespace stampede::cluster
