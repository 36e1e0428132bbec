// Codes for items that a catalog names by a product: opaque ones (door/opaque_code.h), by the newest key.
//
// A product that is sold already keeps its code, whatever the keys are by now: with another one it would be a second item with
// the same stock. This node's own items say so by their records, and so do the terms in the registry of those that nodes share.
// While an item's terms have not reached the registry yet, its code is still found if the key that made it is in the file.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "cluster/registry.h"
#include "door/keys.h"
#include "stock/catalog_json.h"
#include "stock/stream_state.h"

namespace stampede::node {

using ProductCodes = std::unordered_map<std::string, std::string>;  // the code of a product

// Of products that this node sells.
[[nodiscard]] ProductCodes codes_of(std::span<const stock::RegisteredItem> known);
// Adds those of the catalog's other products that a node sells already, and returns those of them whose code no key of `keys`
// makes: another node has other keys. An Error when the registry does not answer.
[[nodiscard]] Result<std::vector<std::string>> add_shared_codes(
    std::span<const stock::CatalogEntry> catalog, std::span<const door::Key> keys,
    cluster::Registry& registry, ProductCodes& codes);
// Warns of them.
void warn_of_other_keys(const std::vector<std::string>& products);

// Gives a code, and where it has none a title, to each entry with a product: the one that is known, or else a new one by the
// newest of `keys`. An Error when there is no key for a new one, or when a code is another entry's.
[[nodiscard]] Status give_codes(std::vector<stock::CatalogEntry>& catalog, ProductCodes codes,
                                std::span<const door::Key> keys);

}  // namespace stampede::node
