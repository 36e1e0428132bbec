#include "cluster/terms.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/diag.h"
#include "base/json_text.h"
#include "base/words.h"

namespace stampede::cluster {
namespace {

constexpr size_t kItemsPerLook = 10'000;
constexpr int kLooksMax = 3;
constexpr size_t kItemsNamed = 3;
constexpr int64_t kAgainNs = 5 * kSecond;  // a database that is away may hold up the caller

using Fields = std::vector<std::pair<std::string, std::string>>;  // name and value, in their order

// Values are numbers, texts, booleans and null; spaces around them are not theirs.
Fields fields_of(const std::string& terms) {
  Fields fields;
  JsonText json(terms, "terms");
  (void)json.for_each_field([&](std::string_view name, JsonText::Value value, const char*) {
    std::string_view text = value.raw_json_token();
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    fields.emplace_back(name, text);
    return Status(Ok{});
  });
  return fields;
}

// Every field of `older`, and more.
bool extends(const std::string& newer, const std::string& older) {
  const Fields fields = fields_of(newer), before = fields_of(older);
  const auto has = [&](const auto& field) {
    return std::ranges::any_of(fields, [&](const auto& one) { return one.first == field.first; });
  };
  return fields.size() > before.size() && std::ranges::all_of(before, has);
}

// The product that the terms name; empty: none. Nearly all name none, and are not read for it.
std::string product_of(const std::string& terms) {
  std::string product;
  if (terms.find("\"product\"") == terms.npos) return product;
  JsonText json(terms, "terms");
  (void)json.for_each_field([&](std::string_view name, JsonText::Value value, const char*) {
    std::string_view text;
    if (name == "product" && read_text(value, text).empty()) product = text;
    return Status(Ok{});
  });
  return product;
}

// Offers of a product that has another code beside the one that is offered: two items with a stock of their own. Nodes find
// the code of a product that is sold, so this is of nodes with different keys that began to sell it at the same moment.
Status look_at_products(Registry& registry, std::span<const TermsOffer> offers,
                        std::vector<TermsDifference>& differences) {
  std::unordered_map<std::string, std::string> offered;  // product to code
  std::vector<std::string> products;
  for (const TermsOffer& offer : offers)
    if (std::string product = product_of(offer.terms); !product.empty()) {
      products.push_back(product);
      offered.emplace(std::move(product), offer.item);
    }
  if (products.empty()) return Ok{};
  const Result<Registry::SoldCodes> sold = registry.codes_of(products);
  if (!sold) return sold.error();
  for (const auto& [product, code] : *sold)
    if (const std::string& here = offered.at(product); code != here)
      differences.push_back({here, "product " + product + " is sold as " + code +
                                       " too, by a node with other `codes` in its --key-file"});
  return Ok{};
}

struct Look {
  std::vector<TermsDifference> differences;
  std::vector<TermsChange> changes;
};

// Finds what `offers` change in the registry, and the differences that contradict it.
Status look(Registry& registry, std::span<const TermsOffer> offers, Look& look) {
  std::vector<std::string> items;
  for (const TermsOffer& offer : offers) items.push_back(offer.item);
  const Result<std::unordered_map<std::string, std::string>> standing = registry.terms(items);
  if (!standing) return standing.error();
  for (const TermsOffer& offer : offers) {
    const auto found = standing->find(offer.item);
    if (found == standing->end()) continue;
    const std::string& there = found->second;
    const auto agrees = [&](const std::string& here) { return difference_of(here, there).empty(); };
    // The text of an older version has fewer fields than could be compared.
    if (!there.empty() && agrees(offer.terms) && !extends(offer.terms, there)) continue;
    if (there.empty() || agrees(offer.terms) || (!offer.before.empty() && agrees(offer.before)))
      look.changes.push_back({.item = offer.item, .from = there, .to = offer.terms});
    else
      look.differences.push_back({offer.item, difference_of(offer.terms, there)});
  }
  return look_at_products(registry, offers, look.differences);
}

// A code that was just written may be the second of a product whose first was written a moment ago.
Status warn_of_products(Registry& registry, std::span<const TermsOffer> offers) {
  std::vector<TermsDifference> differences;
  for (size_t first = 0; first < offers.size(); first += kItemsPerLook)
    if (Status status = look_at_products(
            registry, offers.subspan(first, std::min(kItemsPerLook, offers.size() - first)),
            differences);
        !status)
      return status;
  warn_of(differences);
  return Ok{};
}

}  // namespace

std::string difference_of(const std::string& here, const std::string& standing) {
  if (here == standing) return {};
  std::string text;
  const Fields theirs = fields_of(standing);
  for (const auto& [name, value] : fields_of(here)) {
    const auto same = std::find_if(theirs.begin(), theirs.end(), [&name = name](const auto& field) {
      return field.first == name;
    });
    if (same == theirs.end() || same->second == value) continue;
    text += (text.empty() ? "" : ", ") + name + " is " + value + " here and " + same->second +
            " in the ledger";
  }
  return text;
}

std::string text_of(std::span<const TermsDifference> differences) {
  std::string text;
  for (const TermsDifference& difference :
       differences.first(std::min(differences.size(), kItemsNamed)))
    text += (text.empty() ? "item " : "; item ") + difference.item + ": " + difference.fields;
  if (differences.size() > kItemsNamed)
    text += "; and " +
            counted(differences.size() - kItemsNamed, "more item differs", "more items differ");
  return text;
}

void warn_of(std::span<const TermsDifference> differences) {
  if (!differences.empty())
    diag::warning(
        "%s: nodes sell on different terms; give all of them the same, or use `stampede ledger "
        "preheat --new-terms` when the ledger's are old",
        text_of(differences).c_str());
}

Result<std::vector<TermsDifference>> offer_terms(Registry& registry,
                                                 std::span<const TermsOffer> offers,
                                                 Writes writes) {
  for (int looks = 0; looks < kLooksMax; ++looks) {
    Look found;
    for (size_t first = 0; first < offers.size(); first += kItemsPerLook)
      if (Status status =
              look(registry, offers.subspan(first, std::min(kItemsPerLook, offers.size() - first)),
                   found);
          !status)
        return status.error();
    if (writes == Writes::none) return found.differences;
    if (writes == Writes::all_or_nothing && !found.differences.empty()) return found.differences;
    const std::span<const TermsChange> changes = found.changes;
    size_t made = 0;
    for (size_t first = 0; first < changes.size(); first += kItemsPerLook) {
      const Result<size_t> changed = registry.change_terms(
          changes.subspan(first, std::min(kItemsPerLook, changes.size() - first)));
      if (!changed) return changed.error();
      made += *changed;
    }
    if (made == changes.size()) {
      if (made == 0 || !found.differences.empty()) return found.differences;
      if (Status status = warn_of_products(registry, offers); !status) return status.error();
      return found.differences;
    }
    // Another node was quicker, perhaps with the same terms.
  }
  return Error{"the terms of the items are being changed by others: try again"};
}

// ---- OpenOffers ----

void OpenOffers::add(std::vector<TermsOffer> offers) {
  const std::lock_guard lock(mutex_);
  for (TermsOffer& offer : offers) merge(std::move(offer));
}

// Two changes of one item are one: from the terms before the first to those after the second.
void OpenOffers::merge(TermsOffer offer) {
  const auto [at, is_new] = offers_.try_emplace(offer.item, offer);
  if (is_new) return;
  if (at->second.before.empty()) at->second.before = std::move(offer.before);
  at->second.terms = std::move(offer.terms);
}

void OpenOffers::compare(int64_t now_ns) {
  if (now_ns < not_before_ns_) return;
  std::vector<TermsOffer> offers;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [item, offer] : offers_) offers.push_back(std::move(offer));
    offers_.clear();
  }
  if (offers.empty()) return;
  const Result<std::vector<TermsDifference>> differences =
      offer_terms(registry_, offers, Writes::each);
  if (!differences) {
    not_before_ns_ = now_ns + kAgainNs;
    // Offers that came meanwhile are newer.
    const std::lock_guard lock(mutex_);
    std::map<std::string, TermsOffer> newer = std::exchange(offers_, {});
    for (TermsOffer& offer : offers) merge(std::move(offer));
    for (auto& [item, offer] : newer) merge(std::move(offer));
    return;
  }
  warn_of(*differences);
}

}  // namespace stampede::cluster
