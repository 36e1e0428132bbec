// JSON that people write (a catalog, a key file, an operator's body), read strictly: every
// complaint has its place.
//
//   catalog.json:7: items[2].price: expected an integer from 0 to 8796093022208
//
// simdjson parses, because a catalog of a million items has 200 MB; this adds lines and names. Its
// on-demand reader checks only the values that are asked for, so a reader must ask for every value or refuse
// its key. Included by the .cc files of readers, never by a header: simdjson costs a second of
// compiling.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stampede {

class JsonText {
 public:
  using Value = simdjson::ondemand::value;

  // `name` is put in front of complaints, as a file's name is. The text is copied: simdjson needs
  // room behind it. A byte order mark at its start is left out, because editors put it there.
  JsonText(std::string_view text, std::string_view name);
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;

  // Calls read(key, value, where) -> Status for each field of the object that the whole text has to
  // be; `where` is the field's place for error(). Ends at the first error, which is the result.
  template <typename Read>
  Status for_each_field(Read read);

  // The same for an object inside. `field` is its name in complaints, `where` its place.
  template <typename Read>
  Status for_each_field(Value value, const char* where, std::string_view field, Read read);

  // Calls read(value, where) -> Status for each element of an array inside.
  template <typename Read>
  Status for_each_element(Value value, const char* where, std::string_view field, Read read);

  const char* begin() const { return text_.data(); }

  // `name:line: field: reason`, without the field when it is empty. A control character that one of
  // them quotes is shown as \xNN: a text from outside must not move the cursor of a reader's terminal.
  Error error(const char* where, std::string_view field, std::string_view reason) const;

 private:
  using Code = simdjson::error_code;

  template <typename Read>
  Status read_fields(simdjson::ondemand::object& object, Read& read);
  Error encoding_error(Code code) const;
  Error structure_error(Code code);
  const char* end_of_content() const;

  std::string name_;
  simdjson::padded_string text_;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
};

// Readers of one value: why it is refused, or an empty text when `out` holds it.
using Refusal = std::string;
[[nodiscard]] Refusal read_integer(JsonText::Value value, int64_t low, int64_t high, int64_t& out);
[[nodiscard]] Refusal read_bool(JsonText::Value value, bool& out);
[[nodiscard]] Refusal read_text(JsonText::Value value,
                                std::string_view& out);  // holds as long as the JsonText

template <typename Read>
Status JsonText::for_each_field(Read read) {
  simdjson::ondemand::object object;
  if (Code code = parser_.iterate(text_).get(document_)) return encoding_error(code);
  if (Code code = document_.get_object().get(object)) return structure_error(code);
  if (Status status = read_fields(object, read); !status) return status;
  const char* rest;
  if (document_.current_location().get(rest) == simdjson::SUCCESS)
    return error(rest, "", "nothing may follow the object");
  return Ok{};
}

template <typename Read>
Status JsonText::for_each_field(Value value, const char* where, std::string_view field, Read read) {
  simdjson::ondemand::object object;
  const Code code = value.get_object().get(object);
  if (code == simdjson::INCORRECT_TYPE) return error(where, field, "expected an object");
  if (code) return structure_error(code);
  return read_fields(object, read);
}

template <typename Read>
Status JsonText::for_each_element(Value value, const char* where, std::string_view field,
                                  Read read) {
  simdjson::ondemand::array array;
  const Code code = value.get_array().get(array);
  if (code == simdjson::INCORRECT_TYPE) return error(where, field, "expected an array");
  if (code) return structure_error(code);
  for (auto result : array) {
    Value element;
    if (Code problem = std::move(result).get(element)) return structure_error(problem);
    if (Status status = read(element, element.raw_json_token().data()); !status) return status;
  }
  return Ok{};
}

template <typename Read>
Status JsonText::read_fields(simdjson::ondemand::object& object, Read& read) {
  for (auto result : object) {
    simdjson::ondemand::field field;
    std::string_view key;
    if (Code code = std::move(result).get(field)) return structure_error(code);
    const char* where = field.key().raw();
    if (Code code = field.unescaped_key().get(key)) return structure_error(code);
    if (Status status = read(key, field.value(), where); !status) return status;
  }
  return Ok{};
}

}  // namespace stampede
