// What the tests of signed texts have in common: a moment, and two keys.
#pragma once

#include <cstdint>
#include <vector>

#include "door/keys.h"

namespace stampede::door {

constexpr int64_t kNow = 1'796'090'400;

inline Secret secret_of(uint8_t byte) {
  Secret secret;
  secret.fill(byte);
  return secret;
}

inline const std::vector<Key>& test_keys() {
  static const std::vector<Key> keys = {Key("k1", secret_of(1)), Key("next_key-2", secret_of(2))};
  return keys;
}

}  // namespace stampede::door
