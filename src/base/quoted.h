// Texts as JSON strings. Pure: any thread.
#pragma once

#include <string>
#include <string_view>

namespace stampede {

// Appends the text with its quotes. Only quotes, backslashes and control characters are escaped.
void append_quoted(std::string_view utf8, std::string& json);

}  // namespace stampede
