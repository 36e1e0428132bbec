#include "door/ticket.h"

#include <doctest/doctest.h>
#include <sodium.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "test_keys.h"

namespace stampede::door {
namespace {

std::string mint(std::string_view user, int64_t expires_unix, const Key& key) {
  std::array<char, kTicketBytesMax> room;
  return std::string(mint_ticket(user, expires_unix, key, room));
}
std::string mint(std::string_view user) {
  return mint(user, kNow + 60, test_keys()[0]);
}

std::optional<std::string> user_of(std::string_view ticket, int64_t now_unix = kNow) {
  const auto user = verify_ticket(ticket, test_keys(), now_unix);
  if (!user) return std::nullopt;
  return std::string(user->view());
}

// Signs whatever stands in front, as a careless gateway would.
std::string sign_text(const std::string& text, const Key& key = test_keys()[0]) {
  const std::array parts = {std::string_view(text)};
  const Mac mac = key.sign(parts);
  std::array<char, 64> encoded;
  sodium_bin2base64(encoded.data(), encoded.size(), mac.data(), mac.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return text + "." + encoded.data();
}

TEST_SUITE("door/ticket") {
  TEST_CASE("a ticket made by hand with another implementation is accepted") {
    // python3: base64.urlsafe_b64encode(hmac.digest(b'\x01'*32, b'v1.dTE.1796090460.k1',
    // 'sha256')).rstrip(b'=')
    const std::string ticket = "v1.dTE.1796090460.k1.ogQe7seHGwv5WwC02KNxSzbNbQfXboUcPaTq6BeeS_U";
    CHECK(user_of(ticket) == "u1");
    CHECK(mint("u1") == ticket);
  }

  TEST_CASE("numbers and UUIDs and e-mail addresses are users") {
    for (const char* user :
         {"0", "1", "2147483647", "2147483649", "4294967290", "4294967302", "9223372036854775807",
          "123e4567-e89b-12d3-a456-426614174000", "buyer+sale@example.org", "a.b.c", "~", "!",
          "\"\\/", "0123456789012345678901234567890123456789012345678901234567890123"}) {
      CAPTURE(user);
      CHECK(user_of(mint(user)) == user);
    }
  }

  TEST_CASE("a ticket for any user and any expiry gives that user back") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 2'000; ++i) {
      std::string user(1 + random() % bounds::user_bytes_max, ' ');
      for (char& c : user) c = static_cast<char>(0x21 + random() % (0x7e - 0x21 + 1));
      const int64_t expires_unix = 1 + static_cast<int64_t>(random() >> 1) % INT64_MAX;
      const std::string ticket = mint(user, expires_unix, test_keys()[random() % 2]);
      REQUIRE(user_of(ticket, expires_unix - 1) == user);
      REQUIRE_FALSE(user_of(ticket, expires_unix));
    }
  }

  TEST_CASE("the longest ticket fits its room exactly") {
    const Key key(std::string(bounds::key_id_bytes_max, 'k'), secret_of(3));
    const std::string ticket = mint(std::string(bounds::user_bytes_max, 'u'), INT64_MAX, key);
    CHECK(ticket.size() == kTicketBytesMax);
    const std::vector<Key> keys = {key};
    CHECK(verify_ticket(ticket, keys, kNow));
    CHECK_FALSE(verify_ticket(ticket + "A", keys, kNow));
  }

  TEST_CASE("each flipped bit of a ticket is refused") {
    const std::string ticket = mint("buyer@example.org");
    REQUIRE(user_of(ticket));
    for (size_t bit = 0; bit < 8 * ticket.size(); ++bit) {
      std::string flipped = ticket;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      CAPTURE(bit);
      CHECK_FALSE(user_of(flipped));
    }
  }

  TEST_CASE("a ticket that is cut or lengthened or lacks a character is refused") {
    const std::string ticket = mint("u1");
    for (size_t at = 0; at < ticket.size(); ++at) {
      CHECK_FALSE(user_of(ticket.substr(0, at)));
      CHECK_FALSE(user_of(ticket.substr(0, at) + ticket.substr(at + 1)));
    }
    for (const char* tail : {"A", "=", ".", " ", "\n"}) CHECK_FALSE(user_of(ticket + tail));
    CHECK_FALSE(user_of(std::string(1 << 20, '.')));
  }

  TEST_CASE("a ticket is valid until the second before its expiry") {
    const std::string ticket = mint("u1", kNow, test_keys()[0]);
    CHECK(user_of(ticket, kNow - 1));
    CHECK_FALSE(user_of(ticket, kNow));
    CHECK_FALSE(user_of(ticket, kNow + 1));
  }

  TEST_CASE("a ticket names the key that must have signed it") {
    CHECK(user_of(mint("u1", kNow + 1, test_keys()[1])));
    CHECK_FALSE(user_of(mint("u1", kNow + 1, Key("k3", secret_of(1)))));  // a key that nobody knows
    CHECK_FALSE(
        user_of(mint("u1", kNow + 1, Key("k1", secret_of(2)))));  // the secret of another key
    CHECK_FALSE(verify_ticket(mint("u1"), {}, kNow));
  }

  TEST_CASE("the second spelling of a mac or a user is refused") {
    // A mac of 32 bytes leaves two unused bits in its last character.
    const std::string ticket = mint("u1");
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t last = alphabet.find(ticket.back());
    REQUIRE(last % 4 == 0);
    for (size_t unused = 1; unused < 4; ++unused) {
      std::string other = ticket;
      other.back() = alphabet[last + unused];
      CHECK_FALSE(user_of(other));
    }
    CHECK(user_of(sign_text("v1.dTE.1796090460.k1")));
    CHECK_FALSE(user_of(sign_text("v1.dTF.1796090460.k1")));   // u1 with an unused bit set
    CHECK_FALSE(user_of(sign_text("v1.dTE=.1796090460.k1")));  // padded
  }

  TEST_CASE("well signed nonsense is refused") {
    CHECK(user_of(sign_text("v1.dTE.1796090460.k1")));
    for (const char* text :
         {"v2.dTE.1796090460.k1", "V1.dTE.1796090460.k1", "v1..1796090460.k1", "v1.dTE..k1",
          "v1.dTE.+1796090460.k1", "v1.dTE.-1.k1", "v1.dTE.01796090460.k1", "v1.dTE.1796090460 .k1",
          "v1.dTE.1796090460.0.k1", "v1.dTE.99999999999999999999.k1", "v1.dTE.0x7fffffff.k1",
          "v1.dTE.1796090460", ".v1.dTE.1796090460.k1",
          "v1.IA.1796090460.k1",   // a space
          "v1.AA.1796090460.k1",   // a zero byte
          "v1.w6k.1796090460.k1",  // not ASCII
          "v1.d+E.1796090460.k1", "v1.d/E.1796090460.k1", "v1.d TE.1796090460.k1"}) {
      CAPTURE(text);
      CHECK_FALSE(user_of(sign_text(text)));
    }
    std::string too_long = "v1.";
    too_long.append(87, 'd');  // 65 bytes of user
    CHECK_FALSE(user_of(sign_text(too_long + ".1796090460.k1")));
  }

  TEST_CASE("a user id is 1 to 64 visible characters of ASCII") {
    for (const char* text : {"u", "0", "9223372036854775807",
                             "0b5c2f5e-9c3a-4c55-8d6e-1f2a3b4c5d6e", "a.b+c@example.com", "!\"\\~"})
      CHECK(is_user_id(text));
    CHECK_FALSE(is_user_id("a\t"));
    CHECK_FALSE(is_user_id(" a"));
    CHECK(is_user_id(std::string(64, '~')));
    CHECK_FALSE(is_user_id(""));
    CHECK_FALSE(is_user_id(std::string(65, 'u')));
    CHECK_FALSE(is_user_id("a b"));
    CHECK_FALSE(is_user_id("a\x7f"));
    CHECK_FALSE(is_user_id("é"));
    CHECK_FALSE(is_user_id(std::string_view("a\0b", 3)));
  }
}

}  // namespace
}  // namespace stampede::door
