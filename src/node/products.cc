#include "node/products.h"

#include <algorithm>
#include <unordered_set>

#include "base/diag.h"
#include "door/opaque_code.h"

namespace stampede::node {
namespace {

std::string text_of(std::string_view text) {
  return std::string(text);
}

std::vector<std::string> products_without(const ProductCodes& codes,
                                          std::span<const stock::CatalogEntry> catalog) {
  std::vector<std::string> products;
  for (const stock::CatalogEntry& entry : catalog)
    if (!entry.terms.product.empty() && !codes.contains(text_of(entry.terms.product)))
      products.push_back(text_of(entry.terms.product));
  return products;
}

bool is_made_by(std::span<const door::Key> keys, const std::string& product,
                const std::string& code) {
  return std::ranges::any_of(
      keys, [&](const door::Key& key) { return door::opaque_code(product, key) == code; });
}

// An entry may name by its code what another names by its product.
Status refuse_equal_codes(std::span<const stock::CatalogEntry> catalog) {
  std::unordered_set<std::string_view> codes;
  for (const stock::CatalogEntry& entry : catalog)
    if (!codes.insert(entry.terms.code.view()).second)
      return Error{"code " + text_of(entry.terms.code) +
                   ": the catalog has an item of this code already"};
  return Ok{};
}

}  // namespace

ProductCodes codes_of(std::span<const stock::RegisteredItem> known) {
  ProductCodes codes;
  for (const stock::RegisteredItem& item : known)
    if (!item.terms.product.empty())
      codes.emplace(item.terms.product.view(), item.terms.code.view());
  return codes;
}

Result<std::vector<std::string>> add_shared_codes(std::span<const stock::CatalogEntry> catalog,
                                                  std::span<const door::Key> keys,
                                                  cluster::Registry& registry,
                                                  ProductCodes& codes) {
  std::vector<std::string> of_other_keys;
  const std::vector<std::string> products = products_without(codes, catalog);
  if (products.empty()) return of_other_keys;
  const Result<cluster::Registry::SoldCodes> sold = registry.codes_of(products);
  if (!sold) return sold.error();
  for (const auto& [product, code] : *sold)
    if (!is_made_by(keys, product, code)) of_other_keys.push_back(product);
  codes.insert(sold->begin(), sold->end());
  std::vector<std::string> candidates;
  for (const std::string& product : products)
    for (const door::Key& key : keys) candidates.push_back(door::opaque_code(product, key));
  const auto known = registry.terms(candidates);
  if (!known) return known.error();
  for (size_t i = 0; i < candidates.size(); ++i)
    if (known->contains(candidates[i])) codes.emplace(products[i / keys.size()], candidates[i]);
  return of_other_keys;
}

void warn_of_other_keys(const std::vector<std::string>& products) {
  if (products.empty()) return;
  diag::warning(
      "product %s%s keeps the code that another node gave it, and no key under codes in --key-file "
      "makes that: a product that is added to two nodes at once would get two codes; give all "
      "nodes the same file",
      products[0].c_str(),
      products.size() == 1 ? ""
                           : (" and " + std::to_string(products.size() - 1) + " more").c_str());
}

Status give_codes(std::vector<stock::CatalogEntry>& catalog, ProductCodes codes,
                  std::span<const door::Key> keys) {
  for (const std::string& product : products_without(codes, catalog)) {
    if (keys.empty())
      return Error{"product " + product +
                   ": its code needs a key under codes in --key-file (`stampede sign keys` prints "
                   "one)"};
    codes.emplace(product, door::opaque_code(product, *door::newest(keys)));
  }
  for (stock::CatalogEntry& entry : catalog) {
    stock::ItemTerms& terms = entry.terms;
    if (terms.product.empty()) continue;
    terms.code = std::string_view(codes.at(text_of(terms.product)));
    if (terms.title.empty()) terms.title = terms.code.view();
  }
  return refuse_equal_codes(catalog);
}

}  // namespace stampede::node
