#include "node/items.h"

#include <algorithm>
#include <unordered_map>

#include "base/words.h"
#include "stock/sale_state.h"

namespace stampede::node {
namespace {

// Whether the item is ended is said by `sale`, its terms as of this start.
void take_over(const stock::RegisteredItem& live, const stock::SaleTerms& sale,
               stock::ItemTerms terms, Units stock, ItemPlan& plan, Notices& notices) {
  const std::string code(terms.code.view());
  if (live.total() != stock)
    notices.note(
        "item %s: stock stays %lu, the catalog's %lu is for a new item (restock on the operators' "
        "listener)",
        code.c_str(), (unsigned long)live.total(), (unsigned long)stock);
  if (terms.catalog_sum == live.terms.catalog_sum) return;
  if (stock::would_revive(sale, terms))
    return notices.note("item %s: left as it was: %s", code.c_str(), stock::kNoLaterEnd);
  terms.id = live.terms.id;
  terms.is_paused = live.terms.is_paused;
  terms.is_ended = sale.is_ended;
  plan.changed.push_back(terms);
  notices.note("item %s: new terms from the catalog", code.c_str());
}

// Those whose terms the catalog does not change.
void end_others(const std::vector<stock::RegisteredItem>& known, ItemIds to_end, ItemPlan& plan) {
  for (const stock::ItemTerms& terms : plan.changed) to_end.erase(terms.id);
  for (const ItemId id : to_end) {
    plan.changed.push_back(known[id].terms);
    plan.changed.back().is_ended = true;
  }
}

}  // namespace

ItemIds forgotten_and_over(const std::vector<RestoredStream>& streams, int64_t now_ms) {
  ItemIds items;
  for (const stock::RegisteredItem& item : streams[0].state->items()) {
    if (item.terms.is_ended || state_of(item.terms, now_ms) != stock::SaleState::ended) continue;
    if (std::ranges::any_of(streams, [&](const RestoredStream& stream) {
          return stream.state->stock(item.terms.id).forgotten > 0;
        }))
      items.insert(item.terms.id);
  }
  return items;
}

Result<ItemPlan> merge_catalog(const std::vector<stock::RegisteredItem>& known,
                               const ItemIds& to_end,
                               const std::vector<stock::CatalogEntry>& catalog, Notices& notices) {
  std::unordered_map<std::string_view, const stock::RegisteredItem*> by_code;
  for (const stock::RegisteredItem& item : known) by_code.emplace(item.terms.code, &item);
  ItemPlan plan;
  size_t known_entries = 0;
  for (const stock::CatalogEntry& entry : catalog) {
    stock::ItemTerms terms = entry.terms;
    terms.catalog_sum = stock::catalog_sum_of(entry.terms);
    if (const auto found = by_code.find(entry.terms.code); found != by_code.end()) {
      ++known_entries;
      const stock::RegisteredItem& live = *found->second;
      stock::SaleTerms sale = live.terms;
      sale.is_ended = sale.is_ended || to_end.contains(live.terms.id);
      take_over(live, sale, terms, entry.stock, plan, notices);
      continue;
    }
    terms.id = static_cast<ItemId>(known.size() + plan.new_items.size());
    if (terms.id >= bounds::item_count_max)
      return Error{"more than " + std::to_string(bounds::item_count_max) + " items"};
    plan.new_items.push_back(terms);
    plan.new_supplies.push_back({.item = std::string(terms.code.view()), .supplied = entry.stock});
  }
  end_others(known, to_end, plan);
  if (known_entries < known.size())
    notices.note("not in the catalog, and left as it was: %s of this data directory",
                 counted(known.size() - known_entries, "item").c_str());
  return plan;
}

orderlog::Supply supply_record(const ItemPlan& plan, size_t index) {
  return {.item = plan.new_items[index].id,
          .supplied = plan.new_supplies[index].supplied,
          .withdrawn = plan.new_supplies[index].withdrawn};
}

void pause_all(const std::vector<stock::RegisteredItem>& known, ItemPlan& plan) {
  for (const stock::RegisteredItem& item : known) {
    const bool has_changed = std::ranges::any_of(
        plan.changed, [&](const stock::ItemTerms& terms) { return terms.id == item.terms.id; });
    if (!has_changed) plan.changed.push_back(item.terms);
  }
  for (stock::ItemTerms& terms : plan.changed) terms.is_paused = true;
  for (stock::ItemTerms& terms : plan.new_items) terms.is_paused = true;
}

}  // namespace stampede::node
