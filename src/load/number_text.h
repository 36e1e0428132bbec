// Text by a pattern. Numbers for people: base/words.h.
#pragma once

#include <string>

namespace stampede::load {

[[nodiscard, gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

}  // namespace stampede::load
