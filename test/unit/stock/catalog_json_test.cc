#include "stock/catalog_json.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/time_text.h"

namespace stampede::stock {
namespace {

// The message of a refused file, or how many items were accepted.
std::string outcome_of(const std::string& text) {
  const auto parsed = parse_catalog(text, "catalog.json");
  return parsed ? std::to_string(parsed->size()) : parsed.error().message;
}

// A catalog of two items; the second stands on line 3, and `fields` of it on line 4.
std::string with_fields(const std::string& fields) {
  return "{\"items\":[\n{\"code\":\"first\",\"stock\":1},\n{\n" + fields + "}]}";
}

// What is said of a field of that second item.
std::string refusal_of(const std::string& field) {
  const std::string message = outcome_of(with_fields("\"code\":\"second\",\"stock\":1," + field));
  const std::string place = "catalog.json:4: items[1].";
  return message.starts_with(place) ? message.substr(place.size())
                                    : "not refused at its place: " + message;
}

bool accepts(const std::string& field) {
  return outcome_of(with_fields("\"code\":\"second\",\"stock\":1," + field)) == "2";
}

std::string json_of(const ItemTerms& terms) {
  std::string out;
  append_item_json(terms, out);
  return out;
}

TEST_SUITE("stock/catalog_json") {
  TEST_CASE("the example of the documentation is read to the letter") {
    const auto parsed = parse_catalog(
        R"({"items":[{"code":"ticket","title":"Beijing–Shanghai G101","price":55350,"currency":"CNY","stock":10000,
            "per_user_limit":1,"starts_at":"2026-12-01T10:00:00+08:00","ends_at":"2026-12-01T12:00:00+08:00",
            "pay_window_s":1800,"hidden_link":false}]})",
        "catalog.json");
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 1);
    const auto& [terms, stock] = parsed->front();
    CHECK(terms.code.view() == "ticket");
    CHECK(terms.title.view() == "Beijing–Shanghai G101");
    CHECK(terms.price == 55350);
    CHECK(terms.currency == Currency{'C', 'N', 'Y'});
    CHECK(stock == 10000);
    CHECK(terms.per_user_limit == 1);
    CHECK(terms.starts_ms == parse_time("2026-12-01T02:00:00Z"));
    CHECK(terms.ends_ms == parse_time("2026-12-01T04:00:00Z"));
    CHECK(terms.pay_window_s == 1800);
    CHECK(terms.id == kNoItem);
    CHECK_FALSE((terms.is_paused || terms.is_ended || terms.has_hidden_link));
  }

  TEST_CASE("only code and stock are required and the rest has the documented defaults") {
    const auto parsed = parse_catalog(R"({"items":[{"stock":0,"code":"a.B_9-"}]})", "catalog.json");
    REQUIRE(parsed);
    const auto& [terms, stock] = parsed->front();
    CHECK(terms.code.view() == "a.B_9-");
    CHECK(terms.title.view() == "a.B_9-");
    CHECK(stock == 0);
    CHECK(terms.price == 0);
    CHECK(terms.currency == Currency{'C', 'N', 'Y'});
    CHECK(terms.pay_window_s == 1800);
    CHECK(terms.per_user_limit == 0);
    CHECK(terms.starts_ms == 0);
    CHECK(terms.ends_ms == 0);
  }

  TEST_CASE("a catalog may be empty and keeps the order of its items") {
    CHECK(outcome_of(R"({"items":[]})") == "0");
    const auto parsed = parse_catalog(
        R"({"items":[{"code":"b","stock":1},{"code":"a","stock":2}]})", "catalog.json");
    REQUIRE(parsed);
    CHECK((*parsed)[0].terms.code.view() == "b");
    CHECK((*parsed)[1].stock == 2);
  }

  TEST_CASE("numbers are taken at their bounds and refused one beyond") {
    CHECK(accepts(R"("price":0)"));
    CHECK(accepts(R"("price":8796093022208)"));
    CHECK(accepts(R"("per_user_limit":0)"));
    CHECK(accepts(R"("per_user_limit":1000000)"));
    CHECK(accepts(R"("pay_window_s":1)"));
    CHECK(accepts(R"("pay_window_s":2592000)"));
    const std::string price = "price: expected an integer from 0 to 8796093022208";
    const std::string limit = "per_user_limit: expected an integer from 0 to 1000000";
    const std::string window = "pay_window_s: expected an integer from 1 to 2592000";
    CHECK(refusal_of(R"("price":-1)") == price);
    CHECK(refusal_of(R"("price":8796093022209)") == price);
    CHECK(refusal_of(R"("per_user_limit":-1)") == limit);
    CHECK(refusal_of(R"("per_user_limit":1000001)") == limit);
    CHECK(refusal_of(R"("pay_window_s":0)") == window);
    CHECK(refusal_of(R"("pay_window_s":-1800)") == window);
    CHECK(refusal_of(R"("pay_window_s":2592001)") == window);
    CHECK(refusal_of(R"("pay_window_s":18446744073709551615)") == window);
  }

  TEST_CASE("what is no integer is no number") {
    for (const char* value :
         {"1.5", "1e3", "1.0", "\"1\"", "null", "true", "[1]", "{}", "01", "+1", "0x1", "NaN", "-",
          "9223372036854775808", "99999999999999999999999999", "1x"}) {
      CAPTURE(value);
      CHECK(refusal_of(std::string("\"price\":") + value) ==
            "price: expected an integer from 0 to 8796093022208");
    }
  }

  TEST_CASE("stock is taken at its bounds and refused one beyond") {
    const auto with_stock = [](const std::string& stock) {
      return outcome_of("{\"items\":[{\"code\":\"a\",\"stock\":" + stock + "}]}");
    };
    const std::string refusal =
        "catalog.json:1: items[0].stock: expected an integer from 0 to 1099511627776";
    CHECK(with_stock("1099511627776") == "1");
    CHECK(with_stock("1099511627777") == refusal);
    CHECK(with_stock("-1") == refusal);
    CHECK(with_stock("null") == refusal);
    CHECK(with_stock("\"10\"") == refusal);
  }

  TEST_CASE("a code is 1 to 64 letters or digits or . _ -") {
    const auto with_code = [](const std::string& code) {
      return outcome_of("{\"items\":[{\"stock\":1,\n\"code\":" + code + "}]}");
    };
    const std::string refusal =
        "catalog.json:2: items[0].code: expected 1 to 64 characters of A-Z a-z 0-9 . _ -";
    CHECK(with_code('"' + std::string(64, 'c') + '"') == "1");
    CHECK(with_code('"' + std::string(65, 'c') + '"') == refusal);
    for (const char* code :
         {"\"\"", "\"a b\"", "\"a/b\"", "\"é\"", "\"a\\u0000\"", "\"a\\n\"", "17", "null", "[]"}) {
      CAPTURE(code);
      CHECK(with_code(code) == refusal);
    }
  }

  TEST_CASE("a title is 1 to 200 bytes without control characters") {
    const std::string refusal =
        "title: expected 1 to 200 bytes of UTF-8 without control characters";
    CHECK(accepts("\"title\":\"" + std::string(200, 't') + '"'));
    CHECK(accepts(R"("title":"\"quotes\" \\ \/ \u00e9 \ud83c\udf9f")"));
    CHECK(refusal_of("\"title\":\"" + std::string(201, 't') + '"') == refusal);
    CHECK(refusal_of(R"("title":"")") == refusal);
    CHECK(refusal_of(R"("title":"a\nb")") == refusal);
    CHECK(refusal_of(R"("title":"a\u0000b")") == refusal);
    CHECK(refusal_of(R"("title":"a\u007fb")") == refusal);
    CHECK(refusal_of(R"("title":17)") == "title: expected a string");
    CHECK(refusal_of(R"("title":"\ud83c")") == "title: not a valid string: an escape is wrong");
    CHECK(refusal_of(R"("title":"\x41")") == "title: not a valid string: an escape is wrong");
  }

  TEST_CASE("a currency is three capital letters") {
    CHECK(accepts(R"("currency":"USD")"));
    for (const char* value : {"\"usd\"", "\"US\"", "\"USDT\"", "\"U5D\"", "\"\"", "840", "null"})
      CHECK(refusal_of(std::string("\"currency\":") + value) ==
            "currency: expected three capital letters, such as CNY");
  }

  TEST_CASE("times are RFC 3339 or null") {
    CHECK(accepts(R"("starts_at":null,"ends_at":null)"));
    CHECK(accepts(R"("ends_at":"2026-12-01T12:00:00.5Z")"));
    const std::string refusal = ": expected a time such as 2026-12-01T10:00:00+08:00";
    for (const char* value :
         {"\"\"", "\"2026-12-01\"", "\"2026-12-01 10:00:00Z\"", "\"2026-02-30T10:00:00Z\"",
          "\"2026-12-01T10:00:00\"", "1796090400", "nul", "[]"}) {
      CAPTURE(value);
      CHECK(refusal_of(std::string("\"starts_at\":") + value) == "starts_at" + refusal);
      CHECK(refusal_of(std::string("\"ends_at\":") + value) == "ends_at" + refusal);
    }
  }

  TEST_CASE("a time that cannot be had is refused for what is wrong with it") {
    CHECK(refusal_of(R"("starts_at":"2026-12-01T10:00:60Z")") ==
          "starts_at: a leap second (:60) has no number in POSIX time: use second 59");
    CHECK(refusal_of(R"("ends_at":"1969-12-31T23:59:59Z")") ==
          "ends_at: expected a time from 1970 to 9999");
    CHECK(refusal_of(R"("starts_at":"1970-01-01T00:00:00Z")") ==
          "starts_at: must be later than 1970-01-01T00:00:00Z");
    CHECK(accepts(R"("starts_at":"1970-01-01T00:00:00.001Z")"));
  }

  TEST_CASE("a code of dots that URLs cannot name is refused") {
    const std::string refusal = ". and .. can be named in no URL: expected another code";
    for (const char* code : {".", ".."}) {
      const std::string text = std::string("{\"items\":[{\"stock\":1,\"code\":\"") + code + "\"}]}";
      CHECK(outcome_of(text) == "catalog.json:1: items[0].code: " + refusal);
      CHECK(!parse_item("{}", code));
    }
    for (const char* code : {"...", ".a", "a..", "-", "_"}) CHECK(is_item_code(code));
  }

  TEST_CASE("a catalog may begin with a byte order mark and only begin with it") {
    const std::string mark = "\xEF\xBB\xBF", text = R"({"items":[{"code":"a","stock":1}]})";
    CHECK(outcome_of(mark + text) == "1");
    CHECK(outcome_of(mark + mark + text) != "1");
    CHECK(outcome_of(text + mark) != "1");
    CHECK(outcome_of(mark) == "catalog.json:1: it is empty");
  }

  TEST_CASE("what a complaint quotes cannot end its line or steer a terminal") {
    const std::string complaint = outcome_of(R"({"items":[{"a\nb\u001b[31m\u009b":1}]})");
    CHECK(complaint == "catalog.json:1: items[0].a\\x0ab\\x1b[31m\\xc2\\x9b: unknown key");
  }

  TEST_CASE("a sale ends after it starts") {
    CHECK(accepts(R"("starts_at":"2026-12-01T10:00:00Z","ends_at":"2026-12-01T10:00:00.001Z")"));
    CHECK(refusal_of(R"("starts_at":"2026-12-01T10:00:00Z","ends_at":"2026-12-01T10:00:00Z")") ==
          "ends_at: must be later than starts_at");
    CHECK(
        refusal_of(R"("ends_at":"2026-12-01T10:00:00+08:00","starts_at":"2026-12-01T10:00:00Z")") ==
        "ends_at: must be later than starts_at");
  }

  TEST_CASE("a hidden link is not sold as if it were none") {
    CHECK(accepts(R"("hidden_link":false)"));
    CHECK(accepts(R"("hidden_link":true)"));
    for (const char* value : {"1", "null", "\"false\"", "fals", "False"})
      CHECK(refusal_of(std::string("\"hidden_link\":") + value) ==
            "hidden_link: expected true or false");
  }

  TEST_CASE("a rate of orders is an integer and none is no limit") {
    const auto parsed = parse_catalog(
        R"({"items":[{"code":"a","stock":1,"order_rate":500},{"code":"b","stock":1,"order_rate":0},
                     {"code":"c","stock":1}]})",
        "c");
    REQUIRE(parsed);
    CHECK((*parsed)[0].terms.order_rate == 500);
    CHECK((*parsed)[1].terms.order_rate == 0);
    CHECK((*parsed)[2].terms.order_rate == 0);
    CHECK(accepts(R"("order_rate":1000000000)"));
    for (const char* value : {"-1", "1000000001", "1.5", "\"auto\"", "null"})
      CHECK(refusal_of(std::string("\"order_rate\":") + value) ==
            "order_rate: expected an integer from 0 to 1000000000");
  }

  TEST_CASE("a proof needs a hidden link to be asked for") {
    CHECK(accepts(R"("hidden_link":true,"proof":true)"));
    CHECK(accepts(R"("proof":false)"));
    CHECK(refusal_of(R"("proof":true)") == "proof: is asked for with a link: it needs hidden_link");
  }

  TEST_CASE("a product stands in place of the code and nowhere twice") {
    const auto parsed = parse_catalog(
        R"({"items":[{"product":"4711","stock":1},{"product":"4712","stock":2,"title":"t"}]})",
        "c");
    REQUIRE(parsed);
    CHECK((*parsed)[0].terms.product.view() == "4711");
    CHECK((*parsed)[0].terms.code.empty());
    CHECK((*parsed)[0].terms.title.empty());
    CHECK((*parsed)[1].terms.title.view() == "t");
    CHECK(outcome_of(R"({"items":[{"product":"1","code":"a","stock":1}]})") ==
          "catalog.json:1: items[0].code: is made of the product: leave one of the two out");
    CHECK(outcome_of(R"({"items":[{"product":"1","stock":1},{"product":"1","stock":1}]})") ==
          "catalog.json:1: items[1].product: the catalog has an item of this product already");
    CHECK(outcome_of(R"({"items":[{"product":null,"stock":1}]})") ==
          "catalog.json:1: items[0].code: is required");
    for (const char* value : {"\"\"", "\"a b\"", "4711", "\"\u00e9\""})
      CHECK(outcome_of(R"({"items":[{"stock":1,"product":)" + std::string(value) + "}]}") ==
            "catalog.json:1: items[0].product: expected 1 to 64 visible ASCII characters");
  }

  TEST_CASE("a list of users is the name of a file") {
    CHECK(accepts(R"("enrolled":"lists/members.txt")"));
    CHECK(accepts(R"("enrolled":null)"));
    for (const std::string& value : {std::string("\"\""), std::string("7"), std::string("[\"a\"]"),
                                     "\"" + std::string(201, 'f') + "\"", std::string("\"a\\nb\"")})
      CHECK(refusal_of("\"enrolled\":" + value) ==
            "enrolled: expected the name of a file, 1 to 200 bytes");
  }

  TEST_CASE("what only operators see changes the terms but not what buyers see") {
    ItemTerms terms = demo_entry().terms, before = terms;
    terms.order_rate = 500;
    CHECK(json_of(terms) == json_of(before));
    CHECK(terms_json(terms) != terms_json(before));
    CHECK(terms_json(terms).ends_with(
        R"(,"hidden_link":false,"order_rate":500,"proof":false,"product":null,"enrolled":null})"));
    CHECK(catalog_sum_of(terms) != catalog_sum_of(before));
  }

  TEST_CASE("an entry without new terms has the sum that a data directory remembers") {
    const std::string text = json_of(demo_entry().terms);
    CHECK(catalog_sum_of(demo_entry().terms) == checksum(std::as_bytes(std::span(text))));
  }

  TEST_CASE("a missing code or stock is told with the line where the item begins") {
    CHECK(outcome_of(with_fields("\"code\":\"b\"")) ==
          "catalog.json:3: items[1].stock: is required");
    CHECK(outcome_of(with_fields("\"stock\":1")) == "catalog.json:3: items[1].code: is required");
    CHECK(outcome_of(with_fields("")) == "catalog.json:3: items[1].code: is required");
  }

  TEST_CASE("a code of two items is refused") {
    CHECK(outcome_of(with_fields("\"stock\":9,\"code\":\"first\"")) ==
          "catalog.json:4: items[1].code: the catalog has an item of this code already");
    CHECK(outcome_of(with_fields("\"stock\":9,\"code\":\"\\u0066irst\"")) ==
          "catalog.json:4: items[1].code: the catalog has an item of this code already");
  }

  TEST_CASE("unknown and repeated keys are refused by name") {
    CHECK(refusal_of(R"("per_user_limt":1)") == "per_user_limt: unknown key");
    CHECK(refusal_of(R"("Price":1)") == "Price: unknown key");
    CHECK(refusal_of(R"("":1)") == ": unknown key");
    CHECK(refusal_of(R"("price":1,"price":1)") == "price: is given twice");
    CHECK(refusal_of(R"("price":1,"pri\u0063e":1)") == "price: is given twice");
    CHECK(outcome_of("{\"items\":[],\n\"version\":1}") == "catalog.json:2: version: unknown key");
    CHECK(outcome_of("{\"items\":[],\n\"items\":[]}") == "catalog.json:2: items: is given twice");
    CHECK(outcome_of("{}") == "catalog.json:1: items: is required");
  }

  TEST_CASE("another shape than a list of items is refused") {
    CHECK(outcome_of("[]") == "catalog.json:1: expected an object");
    CHECK(outcome_of("\"items\"") == "catalog.json:1: expected an object");
    CHECK(outcome_of("{\n\"items\":{}}") == "catalog.json:2: items: expected an array");
    CHECK(outcome_of("{\n\"items\":null}") == "catalog.json:2: items: expected an array");
    CHECK(outcome_of("{\"items\":[\n1]}") == "catalog.json:2: items[0]: expected an object");
    CHECK(outcome_of("{\"items\":[[\n]]}") == "catalog.json:1: items[0]: expected an object");
    CHECK(outcome_of("{\"items\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}") ==
          "catalog.json:1: items[0]: expected an object");
  }

  TEST_CASE("a catalog cut at any byte is refused with its name") {
    const std::string text =
        "{\"items\":[{\"code\":\"a\",\"stock\":1,\"title\":\"Beijing–Shanghai\",\"starts_at\":null}"
        ",\n"
        "{\"code\":\"b\",\"stock\":2,\"hidden_link\":false,\"price\":10}]}";
    REQUIRE(outcome_of(text) == "2");
    for (size_t size = 0; size < text.size(); ++size) {
      CAPTURE(size);
      CHECK(outcome_of(text.substr(0, size)).starts_with("catalog.json:"));
    }
  }

  TEST_CASE("a catalog that lacks any one byte of its structure is refused") {
    const std::string text = R"({"items":[{"code":"a","stock":1},{"code":"b","stock":2}]})";
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] >= '0' && text[at] <= '9') continue;
      CAPTURE(at);
      CHECK(outcome_of(text.substr(0, at) + text.substr(at + 1)).starts_with("catalog.json:"));
    }
  }

  TEST_CASE("a catalog with random damage is read or refused with its name") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const std::string whole =
        R"({"items":[{"code":"a","stock":1,"title":"\"é\"","ends_at":"2026-12-01T12:00:00+08:00"},
            {"code":"b","stock":2,"hidden_link":false,"price":10,"currency":"CNY","starts_at":null}]})";
    const std::string marks = "{}[]:,\"\\0-1e. \n\x80u";
    for (int i = 0; i < 20'000; ++i) {
      std::string text = whole;
      for (unsigned damages = 1 + random() % 3; damages > 0; --damages) {
        const size_t at = random() % text.size();
        if (random() % 3 == 0)
          text.erase(at, 1 + random() % 8);
        else
          text.insert(
              at, 1,
              random() % 4 == 0 ? static_cast<char>(random()) : marks[random() % marks.size()]);
      }
      const std::string outcome = outcome_of(text);
      CAPTURE(text);
      REQUIRE((outcome == "2" || outcome == "1" || outcome == "0" ||
               outcome.starts_with("catalog.json:")));
    }
  }

  TEST_CASE("an operator's item is read like one of the catalog and its code is the path's") {
    const auto change = parse_item(R"({"price":100,"stock":5,"starts_at":null})", "ticket");
    REQUIRE(change);
    CHECK(change->terms.code.view() == "ticket");
    CHECK(change->terms.title.view() == "ticket");
    CHECK(change->terms.price == 100);
    CHECK(change->stock == 5);
    CHECK(parse_item(R"({"code":"ticket"})", "ticket"));
    CHECK_FALSE(parse_item("{}", "ticket")->stock);
  }

  TEST_CASE("an operator's item is refused with line and field") {
    const auto refusal = [](const std::string& body, const std::string& code = "ticket") {
      const auto change = parse_item(body, code);
      return change ? "accepted" : change.error().message;
    };
    CHECK(refusal("{\n\"code\":\"other\"}") == "body:2: code: is another one than the path's");
    CHECK(refusal("{\n\"price\":-1}") ==
          "body:2: price: expected an integer from 0 to 8796093022208");
    CHECK(refusal("{\"stock\":0.5}") ==
          "body:1: stock: expected an integer from 0 to 1099511627776");
    CHECK(refusal("{\"is_paused\":true}") == "body:1: is_paused: unknown key");
    CHECK(refusal("{\"proof\":true}") ==
          "body:1: proof: is asked for with a link: it needs hidden_link");
    CHECK(refusal("") == "body:1: it is empty");
    CHECK(refusal("[]") == "body:1: expected an object");
    CHECK(refusal("{}{}") == "body:1: nothing may follow the object");
    CHECK(refusal("{}", std::string(65, 'c')) ==
          "body:1: code: expected 1 to 64 characters of A-Z a-z 0-9 . _ -");
    CHECK(refusal("{}", "a b") == "body:1: code: expected 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }

  TEST_CASE("an item is shown as the contract says") {
    ItemTerms terms = demo_entry().terms;
    CHECK(json_of(terms) ==
          "{\"code\":\"ticket\",\"title\":\"Beijing–Shanghai G101\",\"price\":55350,\"currency\":"
          "\"CNY\",\"per_user_limit\":1,\"starts_at\":null,\"ends_at\":null,\"pay_window_s\":1800,"
          "\"hidden_link\":false}");
    terms.starts_ms = 1'796'090'400'000;
    terms.ends_ms = 1'796'097'600'123;
    terms.has_hidden_link = true;
    const std::string json = json_of(terms);
    CHECK(json.find("\"starts_at\":\"2026-12-01T02:00:00.000Z\",\"ends_at\":\"2026-12-01T04:00:00."
                    "123Z\"") != json.npos);
    CHECK(json.find("\"hidden_link\":true") != json.npos);
  }

  TEST_CASE("what is shown can be put back unchanged") {
    ItemTerms terms = demo_entry().terms;
    terms.title = std::string_view("\"quoted\" \\ back/slash 🎟");
    terms.starts_ms = 1'796'090'400'123;
    terms.ends_ms = 1'796'097'600'000;
    terms.price = bounds::price_max;
    const auto change = parse_item(json_of(terms), "ticket");
    REQUIRE(change);
    CHECK(json_of(change->terms) == json_of(terms));
  }

  TEST_CASE("the entity tag is quoted and differs with the terms and only with them") {
    ItemTerms terms = demo_entry().terms;
    const std::string tag = entity_tag(json_of(terms));
    CHECK(tag.size() == 18);
    CHECK(tag.front() == '"');
    CHECK(tag.back() == '"');
    CHECK(entity_tag(json_of(demo_entry().terms)) == tag);
    terms.price += 1;
    CHECK(entity_tag(json_of(terms)) != tag);
    CHECK(entity_tag("") ==
          "\"2d06800538d394c2\"");  // XXH3-64 of nothing: the tag is the same in every build
  }

  TEST_CASE("the demo sells 10,000 tickets that are open now and have no end") {
    const CatalogEntry demo = demo_entry();
    CHECK(demo.stock == 10'000);
    CHECK(demo.terms.code.view() == "ticket");
    CHECK(demo.terms.price == 55'350);
    CHECK(demo.terms.per_user_limit == 1);
    CHECK(demo.terms.starts_ms == 0);
    CHECK(demo.terms.ends_ms == 0);
  }

  TEST_CASE("the item of measurements does not run out and has no limit for a user") {
    const CatalogEntry bench = bench_entry();
    CHECK(bench.stock == bounds::stock_max);
    CHECK(bench.terms.code.view() == "ticket");
    CHECK(bench.terms.per_user_limit == 0);
  }
}

}  // namespace
}  // namespace stampede::stock
