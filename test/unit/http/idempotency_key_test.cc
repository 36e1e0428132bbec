#include "http/idempotency_key.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace stampede::http {
namespace {

TEST_SUITE_BEGIN("http/idempotency_key");

TEST_CASE("a key of up to 64 bytes is carried as it is") {
  for (const std::string& key :
       {std::string("k"), std::string("0b5c2f5e-9c3a-4c55-8d6e-1f2a3b4c5d6e"), std::string("!\"~"),
        std::string(64, 'k')})
    CHECK(carried_key(key)->view() == key);
}

TEST_CASE("a longer key is carried as a digest that no client can send as a key") {
  // python3: base64.urlsafe_b64encode(hashlib.blake2b(b'k' * 65, digest_size=32).digest())
  CHECK(carried_key(std::string(65, 'k'))->view() ==
        " J6M6tfli6BuF7PtE5FcSgrY6W2b3Hc7h39Ue67zfjhg");
  for (size_t size = 65; size <= 255; ++size) {
    const std::optional<KeyText> key = carried_key(std::string(size, 'k'));
    REQUIRE(key);
    CHECK(key->view().size() == 44);
    CHECK(!carried_key(key->view()));
  }
}

TEST_CASE("long keys that differ in one byte anywhere are carried differently") {
  const std::string key(255, 'k');
  std::set<std::string> carried = {std::string(carried_key(key)->view())};
  for (size_t at = 0; at < key.size(); ++at) {
    std::string other = key;
    other[at] = 'l';
    CHECK(carried.emplace(carried_key(other)->view()).second);
  }
  for (size_t size = 65; size < 255; ++size)
    CHECK(carried.emplace(carried_key(key.substr(0, size))->view()).second);
}

TEST_CASE("what is not 1 to 255 bytes of visible ASCII is no key") {
  CHECK(!carried_key(""));
  CHECK(carried_key(std::string(255, '~')));
  CHECK(!carried_key(std::string(256, '~')));
  for (const char* text : {"a b", " a", "a\t", "a\x7f", "\xc3\xa9", "a\x01"}) {
    CHECK(!carried_key(text));
    CHECK(!carried_key(text + std::string(100, 'k')));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
