#include "door/opaque_code.h"

#include <array>

#include "base/base64url.h"

namespace stampede::door {

std::string opaque_code(std::string_view product, const Key& key) {
  const std::string_view parts[] = {product};
  std::array<char, base64url_chars(kMacBytes)> text;
  render_base64url(key.sign(parts), text);
  return {text.data(), kOpaqueCodeChars};
}

}  // namespace stampede::door
