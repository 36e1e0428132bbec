#include "door/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace stampede::door {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// Groups of IPv4, and of ::/64 whose number would be 0, stand where IPv6 has multicast: nobody asks from there.
constexpr AddressGroup kIpv4Groups = 0xffff'ffff'0000'0000;
constexpr AddressGroup kZeroPrefixGroup = 0xffff'fffe'0000'0000;

uint64_t number_of(const uint8_t* bytes, unsigned count) {
  uint64_t number = 0;
  for (unsigned i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

// A number of at most 255 without leading zeros.
bool take_octet(std::string_view& text, uint8_t& octet) {
  unsigned number = 0;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (digits == 3 || (digits > 0 && number == 0)) return false;
    number = number * 10 + static_cast<unsigned>(text[digits] - '0');
  }
  octet = static_cast<uint8_t>(number);
  text.remove_prefix(digits);
  return digits > 0 && number <= 255;
}

// What inet_pton(3) takes, which wants a text of its own with a zero behind it: nearly every address of a buyer is such.
bool parse_ipv4(std::string_view text, std::array<uint8_t, 4>& four) {
  for (size_t i = 0; i < four.size(); ++i) {
    if (i > 0) {
      if (!text.starts_with('.')) return false;
      text.remove_prefix(1);
    }
    if (!take_octet(text, four[i])) return false;
  }
  return text.empty();
}

// Null bytes end a text for inet_pton(3), so none may stand in it.
bool parse_ipv6(std::string_view text, std::array<uint8_t, 16>& sixteen) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated || text.find('\0') != text.npos) return false;
  text.copy(terminated, text.size());
  return inet_pton(AF_INET6, terminated, sixteen.data()) == 1;
}

bool may_be_a_source(const Address& address) {
  if (!address.is_ipv4()) return address.is_known() && address.bytes[0] != 0xff;
  const uint8_t first = address.bytes[12];
  const bool is_multicast = first >= 224 && first < 240;
  return !is_multicast && number_of(&address.bytes[12], 4) != 0;
}

}  // namespace

bool Address::is_ipv4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

Address address_of_ipv4(const uint8_t* four) {
  Address address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  std::copy(four, four + 4, address.bytes.begin() + kMappedPrefix.size());
  return address;
}

Address address_of_ipv6(const uint8_t* sixteen) {
  Address address;
  std::copy(sixteen, sixteen + address.bytes.size(), address.bytes.begin());
  return address;
}

std::optional<Address> parse_address(std::string_view text) {
  std::array<uint8_t, 4> four;
  std::array<uint8_t, 16> sixteen;
  Address address;
  if (parse_ipv4(text, four))
    address = address_of_ipv4(four.data());
  else if (parse_ipv6(text, sixteen))
    address = address_of_ipv6(sixteen.data());
  return may_be_a_source(address) ? std::optional(address) : std::nullopt;
}

AddressGroup group_of(const Address& address) {
  if (address.is_ipv4()) return kIpv4Groups | number_of(&address.bytes[12], 4);
  if (!address.is_known()) return kNoGroup;
  const uint64_t prefix = number_of(address.bytes.data(), 8);
  return prefix == 0 ? kZeroPrefixGroup : prefix;
}

}  // namespace stampede::door
