#include "postgres/parameters.h"

#include <algorithm>

#include "base/check.h"
#include "base/time_text.h"

namespace stampede::postgres {
namespace {

// Of 2000-01-01 UTC, where PostgreSQL counts its microseconds from.
constexpr int64_t kEpochMs = 946'684'800'000;

template <typename Integer>
void put(std::string& bytes, Integer value) {
  for (int shift = 8 * (sizeof value - 1); shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
}

int64_t microseconds(Timestamp time) {
  return (std::clamp<int64_t>(time.wall_ms, 0, kTimeTextMax) - kEpochMs) * 1000;
}

Type element_of(Type array) {
  switch (array) {
    case Type::int8_array:
      return Type::int8;
    case Type::timestamptz_array:
      return Type::timestamptz;
    default:
      CHECK(array == Type::text_array);
      return Type::text;
  }
}

}  // namespace

void Parameters::begin_value(Type type) {
  types_.push_back(static_cast<uint32_t>(type));
  values_.emplace_back();
}

Parameters& Parameters::add(int64_t value) {
  begin_value(Type::int8);
  put(values_.back(), value);
  return *this;
}

Parameters& Parameters::add(std::string_view text) {
  begin_value(Type::text);
  values_.back() = text;
  return *this;
}

Parameters& Parameters::add(Timestamp time) {
  begin_value(Type::timestamptz);
  put(values_.back(), microseconds(time));
  return *this;
}

// As array_recv() in PostgreSQL's arrayfuncs.c reads it: dimensions, whether there are NULLs (only
// looked at, never relied on), the type of an element, then the size and the first index of the one
// dimension.
void Parameters::begin_array(Type type, size_t size) {
  begin_value(type);
  std::string& bytes = values_.back();
  bytes.reserve(20 + 24 * size);
  put(bytes, int32_t{1});
  put(bytes, int32_t{1});
  put(bytes, static_cast<uint32_t>(element_of(type)));
  put(bytes, static_cast<int32_t>(size));
  put(bytes, int32_t{1});
}

void Parameters::append(int64_t value) {
  put(values_.back(), int32_t{sizeof value});
  put(values_.back(), value);
}

void Parameters::append(std::string_view text) {
  put(values_.back(), static_cast<int32_t>(text.size()));
  values_.back() += text;
}

void Parameters::append(std::optional<std::string_view> text) {
  if (text)
    append(*text);
  else
    put(values_.back(), int32_t{-1});
}

void Parameters::append(Timestamp time) {
  append(microseconds(time));
}

}  // namespace stampede::postgres
