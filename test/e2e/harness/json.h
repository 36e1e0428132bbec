// JSON as a value: what an answer says, for tests that ask it many questions. A member that is not
// there is a failed check and reads as null, so that a test goes on and tells everything that is
// wrong at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stampede::e2e {

class Json {
 public:
  // A text that is no JSON is a failed check and reads as null.
  static Json parse(std::string_view text);

  bool has(std::string_view key) const;
  const Json& operator[](std::string_view key) const;  // of an object
  const Json& at(size_t index) const;                  // of an array
  size_t size() const { return elements_.size(); }
  const std::vector<Json>& elements() const { return elements_; }

  bool is_null() const { return kind_ == Kind::null; }
  bool is_object() const { return kind_ == Kind::object; }
  bool is_array() const { return kind_ == Kind::array; }
  int64_t number() const;    // an integer, else a failed check and −1
  bool truth() const;        // a boolean, else a failed check and false
  std::string text() const;  // a string, else a failed check and ""

 private:
  friend struct JsonBuilder;
  enum class Kind { null, boolean, number, text, array, object };

  Kind kind_ = Kind::null;
  bool truth_ = false;
  int64_t number_ = 0;
  bool is_integer_ = false;
  std::string text_;
  std::vector<Json> elements_;
  std::vector<std::pair<std::string, Json>> members_;
};

// The text between quotation marks, with whatever JSON wants escaped.
std::string json_string(std::string_view text);

}  // namespace stampede::e2e
