#include "http/idempotency_key.h"

#include <sodium.h>

#include <array>

#include "base/base64url.h"
#include "http/bytes.h"

namespace stampede::http {
namespace {

using Digest = std::array<uint8_t, crypto_generichash_BYTES>;
static_assert(1 + base64url_chars(sizeof(Digest)) <= bounds::stored_key_bytes_max);

}  // namespace

std::optional<KeyText> carried_key(std::string_view text) {
  if (text.empty() || text.size() > bounds::key_bytes_max || !all_are(text, kVisible))
    return std::nullopt;
  if (text.size() <= bounds::stored_key_bytes_max) return KeyText(text);
  Digest digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  std::array<char, 1 + base64url_chars(sizeof(Digest))> carried = {' '};
  render_base64url(digest, std::span(carried).subspan(1));
  return KeyText(std::string_view(carried.data(), carried.size()));
}

}  // namespace stampede::http
