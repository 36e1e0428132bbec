// Who is blocked: the two lists, and how a file is read.
#include "door/block_list.h"

#include <doctest/doctest.h>

#include <random>
#include <unordered_set>

namespace stampede::door {
namespace {

Network net(std::string_view text) {
  return *parse_network(text);
}

SharedBlockList list(std::string_view text) {
  Result<BlockList> parsed = parse_block_list(text, "blocked", 7);
  REQUIRE(bool(parsed));
  return std::make_shared<const BlockList>(std::move(*parsed));
}

SharedBlockList words(const std::vector<UserWord>& users,
                      const std::vector<NetworkWord>& networks) {
  return std::make_shared<const BlockList>(users, networks, 3);
}

TEST_SUITE("door/block_list") {
  TEST_CASE("nobody is blocked without a list and by an empty one") {
    CHECK_FALSE(Blocked{}.has_user("alice"));
    CHECK_FALSE(Blocked{}.has_address(net("10.0.0.1")));
    const Blocked empty{list(""), words({}, {})};
    CHECK_FALSE(empty.has_user("alice"));
    CHECK_FALSE(empty.has_user(""));
    CHECK_FALSE(empty.has_address(net("10.0.0.1")));
  }

  TEST_CASE("a file names users and networks and nobody else is blocked") {
    const Blocked blocked{list("# bots\nuser alice\n\n  user\tbob \r\naddress 10.0.0.0/8\n"
                               "address 192.0.2.7\naddress 2001:db8::1\nuser alice"),
                          {}};
    for (const char* user : {"alice", "bob"}) CHECK(blocked.has_user(user));
    for (const char* user : {"Alice", "alic", "alice2", "carol", ""})
      CHECK_FALSE(blocked.has_user(user));
    for (const char* address :
         {"10.0.0.0", "10.255.255.255", "192.0.2.7", "2001:db8::ffff", "::ffff:192.0.2.7"})
      CHECK_MESSAGE(blocked.has_address(net(address)), address);
    for (const char* address : {"11.0.0.0", "192.0.2.8", "2001:db8:0:1::1", "::10.0.0.1", "::1"})
      CHECK_FALSE_MESSAGE(blocked.has_address(net(address)), address);
    CHECK(blocked.file->users() == 2);
    CHECK(blocked.file->networks() == 3);
  }

  TEST_CASE("a byte order mark in front of a file says nothing") {
    CHECK(Blocked{list("\xef\xbb\xbfuser alice\n"), {}}.has_user("alice"));
    CHECK(Blocked{list("\xef\xbb\xbf# bots\nuser alice\n"), {}}.has_user("alice"));
  }

  TEST_CASE("a network of all addresses is of one family") {
    CHECK(Blocked{list("address 0.0.0.0/0"), {}}.has_address(net("1.2.3.4")));
    CHECK_FALSE(Blocked{list("address 0.0.0.0/0"), {}}.has_address(net("::1")));
    CHECK_FALSE(Blocked{list("address ::/0"), {}}.has_address(net("1.2.3.4")));
  }

  TEST_CASE("a malformed line is named with its file and number") {
    for (const auto& [text, words] : {
             std::pair{"user a\nusr b\n", "blocked:2: expected `user ID` or `address IP[/LEN]`"},
             {"user", "blocked:1: expected user and an id"},
             {"user a b", "blocked:1: expected user and an id"},
             {"\n\naddress", "blocked:3: expected address and an IP"},
             {"address 10.0.0.1/8", "blocked:1: expected address and an IP"},
             {"alice", "blocked:1: expected `user ID`"},
             {"user a # a bot", "blocked:1: expected user and an id"},
         }) {
      const Result<BlockList> parsed = parse_block_list(text, "blocked", 1);
      REQUIRE(!parsed);
      CHECK_MESSAGE(parsed.error().message.starts_with(words), parsed.error().message);
    }
  }

  TEST_CASE("what operators say of a user stands over the file") {
    const Blocked blocked{list("user alice\nuser bob"),
                          words({{"alice", Word::exempt}, {"carol", Word::blocked}}, {})};
    CHECK_FALSE(blocked.has_user("alice"));
    CHECK(blocked.has_user("bob"));
    CHECK(blocked.has_user("carol"));
  }

  TEST_CASE("the longest network decides and of two alike the operator's") {
    const Blocked blocked{list("address 10.0.0.0/8\naddress 10.1.1.1\naddress 172.16.0.0/12"),
                          words({}, {{net("10.1.0.0/16"), Word::exempt},
                                     {net("10.1.2.0/24"), Word::blocked},
                                     {net("172.16.0.0/12"), Word::exempt},
                                     {net("10.0.0.0/7"), Word::exempt}})};
    CHECK(blocked.has_address(net("10.2.0.1")));        // the file's /8 over the operator's /7
    CHECK_FALSE(blocked.has_address(net("10.1.0.1")));  // the operator's /16 over the file's /8
    CHECK(blocked.has_address(net("10.1.2.1")));        // /24 over /16
    CHECK(blocked.has_address(net("10.1.1.1")));        // the file's address over the /16
    CHECK_FALSE(blocked.has_address(net("172.16.0.1")));
  }

  TEST_CASE("a long list holds what it was given and nothing else") {
    std::mt19937_64 random(11);
    std::vector<std::string> ids;
    std::unordered_set<uint64_t> bits;
    std::vector<UserWord> users;
    std::vector<NetworkWord> networks;
    for (int i = 0; i < 20'000; ++i) {
      ids.push_back("user-" + std::to_string(random() % 1'000'000));
      const uint64_t address = (random() % 1'000'000) << 32;
      bits.insert(address);
      networks.push_back({{.bits = address, .length = 32}});
    }
    for (const std::string& id : ids) users.push_back({id});
    const BlockList all(users, networks, random());
    const std::unordered_set<std::string> known(ids.begin(), ids.end());
    for (int i = 0; i < 1'000'000; i += 7) {
      const std::string id = "user-" + std::to_string(i);
      REQUIRE((all.word_on(id) == Word::blocked) == known.contains(id));
      const uint64_t address = uint64_t(i) << 32;
      REQUIRE((all.word_on(Network{.bits = address, .length = 32}).word == Word::blocked) ==
              bits.contains(address));
    }
    CHECK(all.users() == known.size());
    CHECK(all.networks() == bits.size());
    CHECK(all.bytes() <= 20'000 * (32 + 64 + 20));
  }
}

}  // namespace
}  // namespace stampede::door
