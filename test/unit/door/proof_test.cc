#include "door/proof.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "door/opaque_code.h"
#include "door/ticket.h"

#include "test_keys.h"

namespace stampede::door {
namespace {

std::string mint(std::string_view user, std::string_view item, int64_t expires_unix = kNow + 60,
                 const Key& key = test_keys()[0]) {
  std::array<char, kProofBytesMax> room;
  return std::string(mint_proof(user, item, expires_unix, key, room));
}

bool is_good(std::string_view proof, std::string_view user = "u1", std::string_view item = "ticket",
             int64_t now_unix = kNow) {
  return verify_proof(proof, user, item, test_keys(), now_unix);
}

TEST_SUITE("door/proof") {
  TEST_CASE("a proof made by hand with another implementation is accepted") {
    // python3: base64.urlsafe_b64encode(hmac.digest(b'\x01'*32, b'v1.dTE.ticket.1796090460.k1', 'sha256'))
    const std::string proof =
        "v1.dTE.ticket.1796090460.k1.PFJYc66gx4S-pk5CBLHufHlE6kJF1NtNcK0nQ2YD1xo";
    CHECK(mint("u1", "ticket") == proof);
    CHECK(is_good(proof));
  }

  TEST_CASE("a proof is worth nothing to another user or for another item or later") {
    const std::string proof = mint("u1", "ticket");
    CHECK_FALSE(is_good(proof, "u2"));
    CHECK_FALSE(is_good(proof, "U1"));
    CHECK_FALSE(is_good(proof, "u1", "ticket2"));
    CHECK_FALSE(is_good(proof, "u1", "ticke"));
    CHECK_FALSE(is_good(proof, "u1", ""));
    CHECK(is_good(proof, "u1", "ticket", kNow + 59));
    CHECK_FALSE(is_good(proof, "u1", "ticket", kNow + 60));
  }

  TEST_CASE("dots of a code say nothing but the code") {
    for (const char* item : {"a.b", "a.5", "a.1796090460", "...x", "a.", "1.2.3.k1"}) {
      CAPTURE(item);
      CHECK(is_good(mint("u1", item), "u1", item));
      for (const char* other : {"a", "a.b.c", "1", "1.2", "..."})
        CHECK_FALSE(is_good(mint("u1", item), "u1", other));
    }
  }

  TEST_CASE("each flipped bit of a proof is refused") {
    const std::string proof = mint("u1", "a.b");
    REQUIRE(is_good(proof, "u1", "a.b"));
    for (size_t bit = 0; bit < 8 * proof.size(); ++bit) {
      std::string flipped = proof;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      CAPTURE(bit);
      CHECK_FALSE(is_good(flipped, "u1", "a.b"));
    }
  }

  TEST_CASE("a proof that is cut or lengthened or lacks a character is refused") {
    const std::string proof = mint("u1", "ticket");
    for (size_t at = 0; at < proof.size(); ++at) {
      CHECK_FALSE(is_good(proof.substr(0, at)));
      CHECK_FALSE(is_good(proof.substr(0, at) + proof.substr(at + 1)));
    }
    for (const char* tail : {"A", "=", ".", " "}) CHECK_FALSE(is_good(proof + tail));
    CHECK_FALSE(is_good(std::string(1 << 20, '.')));
  }

  TEST_CASE("a proof names the key that must have signed it and no ticket is one") {
    CHECK(is_good(mint("u1", "ticket", kNow + 1, test_keys()[1])));
    CHECK_FALSE(is_good(mint("u1", "ticket", kNow + 1, Key("k3", secret_of(1)))));
    CHECK_FALSE(is_good(mint("u1", "ticket", kNow + 1, Key("k1", secret_of(2)))));
    std::array<char, kTicketBytesMax> room;
    CHECK_FALSE(is_good(mint_ticket("u1", kNow + 60, test_keys()[0], room)));
    CHECK_FALSE(is_good(""));
  }

  TEST_CASE("the longest proof fits its room exactly") {
    const Key key(std::string(bounds::key_id_bytes_max, 'k'), secret_of(3));
    const std::string user(bounds::user_bytes_max, 'u'), item(bounds::item_code_bytes_max, 'i');
    CHECK(mint(user, item, INT64_MAX, key).size() == kProofBytesMax);
  }

  TEST_CASE("a code is made of its product and the key") {
    // The first 22 characters of base64url(hmac.digest(b'\x01'*32, b'4711', 'sha256')).
    CHECK(opaque_code("4711", test_keys()[0]) == "nqvBQ2061hF9_-iUZJCpYR");
    CHECK(opaque_code("4711", test_keys()[1]) != opaque_code("4711", test_keys()[0]));
    CHECK(opaque_code("4712", test_keys()[0]) != opaque_code("4711", test_keys()[0]));
    CHECK(opaque_code("4711", test_keys()[0]).size() == kOpaqueCodeChars);
  }
}

}  // namespace
}  // namespace stampede::door
