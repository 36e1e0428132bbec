#include "door/enrolment.h"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

namespace stampede::door {
namespace {

const HashKey kKey{1, 2, 3};

Result<UserSet> read(std::string_view text) {
  return UserSet::parse(text, "users.txt", kKey);
}

bool has(const UserSet& users, std::string_view user) {
  return users.contains(user, keyed_hash(kKey, user));
}

std::string error_of(std::string_view text) {
  const Result<UserSet> users = read(text);
  return users ? "accepted" : users.error().message;
}

TEST_SUITE("door/enrolment") {
  TEST_CASE("a list lets in its users and nobody else") {
    const auto users = read("alice\nbob@example.org\n#1\n");
    REQUIRE(users);
    CHECK(users->size() == 3);
    for (const char* user : {"alice", "bob@example.org", "#1"}) CHECK(has(*users, user));
    for (const char* user : {"Alice", "alic", "alicea", "", "bob", "\n", "#", "1"})
      CHECK_FALSE(has(*users, user));
  }

  TEST_CASE("empty lines and line ends of other systems and repeated users do no harm") {
    for (const char* text : {"a\nb",
                             "\xef\xbb\xbf"
                             "a\nb",
                             "a\r\nb\r\n", "\n\na\n\r\nb\n\n", "a\nb\na\nb\n"}) {
      CAPTURE(text);
      const auto users = read(text);
      REQUIRE(users);
      CHECK(users->size() == 2);
      CHECK((has(*users, "a") && has(*users, "b")));
    }
  }

  TEST_CASE("a malformed line is refused with its file and number") {
    const std::string why = ": expected a user id, 1 to 64 visible ASCII characters";
    CHECK(error_of("a\n\nb c\n") == "users.txt:3" + why);
    CHECK(error_of(" a") == "users.txt:1" + why);
    CHECK(error_of("a\n" + std::string(65, 'u')) == "users.txt:2" + why);
    CHECK(error_of("a\nb\xc3\xa9") == "users.txt:2" + why);
    CHECK(error_of(std::string_view("a\0b", 3)) == "users.txt:1" + why);
    CHECK(error_of(std::string(64, 'u')) == "accepted");
  }

  TEST_CASE("a list without a user is a mistake") {
    CHECK(error_of("") == "users.txt: holds no user");
    CHECK(error_of("\n\r\n") == "users.txt: holds no user");
  }

  TEST_CASE("a hundred thousand users are found and as many others are not") {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "user-" + std::to_string(2 * i) + "\n";
    const auto users = read(text);
    REQUIRE(users);
    CHECK(users->size() == 100'000);
    for (int i = 0; i < 200'000; ++i)
      REQUIRE(has(*users, "user-" + std::to_string(i)) == (i % 2 == 0));
    // What the header says of memory.
    CHECK(users->bytes() <= text.size() + 100'000 * 6);
  }

  TEST_CASE("a list lets in the same users as a plain set") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const auto name = [&] {
      return std::string(1 + random() % 2, static_cast<char>('a' + random() % 20)) +
             std::to_string(random() % 50);
    };
    for (int round = 0; round < 50; ++round) {
      std::set<std::string> known;
      std::string text;
      for (uint64_t lines = 1 + random() % 300; lines > 0; --lines)
        text += *known.insert(name()).first + "\n";
      const auto users = read(text);
      REQUIRE(users);
      CHECK(users->size() == known.size());
      for (int asked = 0; asked < 500; ++asked) {
        const std::string user = name();
        CHECK(has(*users, user) == known.contains(user));
      }
    }
  }

  TEST_CASE("a file that was not read lets nobody in") {
    Enrolments enrolments;
    enrolments.emplace("a.txt", std::make_shared<const UserSet>(std::move(*read("alice\n"))));
    const uint64_t hash = keyed_hash(kKey, "alice");
    CHECK(is_enrolled(enrolments, "a.txt", "alice", hash));
    CHECK_FALSE(is_enrolled(enrolments, "b.txt", "alice", hash));
    CHECK_FALSE(is_enrolled({}, "a.txt", "alice", hash));
  }
}

}  // namespace
}  // namespace stampede::door
