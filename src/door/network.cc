#include "door/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"

namespace stampede::door {
namespace {

using Bytes = std::array<uint8_t, 16>;

constexpr unsigned kMappedBits = 96;  // in front of an IPv4 address that is mapped into IPv6
constexpr uint8_t kIpv4Bits = 32, kIpv6Bits = 64;
constexpr size_t kTextMax = INET6_ADDRSTRLEN;

uint64_t high_bits(unsigned length) {
  return length == 0 ? 0 : ~uint64_t{0} << (64 - length);
}

uint64_t bits_of(const uint8_t* bytes, unsigned count) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < count; ++i) bits |= uint64_t{bytes[i]} << (56 - 8 * i);
  return bits;
}

bool is_mapped(const Bytes& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t byte) { return byte == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

// Digits without a leading zero.
std::optional<unsigned> parse_length(std::string_view digits) {
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0') return std::nullopt;
  return length;
}

// `length`: as it was written; nothing: of an address.
std::optional<Network> made_of(uint64_t bits, bool is_ipv6, std::optional<unsigned> length) {
  const unsigned whole = is_ipv6 ? kIpv6Bits : kIpv4Bits;
  if (length.value_or(whole) > whole) return std::nullopt;
  Network network{bits, static_cast<uint8_t>(length.value_or(whole)), is_ipv6};
  const uint64_t kept = bits & high_bits(network.length);
  if (length && kept != bits) return std::nullopt;
  network.bits = kept;
  return network;
}

}  // namespace

Network Network::of_length(uint8_t shorter) const {
  CHECK(shorter <= length);
  return {bits & high_bits(shorter), shorter, is_ipv6};
}

std::optional<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  std::optional<unsigned> length;
  if (slash != text.npos) {
    length = parse_length(text.substr(slash + 1));
    if (!length) return std::nullopt;
  }
  const std::string address(text.substr(0, slash));
  if (address.size() >= kTextMax || address.find('\0') != address.npos) return std::nullopt;
  Bytes bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1)
    return made_of(bits_of(bytes.data(), 4), false, length);
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return std::nullopt;
  if (is_mapped(bytes)) {
    if (length && *length < kMappedBits) return std::nullopt;
    if (length) *length -= kMappedBits;
    return made_of(bits_of(bytes.data() + 12, 4), false, length);
  }
  // Behind a length nothing may stand; behind an address the rest of it does.
  if (length && std::any_of(bytes.begin() + 8, bytes.end(), [](uint8_t byte) { return byte != 0; }))
    return std::nullopt;
  return made_of(bits_of(bytes.data(), 8), true, length);
}

Network network_of(const Address& address) {
  const uint8_t* const bytes = address.bytes.data();
  return address.is_ipv4() ? Network{bits_of(bytes + 12, 4), kIpv4Bits, false}
                           : Network{bits_of(bytes, 8), kIpv6Bits, true};
}

std::string text_of(const Network& network) {
  Bytes bytes{};
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(network.bits >> (56 - 8 * i));
  char text[kTextMax];
  CHECK(inet_ntop(network.is_ipv6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text) !=
        nullptr);
  if (!network.is_ipv6 && network.length == kIpv4Bits) return text;
  return std::string(text) + '/' + std::to_string(network.length);
}

}  // namespace stampede::door
