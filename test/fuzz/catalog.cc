// Files and bodies that operators write: catalog, key file, an item, a restock, levers, tokens, lists of users and networks.
//
// 1. What is accepted lies within its bounds, and written out it is read as the same terms.
// 2. A complaint is one line without control characters, whatever it quotes, and shows no secret.
#include <string>

#include "base/printable.h"
#include "door/block_list.h"
#include "door/enrolment.h"
#include "door/keys.h"
#include "door/limits.h"
#include "door/operators.h"
#include "promise.h"
#include "shard/admin_routes.h"
#include "shard/levers.h"
#include "stock/catalog_json.h"

namespace stampede {
namespace {

using fuzz::require;

void check_complaint(const Error& error) {
  require(!error.message.empty(), "a complaint says something");
  for (const char c : error.message)
    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f,
            "a complaint is one printable line");
}

void check_terms(const stock::ItemTerms& terms) {
  // A product's code is made later, by a key that a catalog does not have.
  if (terms.code.empty()) return require(!terms.product.empty(), "a code or a product");
  require(stock::is_item_code(terms.code), "a code within its bounds");
  require(terms.price >= 0 && terms.price <= bounds::price_max, "a price within its bounds");
  require(terms.pay_window_s >= 1 && terms.pay_window_s <= bounds::pay_window_s_max,
          "a pay window within its bounds");
  require(terms.ends_ms == 0 || terms.ends_ms > terms.starts_ms, "a sale ends after its start");
  const std::string json = stock::terms_json(terms);
  Result<stock::ItemChange> again = stock::parse_item(json, terms.code);
  require(bool(again), "what is shown of an item can be read");
  require(stock::terms_json(again->terms) == json, "and says the same");
}

void try_catalog(const std::string& text) {
  const Result<std::vector<stock::CatalogEntry>> entries =
      stock::parse_catalog(text, "catalog.json");
  if (!entries) return check_complaint(entries.error());
  for (const stock::CatalogEntry& entry : *entries) {
    require(entry.stock <= bounds::stock_max, "stock within its bounds");
    check_terms(entry.terms);
  }
}

void try_item(const std::string& text) {
  const Result<stock::ItemChange> item = stock::parse_item(text, "ticket");
  if (!item) return check_complaint(item.error());
  check_terms(item->terms);
}

void try_keys(const std::string& text) {
  const Result<door::Keys> keys = door::parse_keys(text, "keys.json");
  if (!keys) return check_complaint(keys.error());
  for (const door::Key& key : keys->tickets)
    require(door::is_key_id(key.id()), "a key's name within its bounds");
}

void try_operator(const std::string& text) {
  if (const Result<shard::Restock> restock = shard::parse_restock(text); !restock)
    check_complaint(restock.error());
  else
    require(restock->delta != 0 && !restock->op_id.empty(), "a restock changes something");
  const shard::Levers now;
  const Result<shard::Levers> levers = shard::changed_levers(now, {}, text);
  if (!levers) return check_complaint(levers.error());
  (void)shard::lever_changes(now, *levers);
  const shard::LeverBounds as_far{.order_rate_flag = levers->door.order_rate};
  const Result<shard::Levers> again =
      shard::changed_levers(now, as_far, shard::levers_json(*levers));
  require(again && *again == *levers, "levers read as they are shown");
}

void try_rate(const std::string& text) {
  const std::optional<door::Rate> rate = door::parse_rate(text);
  if (rate)
    require(door::parse_rate(door::text_of(*rate)) == rate, "a rate reads as it is written");
}

void try_network(const std::string& text) {
  const std::optional<door::Network> network = door::parse_network(text);
  if (network)
    require(door::parse_network(door::text_of(*network)) == network,
            "a network reads as it is written");
}

void try_lists(const std::string& text) {
  if (const auto blocked = door::parse_block_list(text, "blocked", 7); !blocked)
    check_complaint(blocked.error());
  if (const auto users = door::UserSet::parse(text, "enrolled", HashKey{7}); !users)
    check_complaint(users.error());
  if (const auto tokens = door::Operators::parse(text, "tokens"); !tokens)
    check_complaint(tokens.error());
}

}  // namespace
}  // namespace stampede

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace stampede;
  const fuzz::Input input(data, size);
  switch (input.choice % 7) {
    case 0:
      try_catalog(input.rest);
      break;
    case 1:
      try_item(input.rest);
      break;
    case 2:
      try_keys(input.rest);
      break;
    case 3:
      try_operator(input.rest);
      break;
    case 4:
      try_rate(input.rest);
      break;
    case 5:
      try_network(input.rest);
      break;
    default:
      try_lists(input.rest);
  }
  return 0;
}
