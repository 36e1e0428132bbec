#include "door/signature.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test_keys.h"

namespace stampede::door {
namespace {

constexpr std::string_view kBody =
    R"({"payment_id":"p1","amount":55350,"currency":"CNY","status":"succeeded"})";

bool verify(std::string_view header, int64_t now_unix = kNow) {
  return verify_signature(header, kBody, test_keys(), now_unix);
}

TEST_SUITE("door/signature") {
  TEST_CASE("a signature made by hand with another implementation is accepted") {
    // python3: hmac.new(b'\x01'*32, b'1796090400.' + body, 'sha256').hexdigest()
    const std::string header =
        "t=1796090400,v1=ab694414ff1c9819f454bf933b979150c032cfa8fea5a628b30c1027130dd080";
    CHECK(verify(header));
    CHECK(make_signature(kBody, kNow, test_keys()[0]) == header);
  }

  TEST_CASE("any of the payment keys may have signed") {
    CHECK(verify(make_signature(kBody, kNow, test_keys()[0])));
    CHECK(verify(make_signature(kBody, kNow, test_keys()[1])));
    CHECK_FALSE(verify(make_signature(kBody, kNow, Key("k1", secret_of(3)))));
    CHECK_FALSE(verify_signature(make_signature(kBody, kNow, test_keys()[0]), kBody, {}, kNow));
  }

  TEST_CASE("a signature is good for five minutes to either side and not a second longer") {
    const std::string header = make_signature(kBody, kNow, test_keys()[0]);
    CHECK(verify(header, kNow + 300));
    CHECK(verify(header, kNow - 300));
    CHECK_FALSE(verify(header, kNow + 301));
    CHECK_FALSE(verify(header, kNow - 301));
    CHECK_FALSE(verify(make_signature(kBody, INT64_MAX, test_keys()[0])));
    CHECK_FALSE(verify(make_signature(kBody, INT64_MAX, test_keys()[0]), -1));
  }

  TEST_CASE("each flipped bit of the header is refused") {
    const std::string header = make_signature(kBody, kNow, test_keys()[0]);
    for (size_t bit = 0; bit < 8 * header.size(); ++bit) {
      std::string flipped = header;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      const bool is_only_case =
          std::string_view("abcdef").find(header[bit / 8]) != std::string_view::npos &&
          bit / 8 > header.find("v1=") && bit % 8 == 5;
      CAPTURE(bit);
      CHECK(verify(flipped) == is_only_case);
    }
  }

  TEST_CASE("each flipped bit of the body is refused") {
    const std::string header = make_signature(kBody, kNow, test_keys()[0]);
    for (size_t bit = 0; bit < 8 * kBody.size(); ++bit) {
      std::string flipped(kBody);
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      CHECK_FALSE(verify_signature(header, flipped, test_keys(), kNow));
    }
  }

  TEST_CASE("the time belongs to what is signed") {
    const std::string mac =
        make_signature(kBody, kNow, test_keys()[0]).substr(std::string("t=1796090400").size());
    CHECK(verify("t=1796090400" + mac));
    CHECK_FALSE(verify("t=1796090401" + mac));
  }

  TEST_CASE("a digit cannot move between the time and the body") {
    const std::string header = make_signature("1.{}", 1796090, test_keys()[0]);
    CHECK(verify_signature(header, "1.{}", test_keys(), 1796090));
    const std::string moved = "t=17960901" + header.substr(header.find(','));
    CHECK_FALSE(verify_signature(moved, "{}", test_keys(), 17960901));
  }

  TEST_CASE("an empty body can be signed") {
    CHECK(verify_signature(make_signature("", kNow, test_keys()[0]), "", test_keys(), kNow));
  }

  TEST_CASE("a sender that replaces its key signs with both and one of them suffices") {
    const auto mac_by = [](const Key& key) {
      const std::string header = make_signature(kBody, kNow, key);
      return header.substr(header.find(','));
    };
    const std::string good = mac_by(test_keys()[1]), other = mac_by(Key("k9", secret_of(9)));
    CHECK(verify("t=1796090400" + other + good));
    CHECK(verify("t=1796090400" + good + other));
    CHECK(verify("t=1796090400,v0=00,v2=x" + good + ",x"));
    CHECK_FALSE(verify("t=1796090400" + other + other));
    CHECK_FALSE(verify("t=1796090401" + other + good));
    std::string many = "t=1796090400";
    for (unsigned i = 1; i < bounds::keys_per_kind_max; ++i) many += other;
    CHECK(verify(many + good));
    CHECK_FALSE(verify(many + other + good));  // more keys than anybody has
  }

  TEST_CASE("whatever is not a time and then macs is refused") {
    const std::string header = make_signature(kBody, kNow, test_keys()[0]);
    const std::string mac = header.substr(header.find("v1=") + 3);
    REQUIRE(verify("t=1796090400,v1=" + mac));
    for (const std::string& text : {std::string(),
                                    std::string("t="),
                                    std::string(","),
                                    "t=,v1=" + mac,
                                    "v1=" + mac,
                                    "v1=" + mac + ",t=1796090400",
                                    "t=1796090400, v1=" + mac,
                                    "t=1796090400;v1=" + mac,
                                    "T=1796090400,v1=" + mac,
                                    "t=1796090400,V1=" + mac,
                                    "t=1796090400,v0=" + mac,
                                    "t=01796090400,v1=" + mac,
                                    "t=+1796090400,v1=" + mac,
                                    "t=1796090400.0,v1=" + mac,
                                    "t=1796090400,v1=" + mac + ",v1=" + mac.substr(2),
                                    "t=1796090400,v1=" + mac + ",t=1796090400",
                                    "t=1796090400,v1=" + mac + " ",
                                    " t=1796090400,v1=" + mac,
                                    "t=1796090400,v1=" + mac + "00",
                                    "t=1796090400,v1=" + mac.substr(2),
                                    std::string("t=1796090400,v1="),
                                    "t=1796090400,t=1796090400,v1=" + mac,
                                    "t=99999999999999999999,v1=" + mac}) {
      CAPTURE(text);
      CHECK_FALSE(verify(text));
    }
  }
}

}  // namespace
}  // namespace stampede::door
