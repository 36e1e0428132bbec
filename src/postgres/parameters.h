// The values of $1, $2 … in a statement: numbers, texts, and whole columns as arrays.
//
// Everything travels in PostgreSQL's binary form. Nothing needs quoting then, numbers and times are
// not printed here and read again there, and a text arrives with the bytes it has: one that is no
// UTF-8, or that a zero byte would cut short in the text form, is for the server to refuse.
//
// One thread. Owns copies of all values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stampede::postgres {

// A timestamptz from milliseconds since 1970 UTC; what is outside 1970 … 9999 becomes the nearest
// inside, as in every other text of ours.
struct Timestamp {
  int64_t wall_ms = 0;
};

// Of pg_type: the types that we send.
enum class Type : uint32_t {
  int8 = 20,
  text = 25,
  text_array = 1009,
  int8_array = 1016,
  timestamptz = 1184,
  timestamptz_array = 1185,
};

class Parameters {
 public:
  Parameters& add(int64_t value);
  Parameters& add(std::string_view text);
  Parameters& add(Timestamp time);

  // An array with get(row) for each row: an integer, a Timestamp, a text, an optional text (NULL
  // when there is none), or a value whose view() is a text.
  template <typename Rows, typename Get>
  Parameters& add_column(const Rows& rows, Get get) {
    using Value = decltype(get(*rows.begin()));
    begin_array(array_of<Value>(), rows.size());
    for (const auto& row : rows) {
      const Value value = get(row);
      if constexpr (requires { value.view(); })
        append(value.view());
      else
        append(value);
    }
    return *this;
  }

  size_t size() const { return values_.size(); }
  const std::vector<uint32_t>& types() const { return types_; }
  const std::vector<std::string>& values() const { return values_; }

 private:
  template <typename Value>
  static constexpr Type array_of() {
    if constexpr (std::is_integral_v<Value>) return Type::int8_array;
    if constexpr (std::is_same_v<Value, Timestamp>) return Type::timestamptz_array;
    return Type::text_array;
  }

  void begin_value(Type type);
  void begin_array(Type type, size_t size);
  // An element of the last array: its length in front of its bytes.
  void append(int64_t value);
  void append(std::string_view text);
  void append(std::optional<std::string_view> text);
  void append(Timestamp time);

  std::vector<uint32_t> types_;
  std::vector<std::string> values_;
};

}  // namespace stampede::postgres
