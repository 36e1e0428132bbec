// What a catalog changes about the items that a data directory knows.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/registry.h"
#include "node/data.h"
#include "node/notices.h"
#include "orderlog/record.h"
#include "stock/catalog_json.h"
#include "stock/stream_state.h"

namespace stampede::node {

// Logged by shard 0 before any shard sells; behind a loss before the database knows of it, and then nothing is left of it.
struct ItemPlan {
  std::vector<stock::ItemTerms> new_items;    // with the next numbers
  std::vector<cluster::Supply> new_supplies;  // of new_items
  std::vector<stock::ItemTerms> changed;  // known ones, with new terms; after a loss all, paused
};
// Of the new item at `index`.
[[nodiscard]] orderlog::Supply supply_record(const ItemPlan& plan, size_t index);

// Items that are over, and of which an order that was paid is forgotten, without having been ended for good before: by a version
// that did not do so (shard/item_changes.h), or in a log that has lost it. The start does it. What is on sale again is not among
// them: it is too late.
using ItemIds = std::set<ItemId>;
[[nodiscard]] ItemIds forgotten_and_over(const std::vector<RestoredStream>& streams,
                                         int64_t now_ms);

// Items that are new get the next numbers. Of a known item the stock is the ledger's alone; its terms follow the catalog when
// the catalog has changed since the last start. Otherwise what an operator has changed meanwhile stays, for a restart must
// not undo it. An item that was ended for good, and would have a later end, is left as it was, for all others are to be sold.
[[nodiscard]] Result<ItemPlan> merge_catalog(const std::vector<stock::RegisteredItem>& known,
                                             const ItemIds& to_end,
                                             const std::vector<stock::CatalogEntry>& catalog,
                                             Notices& notices);

// What was lost may not be sold again before somebody has looked: every known item is changed to a paused one. So is every new
// one, for a log that has lost its beginning knows none of those that it sold.
void pause_all(const std::vector<stock::RegisteredItem>& known, ItemPlan& plan);

}  // namespace stampede::node
