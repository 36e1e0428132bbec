// JSON that people write (a catalog, a key file, an operator's body), read strictly: every complaint says where.
//
//   catalog.json:7: items[2].price: expected an integer from 0 to 8796093022208
//
// simdjson does the parsing (a catalog of a million items is some 200 MB); this adds lines, names and the discipline
// that every field is looked at by somebody who knows it. Only the .cc of a reader includes this.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stampede {

class JsonText {
 public:
  // `name` is what stands in front of complaints, such as the file's name. The text is copied: simdjson needs room
  // behind it.
  JsonText(std::string_view text, std::string_view name);
  JsonText(const JsonText&) = delete;

  // Calls read(key, value, where) for each field of the object that the whole text has to be; `where` is what error()
  // wants. Stops at the first Status that is an error and returns it; so do the two below.
  template <typename Read>
  Status for_each_field(Read read);
  // The same for a value inside, which has to be an object or an array; `field` is its name in complaints.
  template <typename Read>
  Status for_each_field(simdjson::ondemand::value& value, std::string_view field, Read read);
  // read(index, value, where)
  template <typename Read>
  Status for_each_element(simdjson::ondemand::value& value, std::string_view field, Read read);

  // `name:line: field: reason`; `where` points into the text.
  Error error(const char* where, std::string_view field, std::string_view reason) const;

  // Where the value stands in the text.
  const char* position_of(simdjson::ondemand::value& value) const;

 private:
  template <typename Read>
  Status read_fields(simdjson::ondemand::object object, Read read);
  Error syntax_error(simdjson::error_code code);
  Error error_at_line(size_t line, std::string_view reason) const;

  std::string name_;
  simdjson::padded_string text_;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  const char* last_seen_;  // the newest place that was read without a fault
};

// Readers of one value. Each returns why the value is refused, or an empty text when `out` holds it.
using Refusal = std::string;
[[nodiscard]] Refusal read_integer(simdjson::ondemand::value value, int64_t low, int64_t high, int64_t& out);
[[nodiscard]] Refusal read_bool(simdjson::ondemand::value value, bool& out);
// The view holds as long as the JsonText.
[[nodiscard]] Refusal read_text(simdjson::ondemand::value value, std::string_view& out);

}  // namespace stampede
