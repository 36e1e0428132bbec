#include "door/proof.h"

#include "door/unix_time.h"

namespace stampede::door {
namespace {

// A part that may hold dots itself, and the dot behind it.
bool take_item(std::string_view& text, std::string_view item) {
  if (!text.starts_with(item)) return false;
  text.remove_prefix(item.size());
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool verify_proof(std::string_view proof, std::string_view user, std::string_view item,
                  std::span<const Key> keys, int64_t now_unix) {
  if (proof.size() > kProofBytesMax) return false;
  std::string_view rest = proof;
  if (take_part(rest) != kTokenVersion) return false;
  const std::optional<UserText> holder = decode_user(take_part(rest));
  if (!holder || holder->view() != user || !take_item(rest, item)) return false;
  const std::optional<int64_t> expires_unix = parse_unix_time(take_part(rest));
  const Key* key = find_key(keys, take_part(rest));
  if (!expires_unix || key == nullptr || !is_signed_by(*key, proof, rest)) return false;
  return now_unix < *expires_unix;
}

std::string_view mint_proof(std::string_view user, std::string_view item, int64_t expires_unix,
                            const Key& key, std::span<char, kProofBytesMax> out) {
  CHECK(expires_unix > 0);
  TokenWriter proof(out);
  proof.put(kTokenVersion);
  proof.put(".");
  proof.put_user(user);
  proof.put(".");
  proof.put(item);
  proof.put(".");
  proof.put(expires_unix);
  proof.put(".");
  proof.put(key.id());
  return proof.sign(key);
}

}  // namespace stampede::door
