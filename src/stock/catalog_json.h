// The catalog as operators write it and as buyers read it: JSON ⇄ terms.
//
//   {"items":[{"code":"ticket","title":"Beijing–Shanghai G101","price":55350,"currency":"CNY",
//     "stock":10000,"per_user_limit":1,"starts_at":"2026-12-01T10:00:00+08:00",
//     "ends_at":"2026-12-01T12:00:00+08:00","pay_window_s":1800,"hidden_link":false,
//     "order_rate":500}]}
//
// In place of `code` may stand `product`: the code is then made of it, by whoever has the keys (node/products.h). `enrolled`
// is the name of a file with the users that may buy; a request cannot name one.
//
// Only `code` and `stock` are required; a missing title is the code. Times are RFC 3339; null or
// absent: open from the start, no end. A misspelt key is refused and not ignored: a sale that runs
// without its purchase limit cannot be taken back. None of this is on the path of an order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stock/catalog.h"

namespace stampede::stock {

// A whole file, refused whole: the error is `file:line: field: reason`. The entries have no ids
// yet, and those with a product neither a code nor, unless the file gives one, a title.
[[nodiscard]] Result<std::vector<CatalogEntry>> parse_catalog(std::string_view text,
                                                              std::string_view file_name);

struct ItemChange {
  ItemTerms terms;  // all of them, absent ones as in a catalog; without id, not paused, not ended
  std::optional<Units> stock;  // required only for an item that is new
};

// One item as the body of an operator's request. `code` is the one of the request's path; the body
// may repeat it.
[[nodiscard]] Result<ItemChange> parse_item(std::string_view body, std::string_view code);

// True for 1 … 64 of [A-Za-z0-9._-].
[[nodiscard]] bool is_item_code(std::string_view text);

// True for 1 … 64 bytes of visible ASCII.
[[nodiscard]] bool is_product(std::string_view text);

// Appends what GET /v1/items/{code} shows; absent times are null.
void append_item_json(const ItemTerms& terms, std::string& out);

// All terms, also those that only operators see (order_rate, proof, product, enrolled): equal exactly for terms that say the
// same, whatever their spelling was.
[[nodiscard]] std::string terms_json(const ItemTerms& terms);

// Of an entry without its stock: equal exactly for entries that say the same.
[[nodiscard]] uint64_t catalog_sum_of(const ItemTerms& entry);

// The strong entity tag of a body (RFC 9110 section 8.8.3): equal for equal bodies, also after a
// restart.
[[nodiscard]] std::string entity_tag(std::string_view body);

// What `serve --demo` sells.
[[nodiscard]] CatalogEntry demo_entry();
// What `serve --demo bench` sells: an order is always an order, however many there were before.
[[nodiscard]] CatalogEntry bench_entry();

}  // namespace stampede::stock
