// Codes that nobody can guess: a program that counts product numbers up finds no item by them.
//
// The code of a product is the first 22 characters of base64url(HMAC-SHA256(product)): 132 bits that only the holder of the
// key can compute, the same on every node.
#pragma once

#include <string>
#include <string_view>

#include "door/keys.h"

namespace stampede::door {

constexpr size_t kOpaqueCodeChars = 22;
static_assert(kOpaqueCodeChars <= bounds::item_code_bytes_max);

[[nodiscard]] std::string opaque_code(std::string_view product, const Key& key);

}  // namespace stampede::door
