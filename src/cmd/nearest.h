// The name that was probably meant by a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace stampede::cmd {

// The one of `names` that is a few slips of the hand away (a letter more, less, wrong, or two swapped), or that `name` begins;
// empty when none is near.
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string> names);

// `; did you mean X?`, or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> names);

}  // namespace stampede::cmd
