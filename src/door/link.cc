#include "door/link.h"

#include <array>

#include "door/unix_time.h"

namespace stampede::door {
namespace {

// `head`: the link up to the dot of its mac.
std::array<std::string_view, 6> signed_parts(std::string_view user, std::string_view item,
                                             std::string_view head) {
  return {"link ", user, " ", item, " ", head};
}

}  // namespace

bool verify_link(std::string_view link, std::string_view user, std::string_view item,
                 std::span<const Key> keys, int64_t now_unix) {
  if (link.size() > kLinkBytesMax) return false;
  std::string_view rest = link;
  if (take_part(rest) != kTokenVersion) return false;
  const std::optional<int64_t> expires_unix = parse_unix_time(take_part(rest));
  const Key* key = find_key(keys, take_part(rest));
  Mac mac;
  if (!expires_unix || key == nullptr || parse_base64url(rest, mac) != mac.size()) return false;
  if (!key->is_mac_of(signed_parts(user, item, link.substr(0, link.size() - rest.size() - 1)), mac))
    return false;
  if (now_unix >= *expires_unix) return false;
  return *expires_unix <= link_expiry(now_unix) + bounds::signature_skew_s_max;
}

std::string_view mint_link(std::string_view user, std::string_view item, int64_t expires_unix,
                           const Key& key, std::span<char, kLinkBytesMax> out) {
  CHECK(expires_unix > 0);
  TokenWriter link(out);
  link.put(kTokenVersion);
  link.put(".");
  link.put(expires_unix);
  link.put(".");
  link.put(key.id());
  const Mac mac = key.sign(signed_parts(user, item, link.view()));
  link.put(".");
  link.put_base64(mac);
  return link.view();
}

}  // namespace stampede::door
