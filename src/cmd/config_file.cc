#include "cmd/config_file.h"

#include "base/input_file.h"
#include "base/trimmed.h"

namespace stampede::cmd {
namespace {

constexpr size_t kConfigBytesMax = size_t{1} << 20;
constexpr std::string_view kSpaces = " \t\r";

std::string_view without_spaces(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
}

// What else is in front of an `=` may be a secret, such as that of `ledger: redis://:password@host/?db=1`.
bool is_name(std::string_view key) {
  return !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == key.npos;
}

}  // namespace

Result<std::vector<ConfigLine>> parse_config(std::string_view text, const std::string& path) {
  std::vector<ConfigLine> lines;
  text = without_byte_order_mark(text);
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = without_spaces(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), text.find('\n')));
    if (!text.empty()) text.remove_prefix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const std::string place = path + ':' + std::to_string(number);
    const size_t equals = line.find('=');
    const std::string_view key = without_spaces(line.substr(0, equals));
    if (equals == line.npos || !is_name(key))
      return Error{place + ": expected `name = value`"};  // the line may hold a password
    const std::string_view value = without_spaces(line.substr(equals + 1));
    // It would end a path for the system, and not for us.
    if (value.find('\0') != value.npos)
      return Error{place + ": " + std::string(key) + ": expected text, not a NUL"};
    lines.push_back({std::string(key), std::string(value), place});
  }
  return lines;
}

Result<std::vector<ConfigLine>> read_config(const std::string& path) {
  const Result<std::string> text = read_file(path, kConfigBytesMax);
  if (!text) return Error{"--config: " + text.error().message};
  return parse_config(*text, path);
}

}  // namespace stampede::cmd
