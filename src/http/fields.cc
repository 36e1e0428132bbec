#include "http/fields.h"

#include <algorithm>

#include "http/bytes.h"
#include "http/names.h"

namespace stampede::http {
namespace {

// The next entity-tag of a list, without its W/. Empty: none is left, or what follows is no tag. A comma may stand
// inside of a tag, so the list cannot be cut at commas.
std::string_view take_entity_tag(std::string_view& list) {
  const size_t first = std::min(list.find_first_not_of(", \t"), list.size());
  list.remove_prefix(first);
  if (list.starts_with("W/")) list.remove_prefix(2);
  if (!list.starts_with('"')) return {};
  const size_t size = list.find('"', 1) + 1;  // 0: there is no end
  const std::string_view tag = list.substr(0, size);
  list.remove_prefix(size);
  const std::string_view behind = list.substr(0, list.find_first_not_of(" \t"));
  const bool is_followed = behind.size() < list.size() && list[behind.size()] != ',';
  return is_followed ? std::string_view{} : tag;
}

bool lists_tag(std::string_view list, std::string_view entity_tag) {
  if (list == "*") return true;
  for (std::string_view tag; !(tag = take_entity_tag(list)).empty();)
    if (tag == entity_tag) return true;
  return false;
}

// The next of the lines that the parser has accepted.
bool take_line(std::string_view& lines, std::string_view& name, std::string_view& value) {
  if (lines.empty()) return false;
  const std::string_view line = lines.substr(0, lines.find('\r'));
  lines.remove_prefix(line.size() + 2);
  name = line.substr(0, line.find(':'));
  value = trim_spaces(line.substr(name.size() + 1));
  return true;
}

// A name holds no colon, so nothing but its whole name stands in front of one there.
bool is_line_of(std::string_view line, std::string_view lower_name) {
  return line.size() > lower_name.size() && line[lower_name.size()] == ':' &&
         equals_ignoring_case(line.substr(0, lower_name.size()), lower_name);
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer";
  const size_t token =
      std::min(authorization.find_first_not_of(' ', scheme.size()), authorization.size());
  if (token == scheme.size() ||
      !equals_ignoring_case(authorization.substr(0, scheme.size()), scheme))
    return {};
  return authorization.substr(token);
}

bool is_json(std::string_view content_type) {
  constexpr std::string_view kUsualSpelling = "application/json";
  return content_type == kUsualSpelling ||
         equals_ignoring_case(trim_spaces(content_type.substr(0, content_type.find(';'))),
                              kUsualSpelling);
}

bool is_unchanged(const Request& request, std::string_view entity_tag) {
  if (!request.has_if_none_match) return false;
  std::string_view lines = request.lines;
  for (std::string_view name, value; take_line(lines, name, value);)
    if (field_of(name) == Field::if_none_match && lists_tag(value, entity_tag)) return true;
  return false;
}

OnlyLine only_line(const Request& request, std::string_view lower_name) {
  OnlyLine found;
  for (std::string_view lines = request.lines; !lines.empty();) {
    const std::string_view line = lines.substr(0, lines.find('\r'));
    lines.remove_prefix(line.size() + 2);
    if (!is_line_of(line, lower_name)) continue;
    if (found.value.data() != nullptr) return {.value = found.value, .is_repeated = true};
    found.value = trim_spaces(line.substr(lower_name.size() + 1));
  }
  return found;
}

}  // namespace stampede::http
