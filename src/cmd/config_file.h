// A configuration file: flags without their dashes, a line each.
//
//   # for the sale of Friday
//   catalog = sale.json
//   allow-origin = https://shop.example
//   sandbox = yes
//
// A `#` begins a comment where a line begins. A value is the text behind the `=` without the spaces around it; it has no quotes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stampede::cmd {

struct ConfigLine {
  std::string key, value;
  std::string place;  // `FILE:LINE`
};

// The error names the line.
[[nodiscard]] Result<std::vector<ConfigLine>> parse_config(std::string_view text,
                                                           const std::string& path);

// The same of a file.
[[nodiscard]] Result<std::vector<ConfigLine>> read_config(const std::string& path);

}  // namespace stampede::cmd
