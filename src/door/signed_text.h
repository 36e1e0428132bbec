// What tickets, proofs and links are made of: texts of parts between dots, the last of which signs the others.
//
// One value has exactly one spelling, so that a token can be blocked by its text: numbers without leading zeros, base64url
// without padding and with zeros in its unused bits. No allocation.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "base/base64url.h"
#include "base/check.h"
#include "door/keys.h"
#include "order.h"

namespace stampede::door {

constexpr std::string_view kTokenVersion = "v1";
constexpr size_t kUnixTimeChars = 19;  // of 63 bits
constexpr size_t kMacChars = base64url_chars(kMacBytes);

// What stands in front of the next dot; the text is left with what follows it.
inline std::string_view take_part(std::string_view& text) {
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(std::min(dot + 1, text.size()));
  return part;
}

// Whether `rest`, the end of `token`, is the mac by this key over what stands before its dot. In constant time.
[[nodiscard]] inline bool is_signed_by(const Key& key, std::string_view token,
                                       std::string_view rest) {
  Mac mac;
  if (rest.size() >= token.size() || parse_base64url(rest, mac) != mac.size()) return false;
  const std::string_view parts[] = {token.substr(0, token.size() - rest.size() - 1)};
  return key.is_mac_of(parts, mac);
}

// A user id as tokens carry it.
[[nodiscard]] std::optional<UserText> decode_user(std::string_view base64);

// Appends to a fixed room, which is large enough.
class TokenWriter {
 public:
  explicit TokenWriter(std::span<char> room) : room_(room) {}

  void put(std::string_view text) {
    CHECK(text.size() <= room_.size() - size_);
    std::memcpy(room_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void put(int64_t number) {
    const auto [end, error] =
        std::to_chars(room_.data() + size_, room_.data() + room_.size(), number);
    CHECK(error == std::errc());
    size_ = end - room_.data();
  }
  void put_base64(std::span<const uint8_t> bytes) {
    const size_t chars = base64url_chars(bytes.size());
    CHECK(chars <= room_.size() - size_);
    render_base64url(bytes, room_.subspan(size_, chars));
    size_ += chars;
  }
  void put_user(std::string_view user) {
    put_base64({reinterpret_cast<const uint8_t*>(user.data()), user.size()});
  }
  // Ends the token with the mac over all that was put.
  std::string_view sign(const Key& key) {
    const std::string_view parts[] = {view()};
    const Mac mac = key.sign(parts);
    put(".");
    put_base64(mac);
    return view();
  }
  std::string_view view() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  size_t size_ = 0;
};

}  // namespace stampede::door
