#include "base/hash.h"

#include <sodium.h>
#include <xxhash.h>

#include <cstring>

namespace stampede {

static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<HashKey>);
static_assert(crypto_shorthash_BYTES == sizeof(uint64_t));

uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t keyed_hash(const HashKey& key, std::string_view text) {
  uint64_t hash;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  return hash;
}

}  // namespace stampede
