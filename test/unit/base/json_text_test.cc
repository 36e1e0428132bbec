#include "base/json_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace stampede {
namespace {

// Reads {"name":integer,…}: the sum, or the complaint.
std::string sum_of(const std::string& text) {
  JsonText json(text, "file");
  int64_t sum = 0;
  const Status status = json.for_each_field(
      [&](std::string_view key, JsonText::Value value, const char* where) -> Status {
        int64_t number = 0;
        if (const Refusal refusal = read_integer(value, 0, 100, number); !refusal.empty())
          return json.error(where, key, refusal);
        sum += number;
        return Ok{};
      });
  return status ? std::to_string(sum) : status.error().message;
}

TEST_SUITE("base/json_text") {
  TEST_CASE("every field is read in its order") {
    CHECK(sum_of("{}") == "0");
    CHECK(sum_of("{\"a\":1,\"b\":2}") == "3");
    CHECK(sum_of(" \r\n\t{ \"a\" : 1 ,\n \"b\" : 2 } \n") == "3");
  }

  TEST_CASE("a complaint names the line of its field") {
    CHECK(sum_of("{\"a\":101}") == "file:1: a: expected an integer from 0 to 100");
    CHECK(sum_of("{\n\n\"a\":\n\n-1}") == "file:3: a: expected an integer from 0 to 100");
    CHECK(sum_of("{\"a\":1,\r\n\"b\":2,\r\n\"c\":x}") ==
          "file:3: c: expected an integer from 0 to 100");
  }

  TEST_CASE("a text without anything is refused") {
    CHECK(sum_of("") == "file:1: it is empty");
    CHECK(sum_of(" \n ") == "file:1: it is empty");
  }

  TEST_CASE("another thing than an object is refused") {
    for (const char* text : {"[]", "1", "\"a\"", "null", "x"})
      CHECK(sum_of(text) == "file:1: expected an object");
  }

  TEST_CASE("a wrong structure is refused with its line") {
    const std::string wrong =
        ": not valid JSON: a comma, colon, bracket or key is missing or too many";
    CHECK(sum_of("{\"a\":1\n\"b\":2}") == "file:2" + wrong);
    CHECK(sum_of("{\"a\":1,\n}") == "file:2" + wrong);
    CHECK(sum_of("{\"a\":1,\n,\"b\":2}") == "file:2" + wrong);
    CHECK(sum_of("{\n\"a\" 1}") == "file:2" + wrong);
    CHECK(sum_of("{\na:1}") == "file:2" + wrong);
    CHECK(sum_of("{\"a\":1\n\n]}") == "file:3" + wrong);
  }

  TEST_CASE("a missing end is refused with the last line") {
    const std::string missing = ": not valid JSON: a closing bracket is missing";
    CHECK(sum_of("{\"a\":1,\n\"b\":2\n") == "file:2" + missing);
    CHECK(sum_of("{") == "file:1" + missing);
  }

  TEST_CASE("whatever follows the object is refused") {
    CHECK(sum_of("{\"a\":1}\n\n{}") == "file:3: nothing may follow the object");
    CHECK(sum_of("{\"a\":1}\n}") == "file:2: nothing may follow the object");
  }

  TEST_CASE("a string that does not end is refused with the line where it began") {
    const std::string open = ": a string holds a control character or does not end";
    CHECK(sum_of("{\"a\":1,\n\"b:2,\n\"c\":3}") == "file:2" + open);
    CHECK(sum_of("{\"a\":1,\n\"b\\\":2}") == "file:2" + open);
    CHECK(sum_of("{\"a\":1,\n\"b\tc\":2}") == "file:2" + open);
    CHECK(sum_of("{\"a\":1,\n\"b") == "file:2" + open);
    CHECK(sum_of("{\\\"a\":1,\n\"b\":2}") == "file:1" + open);  // a quote hidden outside of strings
  }

  TEST_CASE("what is not UTF-8 is refused with its line") {
    for (const char* bytes : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
      CHECK(sum_of(std::string("{\"a\":1,\n\"é\":2,\n\"") + bytes + "\":3}") ==
            "file:3: not valid UTF-8");
  }

  TEST_CASE("an object and an array inside are walked with the places of what they hold") {
    const std::string text = "{\"list\":[\n{\"a\":1},\n{\"a\":x}]}";
    JsonText json(text, "file");
    std::vector<std::string> lines;
    const auto read_field = [&](std::string_view key, JsonText::Value value,
                                const char* where) -> Status {
      int64_t number = 0;
      lines.push_back(json.error(where, key, read_integer(value, 0, 9, number)).message);
      return Ok{};
    };
    const auto read_element = [&](JsonText::Value element, const char* where) -> Status {
      lines.push_back(json.error(where, "element", "").message);
      return json.for_each_field(element, where, "element", read_field);
    };
    const Status status =
        json.for_each_field([&](std::string_view key, JsonText::Value value, const char* where) {
          return json.for_each_element(value, where, key, read_element);
        });
    CHECK(status);
    CHECK(lines == std::vector<std::string>{"file:2: element: ", "file:2: a: ", "file:3: element: ",
                                            "file:3: a: expected an integer from 0 to 9"});
  }

  TEST_CASE("booleans and strings are taken only as such") {
    const auto refusal_of = [](const std::string& value, bool wants_text) {
      JsonText json("{\"a\":" + value + "}", "file");
      std::string refusal;
      const Status status =
          json.for_each_field([&](std::string_view, JsonText::Value given, const char*) -> Status {
            bool flag;
            std::string_view text;
            refusal = wants_text ? read_text(given, text) : read_bool(given, flag);
            return Error{""};
          });
      CHECK_FALSE(status);
      return refusal;
    };
    CHECK(refusal_of("true", false) == "");
    CHECK(refusal_of("false", false) == "");
    CHECK(refusal_of("0", false) == "expected true or false");
    CHECK(refusal_of("truex", false) == "expected true or false");
    CHECK(refusal_of("\"a\"", true) == "");
    CHECK(refusal_of("1", true) == "expected a string");
    CHECK(refusal_of("\"\\q\"", true) == "not a valid string: an escape is wrong");
  }
}

}  // namespace
}  // namespace stampede
