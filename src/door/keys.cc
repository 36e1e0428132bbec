#include "door/keys.h"

#include <sodium.h>

#include <algorithm>
#include <string>

#include "base/hex.h"
#include "base/json_text.h"

namespace stampede::door {
namespace {

struct Kind {
  std::string_view name;
  std::vector<Key> Keys::*keys;
};
constexpr Kind kKinds[] = {{"tickets", &Keys::tickets},
                           {"links", &Keys::links},
                           {"payments", &Keys::payments},
                           {"proofs", &Keys::proofs},
                           {"codes", &Keys::codes}};

bool is_key_id_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Why a key cannot join the others; an empty text when it did.
Refusal add_key(std::string_view id, JsonText::Value value, std::vector<Key>& keys) {
  if (!is_key_id(id)) return "a key's name is 1 to 32 characters of A-Z a-z 0-9 _ -";
  if (find_key(keys, id) != nullptr) return "is given twice";
  if (keys.size() == bounds::keys_per_kind_max)
    return "more than " + std::to_string(bounds::keys_per_kind_max) + " keys of one kind";
  std::string_view digits;
  Secret secret;
  if (!read_text(value, digits).empty() || !parse_hex(digits, secret))
    return "expected a secret of 32 bytes as 64 hexadecimal digits";
  keys.emplace_back(id, secret);
  return {};
}

Status read_kind(JsonText& json, const Kind& kind, JsonText::Value value, const char* where,
                 Keys& keys) {
  const auto read_key = [&](std::string_view id, JsonText::Value secret,
                            const char* key_where) -> Status {
    const Refusal refusal = add_key(id, secret, keys.*kind.keys);
    if (refusal.empty()) return Ok{};
    return json.error(key_where, std::string(kind.name) + "." + std::string(id), refusal);
  };
  return json.for_each_field(value, where, kind.name, read_key);
}

std::string random_hex_secret() {
  Secret secret;
  randombytes_buf(secret.data(), secret.size());
  std::string digits(2 * secret.size(), '0');
  render_hex(secret, digits);
  return digits;
}

}  // namespace

Key::Key(std::string_view id, const Secret& secret) : id_(id) {
  CHECK(is_key_id(id));
  hmac_sha256_set_key(&keyed_, secret.size(), secret.data());
}

Mac Key::sign(std::span<const std::string_view> parts) const {
  hmac_sha256_ctx state = keyed_;
  for (std::string_view part : parts)
    hmac_sha256_update(&state, part.size(), reinterpret_cast<const uint8_t*>(part.data()));
  Mac mac;
  hmac_sha256_digest(&state, mac.size(), mac.data());
  return mac;
}

bool Key::is_mac_of(std::span<const std::string_view> parts, const Mac& mac) const {
  return are_equal(sign(parts), mac);
}

bool are_equal(const Mac& a, const Mac& b) {
  static_assert(kMacBytes == crypto_verify_32_BYTES);
  return crypto_verify_32(a.data(), b.data()) == 0;
}

const Key* find_key(std::span<const Key> keys, std::string_view id) {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [id](const Key& key) { return key.id() == id; });
  return found == keys.end() ? nullptr : &*found;
}

bool is_key_id(std::string_view text) {
  return !text.empty() && text.size() <= bounds::key_id_bytes_max &&
         std::all_of(text.begin(), text.end(), is_key_id_char);
}

Result<Keys> parse_keys(std::string_view text, std::string_view file_name) {
  JsonText json(text, file_name);
  Keys keys;
  unsigned seen = 0;  // one bit a kind
  const Status status = json.for_each_field(
      [&](std::string_view name, JsonText::Value value, const char* where) -> Status {
        const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                       [name](const Kind& known) { return known.name == name; });
        if (kind == std::end(kKinds))
          return json.error(where, name, "expected tickets, links, payments, proofs or codes");
        const unsigned bit = 1u << (kind - std::begin(kKinds));
        if (seen & bit) return json.error(where, name, "is given twice");
        seen |= bit;
        return read_kind(json, *kind, value, where, keys);
      });
  if (!status) return status.error();
  const auto is_empty = [&](const Kind& kind) { return (keys.*kind.keys).empty(); };
  if (std::all_of(std::begin(kKinds), std::end(kKinds), is_empty))
    return json.error(json.begin(), "", "holds no key");
  return keys;
}

std::string make_key_file() {
  std::string text = "{";
  for (const Kind& kind : kKinds) {
    text += text.size() == 1 ? "\"" : ",\n \"";
    text.append(kind.name).append("\":{\"k1\":\"").append(random_hex_secret()).append("\"}");
  }
  return text + "}\n";
}

std::optional<std::string_view> refuse_permissions(mode_t mode, uid_t owner) {
  const mode_t allowed = owner == 0 ? 0740 : 0700;
  if ((mode & 0777 & ~allowed) == 0) return std::nullopt;
  return "others than its owner may read or change it: chmod 600 it (640 is accepted when root "
         "owns it)";
}

}  // namespace stampede::door
