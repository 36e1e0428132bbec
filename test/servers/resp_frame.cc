#include "resp_frame.h"

#include <charconv>

namespace stampede::servers {

std::optional<size_t> reply_length(std::string_view bytes) {
  size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) return std::nullopt;
  size_t length = line_end + 2;
  char type = bytes[0];
  int64_t number = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + line_end, number);

  bool is_bulk = type == '$' || type == '=' || type == '!';
  if (is_bulk && number >= 0) length += number + 2;

  bool is_aggregate = type == '*' || type == '~' || type == '>' || type == '%';
  int64_t element_count = is_aggregate ? (type == '%' ? 2 * number : number) : 0;
  for (int64_t i = 0; i < element_count && length <= bytes.size(); ++i) {
    std::optional<size_t> element = reply_length(bytes.substr(length));
    if (!element) return std::nullopt;
    length += *element;
  }
  return length <= bytes.size() ? std::optional(length) : std::nullopt;
}

}  // namespace stampede::servers
