#include "door/signature.h"

#include <algorithm>
#include <array>

#include "base/hex.h"
#include "door/unix_time.h"

namespace stampede::door {
namespace {

constexpr std::string_view kTimeMark = "t=";
constexpr std::string_view kMacMark = "v1=";

std::array<std::string_view, 3> signed_parts(std::string_view time, std::string_view body) {
  return {time, ".", body};
}

// Unsigned, because the sender chooses one of them and may choose 2^63 - 1.
uint64_t distance(int64_t a, int64_t b) {
  return static_cast<uint64_t>(std::max(a, b)) - static_cast<uint64_t>(std::min(a, b));
}

// The header's value taken apart: the time, and a mac by each key that the sender signs with.
struct Signature {
  std::string_view time;
  std::array<Mac, bounds::keys_per_kind_max> macs;
  unsigned mac_count = 0;

  bool add_mac(std::string_view digits) {
    return mac_count < macs.size() && parse_hex(digits, macs[mac_count++]);
  }

  bool is_by(const Key& key, std::string_view body) const {
    const Mac expected = key.sign(signed_parts(time, body));
    return std::any_of(macs.begin(), macs.begin() + mac_count,
                       [&](const Mac& mac) { return are_equal(mac, expected); });
  }
};

std::string_view take_member(std::string_view& list) {
  const std::string_view member = list.substr(0, list.find(','));
  list.remove_prefix(std::min(member.size() + 1, list.size()));
  return member;
}

std::optional<Signature> parse_signature(std::string_view header) {
  const std::string_view first = take_member(header);
  if (!first.starts_with(kTimeMark)) return std::nullopt;
  Signature signature{.time = first.substr(kTimeMark.size())};
  while (!header.empty()) {
    const std::string_view member = take_member(header);
    if (member.starts_with(kTimeMark)) return std::nullopt;  // two times: which one is signed?
    if (member.starts_with(kMacMark) && !signature.add_mac(member.substr(kMacMark.size())))
      return std::nullopt;
  }
  return signature;
}

}  // namespace

bool verify_signature(std::string_view header, std::string_view body, std::span<const Key> keys,
                      int64_t now_unix) {
  const std::optional<Signature> signature = parse_signature(header);
  if (!signature) return false;
  const std::optional<int64_t> at_unix = parse_unix_time(signature->time);
  if (!at_unix || distance(*at_unix, now_unix) > bounds::signature_skew_s_max) return false;
  return std::any_of(keys.begin(), keys.end(),
                     [&](const Key& key) { return signature->is_by(key, body); });
}

std::string make_signature(std::string_view body, int64_t at_unix, const Key& key) {
  CHECK(at_unix > 0);
  const std::string time = std::to_string(at_unix);
  const Mac mac = key.sign(signed_parts(time, body));
  std::string digits(2 * mac.size(), '0');
  render_hex(mac, digits);
  return std::string(kTimeMark) + time + "," + std::string(kMacMark) + digits;
}

}  // namespace stampede::door
