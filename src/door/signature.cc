#include "door/signature.h"

#include <algorithm>
#include <array>

#include "base/hex.h"
#include "door/unix_time.h"

namespace stampede::door {
namespace {

constexpr std::string_view kTimeMark = "t=";
constexpr std::string_view kMacMark = ",v1=";

std::array<std::string_view, 3> signed_parts(std::string_view time, std::string_view body) {
  return {time, ".", body};
}

// Unsigned, because the sender chooses one of them and may choose 2^63 - 1.
uint64_t distance(int64_t a, int64_t b) {
  return static_cast<uint64_t>(std::max(a, b)) - static_cast<uint64_t>(std::min(a, b));
}

}  // namespace

bool verify_signature(std::string_view header, std::string_view body, std::span<const Key> keys,
                      int64_t now_unix) {
  const size_t comma = header.find(',');
  if (!header.starts_with(kTimeMark) || comma == header.npos) return false;
  const std::string_view time = header.substr(0, comma).substr(kTimeMark.size());
  const std::string_view mac_part = header.substr(comma);
  const std::optional<int64_t> at_unix = parse_unix_time(time);
  Mac mac;
  if (!at_unix || !mac_part.starts_with(kMacMark) ||
      !parse_hex(mac_part.substr(kMacMark.size()), mac))
    return false;
  if (distance(*at_unix, now_unix) > bounds::signature_skew_s_max) return false;
  return std::any_of(keys.begin(), keys.end(),
                     [&](const Key& key) { return key.is_mac_of(signed_parts(time, body), mac); });
}

std::string make_signature(std::string_view body, int64_t at_unix, const Key& key) {
  CHECK(at_unix > 0);
  const std::string time = std::to_string(at_unix);
  const Mac mac = key.sign(signed_parts(time, body));
  std::string digits(2 * mac.size(), '0');
  render_hex(mac, digits);
  return std::string(kTimeMark) + time + std::string(kMacMark) + digits;
}

}  // namespace stampede::door
