#include "stock/catalog.h"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

namespace stampede::stock {
namespace {

constexpr HashKey kKey = {1, 2, 3};

ItemTerms terms_with(ItemId id, std::string_view code, std::string_view title = "t") {
  ItemTerms terms;
  terms.id = id;
  terms.code = code;
  terms.title = title;
  return terms;
}

TEST_SUITE("stock/catalog") {
  TEST_CASE("terms can cross between shards as plain bytes") {
    static_assert(std::is_trivially_copyable_v<ItemTerms>);
    static_assert(std::is_trivially_copyable_v<CatalogEntry>);
  }

  TEST_CASE("an item is found by its code and by nothing near it") {
    Catalog catalog(kKey);
    CHECK(catalog.find("ticket") == kNoItem);
    catalog.upsert(terms_with(0, "ticket"));
    catalog.upsert(terms_with(1, "ticket2"));
    CHECK(catalog.find("ticket") == 0);
    CHECK(catalog.find("ticket2") == 1);
    for (const char* code : {"", "t", "ticke", "Ticket", "ticket ", "ticket22"})
      CHECK(catalog.find(code) == kNoItem);
    CHECK(catalog.find(std::string(1000, 't')) == kNoItem);
  }

  TEST_CASE("what went in comes out") {
    Catalog catalog(kKey);
    ItemTerms terms = terms_with(0, "ticket", "Beijing–Shanghai G101");
    terms.price = 55'350;
    terms.starts_ms = 1;
    terms.ends_ms = 2;
    terms.pay_window_s = 60;
    terms.per_user_limit = 3;
    terms.currency = {'E', 'U', 'R'};
    terms.is_paused = terms.is_ended = terms.has_hidden_link = terms.has_proof = true;
    terms.order_rate = 500;
    terms.product = std::string_view("4711");
    terms.enrolled = std::string_view("members.txt");
    catalog.upsert(terms);

    const ItemTerms out = catalog.terms(0);
    CHECK(out.id == 0);
    CHECK(out.code.view() == "ticket");
    CHECK(out.title.view() == "Beijing–Shanghai G101");
    CHECK(out.product.view() == "4711");
    CHECK(out.enrolled.view() == "members.txt");
    CHECK(catalog.has_enrolment(0));
    CHECK(catalog.code(0) == "ticket");
    CHECK(catalog.title(0) == "Beijing–Shanghai G101");
    for (const SaleTerms& sale : {static_cast<const SaleTerms&>(out), catalog.sale(0)}) {
      CHECK(sale.price == 55'350);
      CHECK(sale.starts_ms == 1);
      CHECK(sale.ends_ms == 2);
      CHECK(sale.pay_window_s == 60);
      CHECK(sale.per_user_limit == 3);
      CHECK(sale.currency == Currency{'E', 'U', 'R'});
      CHECK((sale.is_paused && sale.is_ended && sale.has_hidden_link && sale.has_proof));
      CHECK(sale.order_rate == 500);
    }
  }

  TEST_CASE("an item without a list is sold to everybody") {
    Catalog catalog(kKey);
    catalog.upsert(terms_with(0, "ticket"));
    CHECK_FALSE(catalog.has_enrolment(0));
    CHECK(catalog.terms(0).enrolled.empty());
    CHECK(catalog.terms(0).product.empty());
  }

  TEST_CASE("a later upsert replaces the terms and keeps the code") {
    Catalog catalog(kKey);
    catalog.upsert(terms_with(0, "ticket", "a short title"));
    ItemTerms changed = terms_with(0, "ticket", std::string(bounds::item_title_bytes_max, 'x'));
    changed.price = 7;
    catalog.upsert(changed);
    CHECK(catalog.find("ticket") == 0);
    CHECK(catalog.sale(0).price == 7);
    CHECK(catalog.title(0) == std::string(bounds::item_title_bytes_max, 'x'));
    CHECK(catalog.id_end() == 1);
  }

  TEST_CASE("an id that has not arrived yet is unknown while later ones are known") {
    Catalog catalog(kKey);
    CHECK_FALSE(catalog.contains(0));
    catalog.upsert(terms_with(2, "c"));
    CHECK(catalog.id_end() == 3);
    CHECK_FALSE(catalog.contains(0));
    CHECK_FALSE(catalog.contains(1));
    CHECK(catalog.contains(2));
    CHECK_FALSE(catalog.contains(3));
    CHECK_FALSE(catalog.contains(kNoItem));
    catalog.upsert(terms_with(0, "a"));
    CHECK(catalog.find("a") == 0);
    CHECK(catalog.find("c") == 2);
  }

  TEST_CASE("the longest code and title fit") {
    Catalog catalog(kKey);
    const std::string code(bounds::item_code_bytes_max, 'c'),
        title(bounds::item_title_bytes_max, 't');
    catalog.upsert(terms_with(0, code, title));
    CHECK(catalog.find(code) == 0);
    CHECK(catalog.terms(0).title.view() == title);
  }

  TEST_CASE("every one of a hundred thousand items is found under its own code") {
    Catalog catalog(kKey);
    for (ItemId id = 0; id < 100'000; ++id) {
      const std::string code = "item-" + std::to_string(id);
      catalog.upsert(terms_with(id, code, code));
    }
    for (ItemId id = 0; id < 100'000; ++id) {
      const std::string code = "item-" + std::to_string(id);
      REQUIRE(catalog.find(code) == id);
      REQUIRE(catalog.title(id) == code);
    }
    CHECK(catalog.find("item-100000") == kNoItem);
  }

  TEST_CASE("with a filter the same codes are found and an item that comes later too") {
    Catalog plain(kKey), filtered(kKey, 0.01, 100);
    for (ItemId id = 0; id < 5'000; ++id) {
      const std::string code = "item-" + std::to_string(id);
      plain.upsert(terms_with(id, code));
      filtered.upsert(terms_with(id, code));
      REQUIRE(filtered.find(code) == id);
    }
    CHECK(plain.filter_bytes() == 0);
    CHECK(filtered.filter_bytes() > 5'000);
    for (ItemId id = 0; id < 50'000; ++id) {
      const std::string code = "item-" + std::to_string(id);
      REQUIRE(filtered.find(code) == plain.find(code));
    }
  }

  TEST_CASE("terms survive the way through a record of the order log") {
    ItemTerms terms = terms_with(5, "ticket", "title");
    terms.price = 9;
    terms.starts_ms = 1;
    terms.ends_ms = 2;
    terms.pay_window_s = 3;
    terms.per_user_limit = 4;
    terms.currency = {'U', 'S', 'D'};
    terms.order_rate = 5;
    terms.product = std::string_view("4711");
    terms.enrolled = std::string_view("members.txt");
    for (int flag = 0; flag < 4; ++flag) {
      terms.is_paused = flag == 0;
      terms.is_ended = flag == 1;
      terms.has_hidden_link = flag == 2;
      terms.has_proof = flag == 3;
      const ItemTerms back = terms_of(record_of(terms));
      CHECK(back.id == 5);
      CHECK(back.code.view() == "ticket");
      CHECK(back.title.view() == "title");
      CHECK(back.price == 9);
      CHECK(back.starts_ms == 1);
      CHECK(back.ends_ms == 2);
      CHECK(back.pay_window_s == 3);
      CHECK(back.per_user_limit == 4);
      CHECK(back.currency == terms.currency);
      CHECK(back.is_paused == terms.is_paused);
      CHECK(back.is_ended == terms.is_ended);
      CHECK(back.has_hidden_link == terms.has_hidden_link);
      CHECK(back.has_proof == terms.has_proof);
      CHECK(back.order_rate == 5);
      CHECK(back.product.view() == "4711");
      CHECK(back.enrolled.view() == "members.txt");
    }
  }
}

}  // namespace
}  // namespace stampede::stock
