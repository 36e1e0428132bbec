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
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != text.npos)
    return std::nullopt;
  text.copy(terminated, text.size());
  uint8_t bytes[16];
  Address address;
  if (inet_pton(AF_INET, terminated, bytes) == 1)
    address = address_of_ipv4(bytes);
  else if (inet_pton(AF_INET6, terminated, bytes) == 1)
    address = address_of_ipv6(bytes);
  return may_be_a_source(address) ? std::optional(address) : std::nullopt;
}

AddressGroup group_of(const Address& address) {
  if (address.is_ipv4()) return kIpv4Groups | number_of(&address.bytes[12], 4);
  if (!address.is_known()) return kNoGroup;
  const uint64_t prefix = number_of(address.bytes.data(), 8);
  return prefix == 0 ? kZeroPrefixGroup : prefix;
}

}  // namespace stampede::door
