// What the values of header fields say that the parser has no need to understand: credentials, media types, entity
// tags. Each function reads one field by its grammar in RFC 9110.
//
// Pure: no system call, no clock, no allocation, any thread.
#pragma once

#include <string_view>

#include "http/parser.h"

namespace stampede::http {

// The token of `Bearer TOKEN`; empty for other schemes and for none. A scheme has any case and is followed by spaces
// (RFC 9110 11.1 and 11.4), not by tabs.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization);

// Whether a Content-Type is application/json, with whatever parameters.
[[nodiscard]] bool is_json(std::string_view content_type);

// Whether the client has what `entity_tag` names, by If-None-Match in all its lines: then the answer is 304. The
// comparison is the weak one (RFC 9110 13.1.2), and behind a malformed tag nothing matches: a full answer is never
// wrong. `entity_tag` is a strong one, with its quotes.
[[nodiscard]] bool is_unchanged(const Request& request, std::string_view entity_tag);

// What stands in the only line of this name, which is in lower case; a null view when there is none.
struct OnlyLine {
  std::string_view value;
  bool is_repeated = false;  // there is another: which one is meant is not known
};
[[nodiscard]] OnlyLine only_line(const Request& request, std::string_view lower_name);

}  // namespace stampede::http
