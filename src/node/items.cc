#include "node/items.h"

#include <algorithm>
#include <unordered_map>

#include "base/words.h"

namespace stampede::node {
namespace {

void take_over(const stock::RegisteredItem& live, stock::ItemTerms terms, Units stock,
               ItemPlan& plan, Notices& notices) {
  const std::string code(terms.code.view());
  if (live.total() != stock)
    notices.note(
        "item %s: stock stays %lu, the catalog's %lu is for a new item (restock on the operators' "
        "listener)",
        code.c_str(), (unsigned long)live.total(), (unsigned long)stock);
  if (terms.catalog_sum == live.terms.catalog_sum) return;
  terms.id = live.terms.id;
  terms.is_paused = live.terms.is_paused;
  terms.is_ended = live.terms.is_ended;
  plan.changed.push_back(terms);
  notices.note("item %s: new terms from the catalog", code.c_str());
}

}  // namespace

Result<ItemPlan> merge_catalog(const std::vector<stock::RegisteredItem>& known,
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
      take_over(*found->second, terms, entry.stock, plan, notices);
      continue;
    }
    terms.id = static_cast<ItemId>(known.size() + plan.new_items.size());
    if (terms.id >= bounds::item_count_max)
      return Error{"more than " + std::to_string(bounds::item_count_max) + " items"};
    plan.new_items.push_back(terms);
    plan.new_supplies.push_back({.item = std::string(terms.code.view()), .supplied = entry.stock});
  }
  if (known_entries < known.size())
    notices.note("not in the catalog, and left as it was: %s of this data directory",
                 counted(known.size() - known_entries, "item").c_str());
  return plan;
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
