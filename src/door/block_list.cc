#include "door/block_list.h"

#include <algorithm>
#include <functional>
#include <span>

#include "base/check.h"
#include "base/hash.h"
#include "base/printable.h"
#include "base/trimmed.h"
#include "bounds.h"
#include "door/ticket.h"

namespace stampede::door {
namespace {

constexpr size_t kTextHead = 2;  // length and word

struct Words {
  std::vector<UserWord> users;
  std::vector<NetworkWord> networks;
};

// Why a line is refused, or an empty text.
std::string read_line(std::string_view line, Words& out) {
  const size_t space = line.find_first_of(" \t");
  const std::string_view kind = line.substr(0, space);
  const std::string_view who = space == line.npos ? "" : trimmed(line.substr(space));
  if (kind == "user") {
    if (!is_user_id(who)) return "expected user and an id of 1 to 64 visible ASCII characters";
    out.users.push_back({who});
  } else if (kind == "address") {
    const std::optional<Network> network = parse_network(who);
    if (!network)
      return "expected address and an IP or IP/LEN, for IPv6 at most /64, without bits behind it";
    out.networks.push_back({*network});
  } else {
    return "expected `user ID` or `address IP[/LEN]`, not '" + printable(line.substr(0, 80)) + "'";
  }
  if (out.users.size() + out.networks.size() > bounds::blocked_lines_max)
    return "more than " + std::to_string(bounds::blocked_lines_max) + " entries";
  return {};
}

}  // namespace

BlockList::BlockList(const std::vector<UserWord>& users, const std::vector<NetworkWord>& networks,
                     uint64_t seed)
    : seed_(seed),
      user_tags_(users.size()),
      network_tags_(networks.size()),
      users_(user_tags_.slots()),
      networks_(network_tags_.slots()) {
  size_t bytes = 0;
  for (const UserWord& user : users) bytes += kTextHead + user.user.size();
  CHECK(bytes < UINT32_MAX);
  texts_.reserve(bytes);
  for (const UserWord& user : users) add(user);
  for (const NetworkWord& network : networks) add(network);
  for (std::vector<uint8_t>& lengths : lengths_) std::ranges::sort(lengths, std::greater{});
}

uint64_t BlockList::hash_of(std::string_view user) const {
  return checksum(std::as_bytes(std::span(user)), seed_);
}

uint64_t BlockList::hash_of(const Network& network) const {
  return mix(network.bits ^ mix(seed_ + network.length * 2 + network.is_ipv6));
}

size_t BlockList::slot_of(std::string_view user, uint64_t hash) const {
  return user_tags_.find(hash, [&](size_t slot) {
    const char* const text = texts_.data() + users_[slot];
    return std::string_view(text + kTextHead, static_cast<uint8_t>(text[0])) == user;
  });
}

size_t BlockList::slot_of(const Network& network, uint64_t hash) const {
  return network_tags_.find(hash, [&](size_t at) {
    const NetworkSlot& slot = networks_[at];
    return slot.bits == network.bits && slot.length == network.length &&
           slot.is_ipv6 == network.is_ipv6;
  });
}

void BlockList::add(const UserWord& user) {
  CHECK(user.user.size() <= bounds::user_bytes_max);
  CHECK(user.word != Word::none);
  const uint64_t hash = hash_of(user.user);
  const size_t slot = slot_of(user.user, hash);
  if (user_tags_.is_taken(slot)) return;
  user_tags_.take(slot, hash);
  users_[slot] = static_cast<uint32_t>(texts_.size());
  texts_ += static_cast<char>(user.user.size());
  texts_ += static_cast<char>(user.word);
  texts_ += user.user;
  ++user_count_;
}

void BlockList::add(const NetworkWord& entry) {
  const Network& network = entry.network;
  CHECK(entry.word != Word::none);
  const uint64_t hash = hash_of(network);
  const size_t slot = slot_of(network, hash);
  if (network_tags_.is_taken(slot)) return;
  network_tags_.take(slot, hash);
  networks_[slot] = {network.bits, network.length, network.is_ipv6, entry.word};
  std::vector<uint8_t>& lengths = lengths_[network.is_ipv6];
  if (std::ranges::find(lengths, network.length) == lengths.end())
    lengths.push_back(network.length);
  ++network_count_;
}

Word BlockList::word_on(std::string_view user) const {
  if (users_.empty()) return Word::none;
  const size_t slot = slot_of(user, hash_of(user));
  return user_tags_.is_taken(slot) ? static_cast<Word>(texts_[users_[slot] + 1]) : Word::none;
}

Word BlockList::word_on_same(const Network& network) const {
  if (networks_.empty()) return Word::none;
  const size_t slot = slot_of(network, hash_of(network));
  return network_tags_.is_taken(slot) ? networks_[slot].word : Word::none;
}

BlockList::Found BlockList::word_on(const Network& address) const {
  for (const uint8_t length : lengths_[address.is_ipv6]) {
    if (length > address.length) continue;
    const Word word = word_on_same(address.of_length(length));
    if (word != Word::none) return {word, length};
  }
  return {};
}

size_t BlockList::bytes() const {
  return user_tags_.slots() * (1 + sizeof users_[0]) + texts_.capacity() +
         network_tags_.slots() * (1 + sizeof networks_[0]);
}

Result<BlockList> parse_block_list(std::string_view text, std::string_view file_name,
                                   uint64_t seed) {
  Words words;
  size_t number = 0;
  text = without_byte_order_mark(text);
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == text.npos ? "" : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (const std::string reason = read_line(line, words); !reason.empty())
      return Error{std::string(file_name) + ':' + std::to_string(number) + ": " + reason};
  }
  return BlockList(words.users, words.networks, seed);
}

bool Blocked::has_user(std::string_view user) const {
  if (operators)
    if (const Word word = operators->word_on(user); word != Word::none)
      return word == Word::blocked;
  return file && file->word_on(user) == Word::blocked;
}

bool Blocked::has_address(const Network& address) const {
  const BlockList::Found said = operators ? operators->word_on(address) : BlockList::Found{};
  const BlockList::Found listed = file ? file->word_on(address) : BlockList::Found{};
  const bool is_said =
      said.word != Word::none && (listed.word == Word::none || said.length >= listed.length);
  return (is_said ? said.word : listed.word) == Word::blocked;
}

}  // namespace stampede::door
