// What operators are told, as JSON.
#include "shard/admin_json.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include "http/date_text.h"

namespace stampede::shard {
namespace {

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS;
}

TEST_SUITE("shard/admin_json") {
  TEST_CASE("texts are quoted behind what is there already") {
    std::string out = "x";
    append_quoted("a\"b\\c\n", out);
    CHECK(out == "x\"a\\\"b\\\\c\\u000a\"");
    append_quoted("", out);
    CHECK(out.ends_with("\"\""));
  }

  // A refusal is rendered into a buffer of a fixed size; an operator's own words may be in it.
  TEST_CASE("the longest refusal of the worst characters still fits its answer") {
    for (const char* character : {"\x01", "\"", "x", "\xe7\xa5\xa8"}) {
      std::string message;
      while (message.size() < 5000) message += character;
      for (size_t cut = 0; cut < 3; ++cut) {
        const TextAnswer answer = refused(Verdict::overloaded, message.substr(cut * 3));
        CHECK(answer.body.size() <= bounds::admin_message_bytes_max);
        http::DateText date;
        date.refresh(0);
        char out[http::response_bytes_max];
        const size_t bytes = http::render_refusal(
            {.verdict = answer.refusal, .reason = answer.body.c_str()}, {.date = date}, out);
        REQUIRE(bytes > 0);
        const std::string response(out, bytes);
        CHECK(is_json(response.substr(response.find("\r\n\r\n") + 4)));
      }
    }
  }

  TEST_CASE("a conflict carries its figure") {
    const TextAnswer answer = conflict("not_enough", "Fewer \"free\".", "available", 3);
    CHECK(answer.status == http::StatusCode::conflict);
    CHECK(answer.body ==
          R"({"code":"not_enough","message":"Fewer \"free\".","retryable":false,"available":3})");
  }

  TEST_CASE("readiness lists every reason and a warning alone does not take it away") {
    CHECK(readiness_answer({}, {}).body == R"({"ready":true,"reasons":[],"warnings":[]})");
    CHECK(readiness_answer({}, {"w"}).status == http::StatusCode::ok);
    const TextAnswer answer = readiness_answer({"a", "b"}, {"w"});
    CHECK(answer.status == http::StatusCode::unavailable);
    CHECK(answer.body == R"({"ready":false,"reasons":["a","b"],"warnings":["w"]})");
  }

  TEST_CASE("an item is what buyers see and its units") {
    stock::ItemTerms terms;
    terms.code = std::string_view("ticket");
    terms.title = std::string_view("A \"good\" one");
    const std::string json = item_json(terms, 12, 0);
    CHECK(is_json(json));
    CHECK(json.starts_with(R"({"code":"ticket","title":"A \"good\" one")"));
    CHECK(json.ends_with(R"("state":"open","total":12})"));
  }

  TEST_CASE("a line of the audit holds all five figures") {
    std::string out;
    append_audit_line(
        {.item = 0, .total = 10, .free = 1, .leased = 2, .reserved = 3, .paid = 4, .is_ok = true},
        "ticket", false, out);
    CHECK(out ==
          R"({"item":"ticket","total":10,"free":1,"leased":2,"reserved":3,"paid":4,"ok":true})");
  }

  TEST_CASE("a line of a shared ledger's audit also says what is elsewhere") {
    std::string out;
    append_audit_line({.item = 0,
                       .total = 15,
                       .free = 1,
                       .leased = 2,
                       .reserved = 3,
                       .paid = 4,
                       .elsewhere = 5,
                       .is_ok = true},
                      "ticket", true, out);
    CHECK(
        out ==
        R"({"item":"ticket","total":15,"free":1,"leased":2,"reserved":3,"paid":4,"elsewhere":5,"ok":true})");
  }
}

}  // namespace
}  // namespace stampede::shard
