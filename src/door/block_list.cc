#include "door/block_list.h"

#include <algorithm>
#include <bit>
#include <cstring>
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

// At most half full, so that a probe is short.
size_t slots_for(size_t entries) {
  return entries == 0 ? 0 : std::bit_ceil(2 * entries);
}

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
    : seed_(seed), users_(slots_for(users.size())), networks_(slots_for(networks.size())) {
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

void BlockList::add(const UserWord& user) {
  CHECK(user.user.size() <= bounds::user_bytes_max);
  CHECK(user.word != Word::none);
  if (word_on(user.user) != Word::none) return;
  const uint64_t hash = hash_of(user.user);
  const size_t mask = users_.size() - 1;
  size_t at = hash & mask;
  while (users_[at].text != 0) at = (at + 1) & mask;
  users_[at] = {static_cast<uint32_t>(texts_.size() + 1), static_cast<uint32_t>(hash >> 32)};
  texts_ += static_cast<char>(user.user.size());
  texts_ += static_cast<char>(user.word);
  texts_ += user.user;
  ++user_count_;
}

void BlockList::add(const NetworkWord& entry) {
  const Network& network = entry.network;
  CHECK(entry.word != Word::none);
  if (word_on_same(network) != Word::none) return;
  const size_t mask = networks_.size() - 1;
  size_t at = hash_of(network) & mask;
  while (networks_[at].word != Word::none) at = (at + 1) & mask;
  networks_[at] = {network.bits, network.length, network.is_ipv6, entry.word};
  std::vector<uint8_t>& lengths = lengths_[network.is_ipv6];
  if (std::ranges::find(lengths, network.length) == lengths.end())
    lengths.push_back(network.length);
  ++network_count_;
}

Word BlockList::word_on(std::string_view user) const {
  if (users_.empty()) return Word::none;
  const uint64_t hash = hash_of(user);
  const size_t mask = users_.size() - 1;
  for (size_t at = hash & mask; users_[at].text != 0; at = (at + 1) & mask) {
    if (users_[at].mark != static_cast<uint32_t>(hash >> 32)) continue;
    const char* const text = texts_.data() + users_[at].text - 1;
    if (std::string_view(text + kTextHead, static_cast<uint8_t>(text[0])) == user)
      return static_cast<Word>(text[1]);
  }
  return Word::none;
}

Word BlockList::word_on_same(const Network& network) const {
  if (networks_.empty()) return Word::none;
  const size_t mask = networks_.size() - 1;
  for (size_t at = hash_of(network) & mask; networks_[at].word != Word::none;
       at = (at + 1) & mask) {
    const NetworkSlot& slot = networks_[at];
    if (slot.bits == network.bits && slot.length == network.length &&
        slot.is_ipv6 == network.is_ipv6)
      return slot.word;
  }
  return Word::none;
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
  return users_.size() * sizeof(UserSlot) + texts_.capacity() +
         networks_.size() * sizeof(NetworkSlot);
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
