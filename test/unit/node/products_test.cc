// A product keeps its code, whatever the keys are by now.
#include "node/products.h"

#include <doctest/doctest.h>

#include "../cluster/shared_registry.h"
#include "door/opaque_code.h"

namespace stampede::node {
namespace {

std::vector<door::Key> keys_of(std::initializer_list<uint8_t> secrets) {
  std::vector<door::Key> keys;
  for (const uint8_t secret : secrets)
    keys.emplace_back("k" + std::to_string(secret), door::Secret{secret});
  return keys;
}

std::string code_by(uint8_t secret, std::string_view product = "4711") {
  return door::opaque_code(product, door::Key("k", door::Secret{secret}));
}

std::vector<stock::CatalogEntry> catalog_of(std::string_view text) {
  Result<std::vector<stock::CatalogEntry>> parsed = stock::parse_catalog(text, "c");
  REQUIRE(parsed);
  return *parsed;
}

constexpr std::string_view kCatalog =
    R"({"items":[{"code":"plain","stock":1},{"product":"4711","stock":10}]})";

// The code that the product gets.
std::string given(ProductCodes codes, std::span<const door::Key> keys) {
  std::vector<stock::CatalogEntry> catalog = catalog_of(kCatalog);
  const Status status = give_codes(catalog, std::move(codes), keys);
  if (!status) return status.error().message;
  CHECK(catalog[0].terms.code.view() == "plain");
  CHECK(catalog[1].terms.title.view() == catalog[1].terms.code.view());
  return std::string(catalog[1].terms.code.view());
}

TEST_SUITE("node/products") {
  TEST_CASE("a new product gets its code by the newest key which is the last one") {
    CHECK(given({}, keys_of({1})) == code_by(1));
    CHECK(given({}, keys_of({1, 2})) == code_by(2));
    CHECK(given({}, {}).starts_with("product 4711: its code needs a key under codes"));
  }

  TEST_CASE("a product that is sold keeps its code when the key is replaced or gone") {
    stock::RegisteredItem item;
    item.terms.code = std::string_view(code_by(1));
    item.terms.product = std::string_view("4711");
    const ProductCodes known = codes_of({&item, 1});
    CHECK(given(known, keys_of({1, 2})) == code_by(1));
    CHECK(given(known, keys_of({2})) == code_by(1));
    CHECK(given(known, {}) == code_by(1));
  }

  TEST_CASE("a code is not an item twice") {
    std::vector<stock::CatalogEntry> catalog = catalog_of(
        R"({"items":[{"code":")" + code_by(1) + R"(","stock":1},{"product":"4711","stock":10}]})");
    const Status status = give_codes(catalog, {}, keys_of({1}));
    REQUIRE_FALSE(status);
    CHECK(status.error().message ==
          "code " + code_by(1) + ": the catalog has an item of this code already");
  }

  TEST_CASE("a node that comes later sells a product under the code that the others gave it") {
    cluster::SharedRegistry registry;
    const cluster::Supply supply{.item = code_by(1), .supplied = 10};
    REQUIRE(registry.add_items({&supply, 1}));
    const auto shared = [&](std::span<const door::Key> keys) {
      ProductCodes codes;
      REQUIRE(add_shared_codes(catalog_of(kCatalog), keys, registry, codes));
      return given(codes, keys);
    };
    // The key that made it is still in the file.
    CHECK(shared(keys_of({1, 2})) == code_by(1));
    CHECK(shared(keys_of({2})) == code_by(2));
    // The terms name the product.
    stock::ItemTerms terms;
    terms.product = std::string_view("4711");
    const cluster::TermsChange written{.item = code_by(1), .to = stock::terms_json(terms)};
    REQUIRE(registry.change_terms({&written, 1}));
    CHECK(shared(keys_of({2})) == code_by(1));
    CHECK(shared({}) == code_by(1));
    // Whose key made it, others are told.
    const auto of_other_keys = [&](std::span<const door::Key> keys) {
      ProductCodes codes;
      return *add_shared_codes(catalog_of(kCatalog), keys, registry, codes);
    };
    CHECK(of_other_keys(keys_of({1, 2})).empty());
    CHECK(of_other_keys(keys_of({2})) == std::vector<std::string>{"4711"});
    CHECK(of_other_keys({}) == std::vector<std::string>{"4711"});
    registry.set_down(true);
    ProductCodes codes;
    CHECK_FALSE(add_shared_codes(catalog_of(kCatalog), {}, registry, codes));
  }
}

}  // namespace
}  // namespace stampede::node
