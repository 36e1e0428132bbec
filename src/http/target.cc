#include "http/target.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

#include "http/bytes.h"

namespace stampede::http {
namespace {

enum class Plus : bool { plus, space };

bool is_escape(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' && is_a(text[1], kHex) && is_a(text[2], kHex);
}

bool is_well_formed(std::string_view text) {
  for (size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1))
    if (!is_escape(text.substr(at))) return false;
  return true;
}

// The well-formed text with its escapes resolved, in `room`; nothing when the room is too small.
std::optional<std::string_view> decode(std::string_view text, Plus plus, std::span<char> room) {
  size_t size = 0;
  for (; !text.empty(); text.remove_prefix(1)) {
    if (size == room.size()) return std::nullopt;
    char byte = text[0] == '+' && plus == Plus::space ? ' ' : text[0];
    if (byte == '%') {
      unsigned value = 0;
      std::from_chars(text.data() + 1, text.data() + 3, value, 16);
      byte = static_cast<char>(value);
      text.remove_prefix(2);
    }
    room[size++] = byte;
  }
  return std::string_view(room.data(), size);
}

}  // namespace

Segments::Segments(std::string_view path) {
  const bool has_escapes = path.find('%') != path.npos;
  is_malformed_ = has_escapes && !is_well_formed(path);
  if (is_malformed_) return;
  unsigned count = 0;
  for (const char *p = path.begin(), *const end = path.end(); p < end && *p == '/'; ++count) {
    if (count == kCountMax) return;
    const char* const first = ++p;
    p = std::find(p, end, '/');  // segments are short: quicker than memchr
    const std::string_view text(first, p);
    const bool is_encoded = has_escapes && text.find('%') != text.npos;
    texts_[count] = is_encoded ? decode(text, Plus::plus, decoded_[count]).value_or(text) : text;
  }
  count_ = count;
}

const char* find_parameter(std::string_view query, std::string_view name, Parameter& found) {
  char room[bounds::item_code_bytes_max];
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::string_view raw_name = pair.substr(0, pair.find('='));
    if (!is_well_formed(raw_name) || decode(raw_name, Plus::space, room) != name) continue;
    if (found.is_present) return "a parameter came twice";
    const std::string_view raw_value = pair.substr(std::min(raw_name.size() + 1, pair.size()));
    const auto value =
        is_well_formed(raw_value) ? decode(raw_value, Plus::space, room) : std::nullopt;
    if (!value) return "a parameter is malformed or too long";
    found = {true, *value};
  }
  return nullptr;
}

}  // namespace stampede::http
