// Two hashes, each with one use.
//   checksum(): XXH3-64, for bytes that we wrote ourselves (order log, snapshots).
//   keyed_hash(): SipHash-2-4 (libsodium's crypto_shorthash), for all that a client chooses: without the key no client can
//   aim many users or keys at one shard or one bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace stampede {

[[nodiscard]] uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed = 0);

using HashKey = std::array<uint8_t, 16>;
[[nodiscard]] uint64_t keyed_hash(const HashKey& key, std::string_view text);

// Spreads an integer that a client cannot choose freely (an order id, an index); the finaliser of MurmurHash3.
[[nodiscard]] constexpr uint64_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace stampede
