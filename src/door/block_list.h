// Who may not buy: users by their id, addresses by their network. Made once, never changed, and shared by all shards; a change
// makes a new one.
//
// Two lists are in force together: the file that the start was given, and what operators have said since. An operator's word
// is about one user or one network. It blocks, whatever the file says, or it exempts from what the file says. Of networks the
// longest that holds an address decides, so that one address may be let out of a blocked network; of two with the same length
// the operator's.
//
// A look costs a cache miss or two, however long the list is, and no allocation: users and networks stand in tables with
// open addressing, at most half full. A stranger is told by a byte a slot (slot_tags.h). Users: 5 bytes a slot with it, the texts
// behind each other (some 30 bytes a user in all); networks: 17 bytes a slot (some 50 bytes a network). Per address one probe for
// each length that occurs, the longest first.
// With a million entries of each kind, both lists: 0.1 µs for a user and 0.3 µs for an address (perf/block_list.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "door/network.h"
#include "door/slot_tags.h"

namespace stampede::door {

enum class Word : uint8_t { none, blocked, exempt };

struct UserWord {
  std::string_view user;
  Word word = Word::blocked;
};
struct NetworkWord {
  Network network;
  Word word = Word::blocked;
};

class BlockList {
 public:
  BlockList() = default;  // nobody
  // Of two words about one the first counts. `seed` is chance: whoever chose the ids must not know how they are spread.
  BlockList(const std::vector<UserWord>& users, const std::vector<NetworkWord>& networks,
            uint64_t seed);

  Word word_on(std::string_view user) const;
  // About the longest network that holds the address, and how long it is.
  struct Found {
    Word word = Word::none;
    uint8_t length = 0;
  };
  Found word_on(const Network& address) const;
  // About exactly this network.
  Word word_on_same(const Network& network) const;

  size_t users() const { return user_count_; }
  size_t networks() const { return network_count_; }
  size_t bytes() const;  // of memory

 private:
  struct NetworkSlot {
    uint64_t bits = 0;
    uint8_t length = 0;
    bool is_ipv6 = false;
    Word word = Word::none;
  };
  static_assert(sizeof(NetworkSlot) == 16);

  void add(const UserWord& user);
  void add(const NetworkWord& network);
  uint64_t hash_of(std::string_view user) const;
  uint64_t hash_of(const Network& network) const;
  size_t slot_of(std::string_view user, uint64_t hash) const;
  size_t slot_of(const Network& network, uint64_t hash) const;

  uint64_t seed_ = 0;
  size_t user_count_ = 0, network_count_ = 0;
  SlotTags user_tags_, network_tags_;
  std::vector<uint32_t> users_;  // where a user's text begins in texts_
  std::string texts_;            // one byte of length, one of the word, the id
  std::vector<NetworkSlot> networks_;
  std::vector<uint8_t> lengths_[2];  // that occur, of IPv4 and IPv6, the longest first
};
using SharedBlockList = std::shared_ptr<const BlockList>;

// Lines `user ID` and `address IP[/LEN]`; empty ones and those that begin with # do not count. The error is
// `file:line: reason`.
[[nodiscard]] Result<BlockList> parse_block_list(std::string_view text, std::string_view file_name,
                                                 uint64_t seed);

// Both lists together. Null: there is none.
struct Blocked {
  SharedBlockList file, operators;

  bool has_user(std::string_view user) const;
  bool has_address(const Network& address) const;
  bool has_address(const Address& address) const {
    return address.is_known() && has_address(network_of(address));
  }
  // Whether an address need be looked at.
  bool has_networks() const {
    return (file && file->networks() > 0) || (operators && operators->networks() > 0);
  }
  friend bool operator==(const Blocked&, const Blocked&) = default;
};

}  // namespace stampede::door
