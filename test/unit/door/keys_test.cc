#include "door/keys.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "base/hex.h"

namespace stampede::door {
namespace {

const std::string kSecret1(64, '1');
const std::string kSecret2 = "ABCDEF0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789";

std::string error_of(const std::string& text) {
  const Result<Keys> parsed = parse_keys(text, "keys.json");
  return parsed ? "accepted" : parsed.error().message;
}

// A file with one entry, on its second line.
std::string file_with(const std::string& entry) {
  return "{\"tickets\":{\n" + entry + "}}";
}

TEST_SUITE("door/keys") {
  TEST_CASE("a key file names keys of three kinds in its order") {
    const auto parsed =
        parse_keys("{\"tickets\":{\"k2\":\"" + kSecret2 + "\",\"k1\":\"" + kSecret1 +
                       "\"},\n\"links\":{},\"payments\":{\"p_-9\":\"" + kSecret1 + "\"}}\n",
                   "keys.json");
    REQUIRE(parsed);
    REQUIRE(parsed->tickets.size() == 2);
    CHECK(parsed->tickets[0].id() == "k2");
    CHECK(parsed->tickets[1].id() == "k1");
    CHECK(parsed->links.empty());
    REQUIRE(parsed->payments.size() == 1);
    CHECK(parsed->payments[0].id() == "p_-9");
    CHECK(find_key(parsed->tickets, "k1") == &parsed->tickets[1]);
    CHECK(find_key(parsed->tickets, "p_-9") == nullptr);
    CHECK(find_key(parsed->links, "k1") == nullptr);
  }

  TEST_CASE("each kind has its own keys and no other's") {
    std::string text = "{";
    for (const char* kind : {"tickets", "links", "payments", "proofs", "codes"})
      text += (text.size() == 1 ? "\"" : ",\"") + std::string(kind) + "\":{\"of_" + kind + "\":\"" +
              kSecret1 + "\"}";
    const auto parsed = parse_keys(text + "}", "keys.json");
    REQUIRE(parsed);
    const auto only_id = [](const std::vector<Key>& keys) {
      REQUIRE(keys.size() == 1);
      return std::string(keys[0].id());
    };
    CHECK(only_id(parsed->tickets) == "of_tickets");
    CHECK(only_id(parsed->links) == "of_links");
    CHECK(only_id(parsed->payments) == "of_payments");
    CHECK(only_id(parsed->proofs) == "of_proofs");
    CHECK(only_id(parsed->codes) == "of_codes");
  }

  TEST_CASE("the newest key of a kind is the last one in the file") {
    const auto parsed = parse_keys(
        "{\"links\":{\"old\":\"" + kSecret1 + "\",\"new\":\"" + kSecret2 + "\"}}", "keys.json");
    REQUIRE(parsed);
    REQUIRE(newest(parsed->links) != nullptr);
    CHECK(newest(parsed->links)->id() == "new");
    CHECK(newest(parsed->codes) == nullptr);
  }

  TEST_CASE("a kind may be absent but a file without any key is refused") {
    CHECK(error_of("{\"payments\":{\"k1\":\"" + kSecret1 + "\"}}") == "accepted");
    CHECK(error_of("{}") == "keys.json:1: holds no key");
    CHECK(error_of("{\"tickets\":{},\"links\":{}}") == "keys.json:1: holds no key");
  }

  TEST_CASE("a key signs with HMAC-SHA256") {
    // From openssl dgst -sha256 -mac HMAC -macopt hexkey:…
    Secret secret;
    REQUIRE(parse_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", secret));
    const Key key("k1", secret);
    const std::array<std::string_view, 2> parts = {"what do ya want ", "for nothing?"};
    const std::array<std::string_view, 1> whole = {"what do ya want for nothing?"};
    std::string digits(2 * kMacBytes, '0');
    render_hex(key.sign(parts), digits);
    CHECK(digits == "099805f4ac310786968565c098db515cc50862b420ae31e20238312344bed36a");
    CHECK(key.sign(parts) == key.sign(whole));
    CHECK(key.is_mac_of(parts, key.sign(whole)));
    Mac wrong = key.sign(whole);
    wrong.back() ^= 1;
    CHECK_FALSE(key.is_mac_of(parts, wrong));
  }

  TEST_CASE("a wrong entry is refused with its line and name and without its secret") {
    const std::string hex =
        "keys.json:2: tickets.k1: expected a secret of 32 bytes as 64 hexadecimal digits";
    CHECK(error_of(file_with("\"k1\":\"" + kSecret1.substr(1) + "\"")) == hex);
    CHECK(error_of(file_with("\"k1\":\"" + kSecret1 + "1\"")) == hex);
    CHECK(error_of(file_with("\"k1\":\"" + kSecret1.substr(1) + "g\"")) == hex);
    CHECK(error_of(file_with("\"k1\":\"\"")) == hex);
    CHECK(error_of(file_with("\"k1\":null")) == hex);
    CHECK(error_of(file_with("\"k1\":17")) == hex);
    CHECK(error_of(file_with("\"k1\":[\"" + kSecret1 + "\"]")) == hex);
    CHECK(error_of(file_with("\"k1\":\"" + kSecret1 + "\",\n\"k1\":\"" + kSecret2 + "\"")) ==
          "keys.json:3: tickets.k1: is given twice");
  }

  TEST_CASE("a key's name is 1 to 32 letters or digits or _ or -") {
    const std::string entry = "\":\"" + kSecret1 + "\"";
    CHECK(error_of(file_with("\"" + std::string(32, 'k') + entry)) == "accepted");
    for (const std::string& name : {std::string(), std::string(33, 'k'), std::string("a.b"),
                                    std::string("a b"), std::string("é")}) {
      CAPTURE(name);
      CHECK(error_of(file_with("\"" + name + entry)) ==
            "keys.json:2: tickets." + name +
                ": a key's name is 1 to 32 characters of A-Z a-z 0-9 _ -");
    }
  }

  TEST_CASE("a kind has at most as many keys as the limit says") {
    std::string text = "{\"tickets\":{";
    for (unsigned i = 0; i <= bounds::keys_per_kind_max; ++i) {
      if (i == bounds::keys_per_kind_max) CHECK(error_of(text + "}}") == "accepted");
      text += (i == 0 ? "\n\"k" : ",\n\"k") + std::to_string(i) + "\":\"" + kSecret1 + "\"";
    }
    CHECK(error_of(text + "}}") == "keys.json:10: tickets.k8: more than 8 keys of one kind");
  }

  TEST_CASE("an unknown or repeated kind is refused") {
    CHECK(error_of("{\n\"ticket\":{}}") ==
          "keys.json:2: ticket: expected tickets, links, payments, proofs or codes");
    CHECK(error_of("{\"links\":{},\n\"links\":{}}") == "keys.json:2: links: is given twice");
    CHECK(error_of("{\n\n\"links\":[]}") == "keys.json:3: links: expected an object");
    CHECK(error_of("[]") == "keys.json:1: expected an object");
  }

  TEST_CASE("a key file cut at any byte is refused") {
    const std::string text =
        "{\"tickets\":{\"k1\":\"" + kSecret1 + "\"},\"payments\":{\"k1\":\"" + kSecret2 + "\"}}";
    REQUIRE(error_of(text) == "accepted");
    for (size_t size = 0; size < text.size(); ++size) {
      const std::string message = error_of(text.substr(0, size));
      CAPTURE(message);
      CHECK(message.starts_with("keys.json:"));
      CHECK(message.find(kSecret1) == message.npos);
    }
  }

  TEST_CASE("a new key file can be read and is never the same twice") {
    const std::string text = make_key_file();
    const auto parsed = parse_keys(text, "keys.json");
    REQUIRE(parsed);
    for (const auto* keys : {&parsed->tickets, &parsed->links, &parsed->payments}) {
      REQUIRE(keys->size() == 1);
      CHECK(keys->front().id() == "k1");
    }
    const std::array<std::string_view, 1> message = {"message"};
    CHECK(parsed->tickets[0].sign(message) != parsed->payments[0].sign(message));
    CHECK(make_key_file() != text);
  }

  TEST_CASE("a file that others may read is refused") {
    constexpr uid_t kRoot = 0, kService = 991;
    CHECK_FALSE(refuse_permissions(0100600, kService));
    CHECK_FALSE(refuse_permissions(0100400, kService));
    CHECK_FALSE(refuse_permissions(0100640, kRoot));
    CHECK_FALSE(refuse_permissions(0100440, kRoot));
    for (mode_t mode : {0604, 0644, 0602, 0601, 0660, 0666, 0777}) {
      CAPTURE(mode);
      CHECK(refuse_permissions(0100000 | mode, kRoot));
      CHECK(refuse_permissions(0100000 | mode, kService));
    }
    CHECK(refuse_permissions(0100640, kService));
  }
}

}  // namespace
}  // namespace stampede::door
