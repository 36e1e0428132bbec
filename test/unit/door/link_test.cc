#include "door/link.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test_keys.h"

namespace stampede::door {
namespace {

std::string mint(std::string_view user, std::string_view item,
                 int64_t expires_unix = link_expiry(kNow), const Key& key = test_keys().back()) {
  std::array<char, kLinkBytesMax> room;
  return std::string(mint_link(user, item, expires_unix, key, room));
}

bool is_good(std::string_view link, std::string_view user = "u1", std::string_view item = "ticket",
             int64_t now_unix = kNow) {
  return verify_link(link, user, item, test_keys(), now_unix);
}

TEST_SUITE("door/link") {
  TEST_CASE("a link made by hand with another implementation is accepted") {
    // python3: hmac.digest(b'\x01'*32, b'link u1 ticket v1.1796090460.k1', 'sha256')
    const std::string made = mint("u1", "ticket", 1'796'090'460, test_keys()[0]);
    CHECK(made == "v1.1796090460.k1.zzUDv9JPJEI41LmDrDOAvWsQ2qC-i0jkxjjGuXG25gc");
    CHECK(is_good(made));
  }

  TEST_CASE("a link is worth nothing to another user or for another item") {
    const std::string link = mint("u1", "ticket");
    CHECK(is_good(link));
    for (const char* user : {"u2", "U1", "u", "u1 ", "", "u1 ticket"})
      CHECK_FALSE(is_good(link, user));
    for (const char* item : {"ticket2", "Ticket", "ticke", ""})
      CHECK_FALSE(is_good(link, "u1", item));
    // The two do not flow into each other.
    CHECK_FALSE(is_good(mint("a", "b.c"), "a.b", "c"));
    CHECK_FALSE(is_good(mint("ab", "c"), "a", "bc"));
  }

  TEST_CASE("a link is valid until the second before its expiry") {
    const std::string link = mint("u1", "ticket", kNow);
    CHECK(is_good(link, "u1", "ticket", kNow - 1));
    CHECK_FALSE(is_good(link, "u1", "ticket", kNow));
    CHECK_FALSE(is_good(link, "u1", "ticket", kNow + 1));
  }

  TEST_CASE("a clock that is set back keeps a link for minutes and not for ever") {
    const std::string link = mint("u1", "ticket");
    CHECK(is_good(link, "u1", "ticket", kNow - bounds::signature_skew_s_max));
    CHECK_FALSE(is_good(link, "u1", "ticket", kNow - bounds::signature_skew_s_max - 1));
    CHECK_FALSE(is_good(mint("u1", "ticket", INT64_MAX)));
  }

  TEST_CASE("each flipped bit of a link is refused") {
    const std::string link = mint("u1", "ticket");
    for (size_t bit = 0; bit < 8 * link.size(); ++bit) {
      std::string flipped = link;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      CAPTURE(bit);
      CHECK_FALSE(is_good(flipped));
    }
  }

  TEST_CASE("a link has one spelling") {
    const std::string link = mint("u1", "ticket");
    for (size_t at = 0; at < link.size(); ++at) {
      CHECK_FALSE(is_good(link.substr(0, at)));
      CHECK_FALSE(is_good(link.substr(0, at) + link.substr(at + 1)));
    }
    for (const char* tail : {"A", "=", ".", " ", "\n"}) CHECK_FALSE(is_good(link + tail));
    CHECK_FALSE(is_good("v1.0" + link.substr(3)));
    CHECK_FALSE(is_good("v1.+" + link.substr(3)));
    CHECK_FALSE(is_good(std::string(1 << 20, '.')));
    // Two unused bits are in the last character of a mac.
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t unused = 1; unused < 4; ++unused) {
      std::string other = link;
      other.back() = alphabet[alphabet.find(link.back()) + unused];
      CHECK_FALSE(is_good(other));
    }
  }

  TEST_CASE("a link names the key that must have signed it") {
    CHECK(is_good(mint("u1", "ticket", link_expiry(kNow), test_keys()[0])));
    CHECK_FALSE(is_good(mint("u1", "ticket", link_expiry(kNow), Key("k3", secret_of(1)))));
    CHECK_FALSE(is_good(mint("u1", "ticket", link_expiry(kNow), Key("k1", secret_of(2)))));
    CHECK_FALSE(verify_link(mint("u1", "ticket"), "u1", "ticket", {}, kNow));
  }

  TEST_CASE("the longest link fits its room exactly") {
    const Key key(std::string(bounds::key_id_bytes_max, 'k'), secret_of(3));
    const std::string user(bounds::user_bytes_max, 'u'), item(bounds::item_code_bytes_max, 'i');
    CHECK(mint(user, item, INT64_MAX, key).size() == kLinkBytesMax);
  }
}

}  // namespace
}  // namespace stampede::door
