#include "http/json.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace stampede::http {
namespace {

using namespace std::string_literals;

// "item×qty" or the error.
std::string read_create(const std::string& body) {
  const CreateBody create = parse_create(body);
  return create.error ? create.error
                      : std::string(create.item) + "×" + std::to_string(create.quantity);
}

std::string read_payment(const std::string& body) {
  const PaymentBody payment = parse_payment(body);
  if (payment.error) return payment.error;
  return std::string(payment.payment_id) + " " + std::to_string(payment.amount) + " " +
         std::string(payment.currency.begin(), payment.currency.end()) +
         (payment.status == PaymentStatus::succeeded ? " succeeded" : " failed");
}

const std::string kBadQuantity = "qty is not an integer from 1 to the limit";
const std::string kBadItem = "item is not a text of 1 to 64 bytes";
const std::string kBadJson = "the body is not valid JSON";
const std::string kTwice = "an object of the body has a key twice";
const std::string kBadAmount = "amount is not an integer of minor units";

struct BodyCase {
  std::string body;
  std::string expected;
};

void check_all(std::string (*read)(const std::string&), const std::vector<BodyCase>& cases) {
  for (const BodyCase& body_case : cases) {
    CAPTURE(body_case.body);
    CHECK(read(body_case.body) == body_case.expected);
  }
}

std::string with_quantity(const std::string& json) {
  return R"({"item":"t","qty":)" + json + "}";
}
std::string with_extra(const std::string& json) {
  return R"({"item":"t","qty":1,"extra":)" + json + "}";
}

std::string nested(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST_SUITE_BEGIN("http/json");

TEST_CASE("a link is any text and nothing but a text") {
  CHECK(parse_create(R"({"item":"t","qty":1})").link.empty());
  CHECK(parse_create(R"({"item":"t","qty":1,"link":"v1.2.k.m"})").link == "v1.2.k.m");
  CHECK(parse_create(R"({"link":"","item":"t","qty":1})").link.empty());
  CHECK(parse_create(R"({"link":"\u0076","item":"t","qty":1})").link == "v");
  CHECK(parse_create(R"({"item":"t","qty":1,"link":")" + std::string(3000, 'l') + "\"}").error ==
        nullptr);
  for (const char* value : {"1", "null", "true", "[]", "{}"}) {
    CAPTURE(value);
    const std::string body = R"({"item":"t","qty":1,"link":)" + std::string(value) + "}";
    CHECK(std::string(parse_create(body).error) == "link is not a text");
  }
}

TEST_CASE("a string ends at its quote wherever that and other bytes stand in it") {
  for (size_t size = 0; size < 50; ++size) {
    const std::string text(size, 'x');
    for (size_t at = 0; at <= size; ++at) {
      const auto link_with = [&](std::string_view bytes) {
        std::string changed = text;
        changed.insert(at, bytes);
        return R"({"item":"i","qty":1,"link":")" + changed + "\"}";
      };
      CAPTURE(size);
      CAPTURE(at);
      for (const std::string_view plain : {"", "\x7f", "\xc3\xa9", "/", "!", "#", "[", "]"}) {
        const std::string body = link_with(plain);
        const CreateBody create = parse_create(body);
        REQUIRE(create.error == nullptr);
        REQUIRE(create.link.size() == size + plain.size());
      }
      const std::string quoted = link_with("\\\"");
      REQUIRE(parse_create(quoted).link[at] == '"');
      for (const std::string_view bad : {"\"", "\\", "\x1f", "\n", "\x01"})
        REQUIRE(parse_create(link_with(bad)).error != nullptr);
    }
  }
}

TEST_CASE("an order names an item and a quantity") {
  check_all(read_create, {
                             {R"({"item":"ticket","qty":1})", "ticket×1"},
                             {R"({"qty":1000,"item":"a.b-c_D"})", "a.b-c_D×1000"},
                             {R"({"item":"ticket"})", "qty is missing"},
                             {" \r\n\t{ \"item\" : \"t\" , \"qty\" : 2 } \n", "t×2"},
                             {R"({"qty":1,"item":"t\u0069\"\\"})", "ti\"\\×1"},
                             {R"({"it\u0065m":"t","qt\u0079":3})", "t×3"},
                             {R"({"qty":1,"item":"票"})", "票×1"},
                             {R"({"qty":1,"item":")" + std::string(64, 'i') + "\"}",
                              std::string(64, 'i') + "×1"},
                         });
}

TEST_CASE("a quantity is an integer from 1 to the bound") {
  for (const char* quantity :
       {"0", "-1", "-0", "1001", "2147483648", "4294967297", "18446744073709551617", "1.5", "1.0",
        "1e0", "1e3", "\"1\"", "null", "true", "[1]", "{}"}) {
    CAPTURE(quantity);
    const std::string result = read_create(with_quantity(quantity));
    CHECK((result == kBadQuantity || result == kBadJson));
  }
  for (const char* quantity : {"NaN", "Infinity", "+1", "01", "0x1", "1.", ".5", "1e", "", "'1'"}) {
    CAPTURE(quantity);
    CHECK(read_create(with_quantity(quantity)) == kBadJson);
  }
  CHECK(read_create(with_quantity("1000")) == "t×1000");
}

TEST_CASE("an item is a text of bounded length") {
  check_all(read_create, {
                             {"{}", "item is missing"},
                             {R"({"qty":1})", "item is missing"},
                             {R"({"Item":"t"})", "item is missing"},
                             {R"({"item":""})", kBadItem},
                             {R"({"item":1})", kBadItem},
                             {R"({"item":null})", kBadItem},
                             {R"({"item":["t"]})", kBadItem},
                             {R"({"item":")" + std::string(65, 'i') + "\"}", kBadItem},
                         });
}

TEST_CASE("a body that is not one well-formed object is refused") {
  check_all(read_create,
            {
                {"", kBadJson},
                {" ", kBadJson},
                {"{", kBadJson},
                {R"({"item":"t")", kBadJson},
                {R"({"item":"t"}})", kBadJson},
                {R"({"item":"t"} x)", kBadJson},
                {R"({"item":"t"}{"item":"t"})", kBadJson},
                {R"({"item":"t",})", kBadJson},
                {R"({item:"t"})", kBadJson},
                {R"({'item':'t'})", kBadJson},
                {R"({"item":"t"/**/})", kBadJson},
                {"{\"item\":\"t\nu\"}", kBadJson},
                {"{\"item\":\"t\0\"}"s, kBadJson},
                {R"({"item":"\x74"})", kBadJson},
                {R"({"item":"\ud800"})", kBadItem},
                {R"({"item":"\ud800\u0041"})", kBadItem},
                {R"({"item":"\u12"})", kBadJson},
                {"\xEF\xBB\xBF{\"item\":\"t\"}", kBadJson},
                {"\"item\"", "the body is not a JSON object"},
                {"[]", "the body is not a JSON object"},
                {"1", "the body is not a JSON object"},
                {"item=ticket&qty=1", kBadJson},
                {"{\"item\":\"\xff\"}", "the body is not valid UTF-8"},
                {"{\"item\":\"\xc0\xaf\"}", "the body is not valid UTF-8"},
                {"{\"item\":\"\xed\xa0\x80\"}", "the body is not valid UTF-8"},
                {"{\"item\":\"t\",\"x\":\"\xf4\x90\x80\x80\"}", "the body is not valid UTF-8"},
                {std::string(4097, ' '), "the body is larger than 4 KiB"},
            });
}

TEST_CASE(
    "a key that comes twice is refused also in another spelling and inside of members that nobody "
    "reads") {
  check_all(read_create, {
                             {R"({"item":"t","item":"t"})", kTwice},
                             {R"({"item":"t","qty":1,"qty":1})", kTwice},
                             {R"({"item":"t","\u0069tem":"u"})", kTwice},
                             {R"({"item":"t","x":1,"x":2})", kTwice},
                             {R"({"item":"t","x":{"y":1,"y":2}})", kTwice},
                             {R"({"item":"t","x":[0,{"y":{"":1,"":2}}]})", kTwice},
                             {R"({"item":"t","qty":1,"x":{"item":1}})", "t×1"},
                         });
}

TEST_CASE("members that nobody knows are ignored if they are well-formed") {
  for (const char* value :
       {"[1,2.5,\"x\",null,true,{\"a\":-1e9}]", "4200001234202211011234567890", "-0.0", "1e999",
        "1E-999", "123456789012345678901234567890.5e+3", "\"\\ud83d\"", "{}", "[]", "[[],{}]",
        "\"\"", "{\"item\":1,\"qty\":[]}", " false "}) {
    CAPTURE(value);
    CHECK(read_create(with_extra(value)) == "t×1");
  }
  for (const char* value : {"tru",
                            "[1,]",
                            "[,1]",
                            "{\"a\"}",
                            "{\"a\":}",
                            "{\"a\":1,}",
                            "{1:1}",
                            "01",
                            "-",
                            "1.",
                            ".5",
                            "1e",
                            "1e+",
                            "+1",
                            "1 2",
                            "\"\\q\"",
                            "\"\\u12g4\"",
                            "\"a\tb\"",
                            "nulll",
                            "[1}",
                            "{\"a\":1]",
                            "{\"\\ud83d\":1}",
                            ""}) {
    CAPTURE(value);
    CHECK(read_create(with_extra(value)) == kBadJson);
  }
}

TEST_CASE("a payment may carry what its provider likes") {
  const std::string paid = R"("payment_id":"p1","amount":1,"currency":"CNY","status":"failed")";
  std::string many;
  for (int i = 0; i < 400; ++i) many += ",\"" + std::to_string(i) + "\":0";
  for (const std::string& extra :
       {std::string(R"(,"transaction_id":4200001234202211011234567890)"),
        std::string(R"(,"fee":1e400,"raw":{"amount":"x","status":[null]})"), many,
        ",\"deep\":" + nested(63)}) {
    CAPTURE(extra);
    CHECK(read_payment("{" + paid + extra + "}") == "p1 1 CNY failed");
  }
}

TEST_CASE("texts are decoded") {
  check_all(read_create, {
                             {R"({"qty":1,"item":"\u7968\/\b\f\n\r\t"})", "票/\b\f\n\r\t×1"},
                             {R"({"qty":1,"item":"\ud83c\udf9f\u00e9\u0041"})",
                              "\xf0\x9f\x8e\x9f"
                              "éA×1"},
                             {R"({"qty":1,"item":"\uDBFF\uDFFF"})", "\xf4\x8f\xbf\xbf×1"},
                             {R"({"qty":1,"item":"\udc00\ud800"})", kBadItem},
                             {R"({"qty":1,"item":"\ud800x\udc00"})", kBadItem},
                         });
}

TEST_CASE("nesting ends at 64 levels") {
  CHECK(read_create(with_extra(nested(63))) == "t×1");
  CHECK(read_create(with_extra(nested(64))) == "the body is nested too deeply");
  CHECK(read_create(with_extra(nested(2000))) == "the body is nested too deeply");
}

TEST_CASE("the most members that a body has room for are all compared") {
  const auto with_members = [](int count, const std::string& last) {
    std::string body = R"({"item":"t","qty":1)";
    for (int i = 0; i < count; ++i) body += ",\"" + std::to_string(i) + "\":0";
    return body + last + "}";
  };
  CHECK(read_create(with_members(500, "")) == "t×1");
  CHECK(read_create(with_members(500, ",\"250\":0")) == kTwice);
  std::string shortest = "{";
  while (shortest.size() + 6 <= bounds::body_bytes_max) shortest += "\"\":0,";
  shortest.back() = '}';
  CHECK(read_create(shortest) == kTwice);
}

TEST_CASE("a body that ends inside of its objects is refused however many keys it has begun") {
  struct Shape {
    std::string_view filler;   // a member of the outermost object
    std::string_view opening;  // an object within, and its first key
  };
  const std::vector<Shape> shapes = {
      {R"("":0,)", R"({"":)"},        {R"("":{},)", R"({"":)"}, {R"("":{"":0},)", R"({"":)"},
      {R"("":0,)", R"({"":0,"":)"},   {R"("":"",)", R"({"":)"}, {R"("":0,)", R"([{"":)"},
      {R"("a":0,)", R"({"\u0061":)"},
  };
  for (const Shape& shape : shapes) {
    for (size_t depth = 0; depth < bounds::json_depth_max; ++depth) {
      std::string inner = "\"\":";
      for (size_t i = 0; i < depth; ++i) inner += shape.opening;
      for (size_t spare = 0; spare < 8; ++spare) {
        if (inner.size() + 1 + spare > bounds::body_bytes_max) break;
        std::string body = "{";
        while (body.size() + shape.filler.size() + inner.size() + spare <= bounds::body_bytes_max)
          body += shape.filler;
        body += inner;
        CAPTURE(shape.filler);
        CAPTURE(shape.opening);
        CAPTURE(depth);
        REQUIRE(body.size() <= bounds::body_bytes_max);
        const std::string said = read_create(body);
        REQUIRE((said == kBadJson || said == "the body is nested too deeply"));
      }
    }
  }
}

TEST_CASE("a body may fill its bound to the last byte") {
  std::string body = R"({"item":"t","qty":1})";
  body.insert(1, 4096 - body.size(), ' ');
  CHECK(read_create(body) == "t×1");
}

TEST_CASE("a payment names its id and amount and currency and outcome") {
  check_all(
      read_payment,
      {
          {R"({"payment_id":"p1","amount":55350,"currency":"CNY","status":"succeeded"})",
           "p1 55350 CNY succeeded"},
          {R"({"status":"failed","currency":"eur","amount":0,"payment_id":"!~"})",
           "!~ 0 EUR failed"},
          {R"({"payment_id":"p","amount":9007199254740992,"currency":"JPY","status":"failed","fee":1.5})",
           "p 9007199254740992 JPY failed"},
      });
}

TEST_CASE("a payment with a missing or wrong member is refused") {
  const auto with = [](const std::string& key, const std::string& value) {
    std::string body = "{";
    for (const auto& [name, usual] :
         std::vector<std::pair<std::string, std::string>>{{"payment_id", "\"p1\""},
                                                          {"amount", "1"},
                                                          {"currency", "\"CNY\""},
                                                          {"status", "\"failed\""}}) {
      const std::string& text = name == key ? value : usual;
      if (!text.empty()) body += (body.size() > 1 ? ",\"" : "\"") + name + "\":" + text;
    }
    return body + "}";
  };
  const std::string missing = "payment_id, amount, currency and status are required";
  const std::string bad_id = "payment_id is not 1 to 64 bytes of visible ASCII";
  const std::string bad_status = "status is neither succeeded nor failed";
  for (const char* key : {"payment_id", "amount", "currency", "status"})
    CHECK(read_payment(with(key, "")) == missing);
  for (const char* id : {"\"\"", "1", "null", "\"a b\"", "\"\\u0000\"", "\"é\""}) {
    CHECK(read_payment(with("payment_id", id)) == bad_id);
  }
  CHECK(read_payment(with("payment_id", '"' + std::string(64, 'p') + '"')) ==
        std::string(64, 'p') + " 1 CNY failed");
  CHECK(read_payment(with("payment_id", '"' + std::string(65, 'p') + '"')) == bad_id);
  for (const char* amount : {"-1", "9007199254740993", "1.0", "\"1\"", "null"}) {
    CHECK(read_payment(with("amount", amount)) == kBadAmount);
  }
  for (const char* currency : {"\"CN\"", "\"CNYX\"", "\"C1Y\"", "\"\"", "156"}) {
    CHECK(read_payment(with("currency", currency)) == "currency is not three letters");
  }
  for (const char* status : {"\"Succeeded\"", "\"\"", "true", "\"succeededx\""}) {
    CHECK(read_payment(with("status", status)) == bad_status);
  }
  CHECK(read_payment(R"({"amount":1,"amount":1})") == kTwice);
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
