#include "cluster/terms.h"

#include "../base/death.h"
#include "base/clock.h"
#include "cluster/solo_registry.h"
#include "shared_registry.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;

std::string priced(int price) {
  return "{\"code\":\"a\",\"price\":" + std::to_string(price) + ",\"ends_at\":null}";
}

struct Fixture {
  Fixture() {
    const Supply items[] = {{.item = "a", .supplied = 1}, {.item = "b", .supplied = 1}};
    REQUIRE(registry.add_items(items));
  }
  // What is said of one offer; "-": nothing.
  std::string settle(const std::string& item, const std::string& before, const std::string& terms) {
    const TermsOffer offer{item, before, terms};
    const auto differences = offer_terms(registry, {&offer, 1}, Writes::each);
    REQUIRE(differences);
    return differences->empty() ? "-" : text_of(*differences);
  }
  std::string standing(const std::string& item = "a") {
    const auto terms = registry.terms({&item, 1});
    REQUIRE(terms);
    return terms->contains(item) ? terms->at(item) : "unknown";
  }

  SharedRegistry registry;
};

}  // namespace

TEST_SUITE("cluster/terms") {
  TEST_CASE("a difference names each field with both values") {
    CHECK(difference_of(R"({"price":2,"title":"Zug \"A, B\"","limit":0,"ends_at":null})",
                        R"({"price":1,"title":"Zug \"A, C\"","limit":0,"ends_at":"2026"})") ==
          R"(price is 2 here and 1 in the ledger, title is "Zug \"A, B\"" here and )"
          R"("Zug \"A, C\"" in the ledger, ends_at is null here and "2026" in the ledger)");
    CHECK(difference_of(R"({"x":true})", R"({"x":false})") ==
          "x is true here and false in the ledger");
  }

  TEST_CASE("order and spaces are no difference nor is a field of another version") {
    CHECK(difference_of(R"({"price":1,"title":" x "})", R"({"price":1,"title":" x "})") == "");
    CHECK(difference_of(R"({"price":1,"title":" x "})",
                        "{\n \"title\" : \" x \" ,\t\"price\":1 \n}") == "");
    CHECK(difference_of(R"({"price":1,"new":3})", R"({"price":1,"old":4})") == "");
    CHECK(difference_of(R"({"title":"x"})", R"({"title":"x "})") != "");
  }

  TEST_CASE_FIXTURE(Fixture,
                    "terms that an older version wrote grow by the fields that it did not know") {
    const std::string older = R"({"code":"a","price":1})",
                      newer = R"({"code":"a","price":1,"rate":5})";
    CHECK(settle("a", "", older) == "-");
    CHECK(settle("a", newer, newer) == "-");
    CHECK(standing() == newer);
    CHECK(settle("a", older, older) == "-");  // the older version changes nothing
    CHECK(standing() == newer);
    CHECK(settle("a", "", R"({"code":"a","price":1,"rate":6})") ==
          "item a: rate is 6 here and 5 in the ledger");
  }

  TEST_CASE("a line names the first items and counts the others") {
    std::vector<TermsDifference> differences(3, {"a", "x is 1 here and 2 in the ledger"});
    CHECK_FALSE(text_of(differences).ends_with("differ"));
    CHECK(text_of(std::span(differences).first(2)) ==
          "item a: x is 1 here and 2 in the ledger; item a: x is 1 here and 2 in the ledger");
    differences.resize(5);
    CHECK(text_of(differences).ends_with("; and 2 more items differ"));
  }

  TEST_CASE_FIXTURE(Fixture, "the first that names an item leaves its terms and others are told") {
    CHECK(settle("a", "", priced(1)) == "-");
    CHECK(standing() == priced(1));
    CHECK(settle("a", "", priced(1)) == "-");
    CHECK(settle("a", "", priced(2)) == "item a: price is 2 here and 1 in the ledger");
    CHECK(settle("a", priced(2), priced(2)) == "item a: price is 2 here and 1 in the ledger");
    CHECK(standing() == priced(1));
  }

  TEST_CASE_FIXTURE(Fixture, "a product under two codes contradicts whoever comes second") {
    const auto named = [](const std::string& code, const std::string& product) {
      return "{\"code\":\"" + code + "\",\"product\":\"" + product + "\",\"price\":1}";
    };
    CHECK(settle("a", "", named("a", "4711")) == "-");
    CHECK(settle("b", "", named("b", "4712")) == "-");
    CHECK(settle("a", "", named("a", "4711")) == "-");
    const TermsOffer offer{"b", named("b", "4712"), named("b", "4711")};
    const auto differences = offer_terms(registry, {&offer, 1}, Writes::all_or_nothing);
    REQUIRE(differences);
    CHECK(text_of(*differences) ==
          "item b: product 4711 is sold as a too, by a node with other `codes` in its --key-file");
    CHECK(standing("b") == named("b", "4712"));
  }

  TEST_CASE_FIXTURE(Fixture, "of two nodes that name a product at the same moment one is told") {
    const auto named = [](const std::string& code) {
      return "{\"code\":\"" + code + "\",\"product\":\"4711\"}";
    };
    const Death told = death_of([&] {
      // The other's terms come between this node's look and its writing.
      registry.before_change = [&] {
        const TermsChange other{.item = "b", .to = named("b")};
        CHECK(registry.change_terms({&other, 1}));
      };
      CHECK(settle("a", "", named("a")) == "-");
      CHECK(settle("a", "", named("a")) != "-");
    });
    CHECK(told.exit_code == kSurvived);
    CHECK(told.words.find("product 4711 is sold as b too") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "terms of a node that knew the item fill what nobody has said") {
    CHECK(settle("a", priced(3), priced(3)) == "-");
    CHECK(standing() == priced(3));
  }

  TEST_CASE_FIXTURE(Fixture, "a change that starts from what stands there is followed by all") {
    CHECK(settle("a", "", priced(1)) == "-");
    CHECK(settle("a", priced(1), priced(2)) == "-");  // one node
    CHECK(standing() == priced(2));
    CHECK(settle("a", priced(1), priced(2)) == "-");  // the other, later
    CHECK(settle("a", priced(1), priced(3)) == "item a: price is 3 here and 2 in the ledger");
    CHECK(standing() == priced(2));
    CHECK(settle("a", "{ \"price\":2 }", priced(4)) == "-");
    CHECK(standing() == priced(4));
  }

  TEST_CASE_FIXTURE(Fixture, "an item that the registry does not know is left out") {
    CHECK(settle("c", "", priced(1)) == "-");
    CHECK(standing("c") == "unknown");
    SoloRegistry solo({{.item = "a", .supplied = 1}});
    const TermsOffer offer{"a", "", priced(1)};
    const auto differences = offer_terms(solo, {&offer, 1}, Writes::all_or_nothing);
    REQUIRE(differences);
    CHECK(differences->empty());
  }

  TEST_CASE_FIXTURE(
      Fixture,
      "what contradicts changes nothing when all is asked for or nothing and a look never does") {
    CHECK(settle("a", "", priced(1)) == "-");
    const TermsOffer offers[] = {{"b", "", priced(7)}, {"a", "", priced(2)}};
    for (const Writes writes : {Writes::all_or_nothing, Writes::none}) {
      const auto found = offer_terms(registry, offers, writes);
      REQUIRE(found);
      CHECK(found->size() == 1);
      CHECK(standing("b") == "");
    }
    const auto found = offer_terms(registry, std::span(offers).first(1), Writes::none);
    REQUIRE(found);
    CHECK(found->empty());
    CHECK(standing("b") == "");
    const auto differences = offer_terms(registry, offers, Writes::each);
    REQUIRE(differences);
    CHECK(differences->size() == 1);
    CHECK(standing("b") == priced(7));
  }

  TEST_CASE_FIXTURE(Fixture, "whoever was slower hears of the one who was quicker") {
    const auto be_quick = [&](const std::string& from, const std::string& to) {
      const TermsChange change{"a", from, to};
      registry.before_change = [this, change] { REQUIRE(registry.change_terms({&change, 1})); };
    };
    be_quick("", priced(5));
    CHECK(settle("a", "", priced(2)) == "item a: price is 2 here and 5 in the ledger");
    CHECK(standing() == priced(5));
    be_quick(priced(5), priced(6));
    CHECK(settle("a", priced(5), priced(6)) == "-");
  }

  TEST_CASE_FIXTURE(Fixture, "offers wait for the database and follow each other") {
    OpenOffers offers(registry);
    CHECK(settle("a", "", priced(1)) == "-");
    registry.before_change = [&] {
      offers.add({{"a", priced(2), priced(3)}, {"b", priced(1), priced(4)}});
      registry.set_down(true);
    };
    offers.add({{"a", priced(1), priced(2)}, {"b", "", priced(1)}});
    offers.compare(0);
    registry.set_down(false);
    offers.compare(1);  // not so soon again
    CHECK(standing() == priced(1));
    offers.compare(5 * kSecond);
    CHECK(standing() == priced(3));
    CHECK(standing("b") == priced(4));
    REQUIRE(settle("a", priced(3), priced(9)) == "-");
    offers.compare(60 * kSecond);  // nothing is left to say
    CHECK(standing() == priced(9));
  }
}
