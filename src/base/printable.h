// Texts from outside (a file, a request) as a line for people: nothing in them may end the line or steer a terminal.
#pragma once

#include <string>
#include <string_view>

namespace stampede {

// The text with each control character as \xNN: C0, DEL, and C1 in UTF-8 (U+0080 to U+009F, which some terminals
// obey too). Each byte that is no UTF-8 also, so that a line of JSON is one whatever it quotes.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace stampede
