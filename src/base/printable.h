// Texts from outside (a file, a request) as a line for people: nothing in them may end the line or steer a terminal. The only
// place where such bytes are escaped.
#pragma once

#include <string>
#include <string_view>

namespace stampede {

// The text with each control character as \xNN: C0, DEL, and C1 in UTF-8 (U+0080 to U+009F, which some terminals
// obey too). Each byte that is no UTF-8 also, so that a line of JSON is one whatever it quotes; and each character of
// `escaped_too`, for a reader that means something by it.
[[nodiscard]] std::string printable(std::string_view text, std::string_view escaped_too = {});

// The same of all but visible ASCII and spaces, for what takes no other text.
[[nodiscard]] std::string printable_ascii(std::string_view text);

}  // namespace stampede
