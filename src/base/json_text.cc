#include "base/json_text.h"

#include <algorithm>

#include "base/printable.h"

namespace stampede {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The first string that runs into a control character (a newline, most often) or into the end; the
// end of the text when there is none. As simdjson does, it lets a backslash hide a quote anywhere.
const char* find_bad_string(std::string_view text) {
  const char* opened = nullptr;
  for (const char* at = text.begin(); at != text.end(); ++at) {
    if (opened != nullptr && static_cast<unsigned char>(*at) < 0x20) break;
    if (*at == '\\' && at + 1 != text.end())
      ++at;
    else if (*at == '"')
      opened = opened == nullptr ? at : nullptr;
  }
  return opened != nullptr ? opened : text.end();
}

// The first line that is not UTF-8; a newline never is a part of a longer sequence.
const char* find_bad_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!simdjson::validate_utf8(line)) break;
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return text.data();
}

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

}  // namespace

JsonText::JsonText(std::string_view text, std::string_view name)
    : name_(name), text_(without_mark(text)) {}

Error JsonText::error(const char* where, std::string_view field, std::string_view reason) const {
  const auto line = 1 + std::count(begin(), where, '\n');
  std::string message = name_ + ":" + std::to_string(line) + ": ";
  if (!field.empty()) message.append(field).append(": ");
  return {printable(message.append(reason))};
}

// An error that simdjson finds in its first pass, which knows no places.
Error JsonText::encoding_error(Code code) const {
  const std::string_view text = text_;
  switch (code) {
    case simdjson::EMPTY:
      return error(begin(), "", "it is empty");
    case simdjson::UTF8_ERROR:
      return error(find_bad_utf8(text), "", "not valid UTF-8");
    case simdjson::UNCLOSED_STRING:
    case simdjson::UNESCAPED_CHARS:
      return error(find_bad_string(text), "", "a string holds a control character or does not end");
    default:
      return error(begin(), "", simdjson::error_message(code));
  }
}

// An error that is found on the way through the values.
Error JsonText::structure_error(Code code) {
  if (code == simdjson::INCOMPLETE_ARRAY_OR_OBJECT)
    return error(end_of_content(), "", "not valid JSON: a closing bracket is missing");
  if (code == simdjson::INCORRECT_TYPE) return error(begin(), "", "expected an object");
  const char* where;
  if (document_.current_location().get(where) != simdjson::SUCCESS) where = end_of_content();
  return error(where, "", "not valid JSON: a comma, colon, bracket or key is missing or too many");
}

const char* JsonText::end_of_content() const {
  const std::string_view text = text_;
  const size_t last = text.find_last_not_of(kSpace);
  return begin() + (last == text.npos ? 0 : last);
}

Refusal read_integer(JsonText::Value value, int64_t low, int64_t high, int64_t& out) {
  if (value.get_int64().get(out) == simdjson::SUCCESS && out >= low && out <= high) return {};
  return "expected an integer from " + std::to_string(low) + " to " + std::to_string(high);
}

Refusal read_bool(JsonText::Value value, bool& out) {
  if (value.get_bool().get(out) == simdjson::SUCCESS) return {};
  return "expected true or false";
}

Refusal read_text(JsonText::Value value, std::string_view& out) {
  const simdjson::error_code code = value.get_string().get(out);
  if (code == simdjson::SUCCESS) return {};
  if (code == simdjson::STRING_ERROR) return "not a valid string: an escape is wrong";
  return "expected a string";
}

}  // namespace stampede
