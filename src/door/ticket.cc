#include "door/ticket.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/base64url.h"
#include "door/unix_time.h"

namespace stampede::door {
namespace {

constexpr std::string_view kVersion = "v1";

// What stands between two dots; the text is left with what follows the second one.
std::string_view take_part(std::string_view& text) {
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(std::min(dot + 1, text.size()));
  return part;
}

std::optional<UserText> decode_user(std::string_view text) {
  std::array<uint8_t, bounds::user_bytes_max> bytes;
  const std::optional<size_t> size = parse_base64url(text, bytes);
  if (!size) return std::nullopt;
  const std::string_view user(reinterpret_cast<const char*>(bytes.data()), *size);
  if (!is_user_id(user)) return std::nullopt;
  return user;
}

// Appends to a fixed room.
class Out {
 public:
  explicit Out(std::span<char> room) : room_(room) {}

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
  std::string_view view() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  size_t size_ = 0;
};

}  // namespace

bool is_user_id(std::string_view text) {
  const auto is_visible = [](char c) { return c >= 0x21 && c <= 0x7e; };
  return !text.empty() && text.size() <= bounds::user_bytes_max &&
         std::all_of(text.begin(), text.end(), is_visible);
}

std::optional<UserText> verify_ticket(std::string_view ticket, std::span<const Key> keys,
                                      int64_t now_unix) {
  if (ticket.size() > kTicketBytesMax) return std::nullopt;
  std::string_view rest = ticket;
  if (take_part(rest) != kVersion) return std::nullopt;
  const std::string_view user = take_part(rest);
  const std::optional<int64_t> expires_unix = parse_unix_time(take_part(rest));
  const Key* key = find_key(keys, take_part(rest));
  Mac mac;
  if (!expires_unix || key == nullptr || parse_base64url(rest, mac) != mac.size())
    return std::nullopt;
  // Up to the last dot; what follows it is the mac, which holds none.
  const std::array signed_parts = {ticket.substr(0, ticket.size() - rest.size() - 1)};
  if (!key->is_mac_of(signed_parts, mac) || now_unix >= *expires_unix) return std::nullopt;
  return decode_user(user);
}

std::string_view mint_ticket(std::string_view user, int64_t expires_unix, const Key& key,
                             std::span<char, kTicketBytesMax> out) {
  CHECK(is_user_id(user));
  CHECK(expires_unix > 0);
  Out ticket(out);
  ticket.put(kVersion);
  ticket.put(".");
  ticket.put_base64({reinterpret_cast<const uint8_t*>(user.data()), user.size()});
  ticket.put(".");
  ticket.put(expires_unix);
  ticket.put(".");
  ticket.put(key.id());
  const std::array signed_parts = {ticket.view()};
  const Mac mac = key.sign(signed_parts);
  ticket.put(".");
  ticket.put_base64(mac);
  return ticket.view();
}

}  // namespace stampede::door
