#include "door/ticket.h"

#include <algorithm>
#include <array>

#include "door/signed_text.h"
#include "door/unix_time.h"

namespace stampede::door {

bool is_user_id(std::string_view text) {
  const auto is_visible = [](char c) { return c >= 0x21 && c <= 0x7e; };
  return !text.empty() && text.size() <= bounds::user_bytes_max &&
         std::all_of(text.begin(), text.end(), is_visible);
}

std::optional<UserText> decode_user(std::string_view base64) {
  std::array<uint8_t, bounds::user_bytes_max> bytes;
  const std::optional<size_t> size = parse_base64url(base64, bytes);
  if (!size) return std::nullopt;
  const std::string_view user(reinterpret_cast<const char*>(bytes.data()), *size);
  if (!is_user_id(user)) return std::nullopt;
  return user;
}

std::optional<UserText> verify_ticket(std::string_view ticket, std::span<const Key> keys,
                                      int64_t now_unix) {
  if (ticket.size() > kTicketBytesMax) return std::nullopt;
  std::string_view rest = ticket;
  if (take_part(rest) != kTokenVersion) return std::nullopt;
  const std::string_view user = take_part(rest);
  const std::optional<int64_t> expires_unix = parse_unix_time(take_part(rest));
  const Key* key = find_key(keys, take_part(rest));
  if (!expires_unix || key == nullptr || !is_signed_by(*key, ticket, rest)) return std::nullopt;
  if (now_unix >= *expires_unix) return std::nullopt;
  return decode_user(user);
}

std::string_view mint_ticket(std::string_view user, int64_t expires_unix, const Key& key,
                             std::span<char, kTicketBytesMax> out) {
  CHECK(is_user_id(user));
  CHECK(expires_unix > 0);
  TokenWriter ticket(out);
  ticket.put(kTokenVersion);
  ticket.put(".");
  ticket.put_user(user);
  ticket.put(".");
  ticket.put(expires_unix);
  ticket.put(".");
  ticket.put(key.id());
  return ticket.sign(key);
}

}  // namespace stampede::door
