#include "http/json_reader.h"

#include <emmintrin.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <tuple>

#include "base/check.h"
#include "http/bytes.h"

namespace stampede::http {
namespace {

// Four hexadecimal digits, which the grammar has found there.
uint32_t code_unit(const char* digits) {
  uint32_t unit = 0;
  std::from_chars(digits, digits + 4, unit, 16);
  return unit;
}

constexpr bool is_high_surrogate(uint32_t unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
constexpr bool is_low_surrogate(uint32_t unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

// A code point as UTF-8 (RFC 3629); the escape that it came from was longer.
char* write_utf8(uint32_t point, char* out) {
  const auto tail = [&](unsigned shift) {
    *out++ = static_cast<char>(0x80 | (point >> shift & 0x3f));
  };
  if (point < 0x80) {
    *out++ = static_cast<char>(point);
  } else if (point < 0x800) {
    *out++ = static_cast<char>(0xc0 | point >> 6);
    tail(0);
  } else if (point < 0x10000) {
    *out++ = static_cast<char>(0xe0 | point >> 12);
    tail(6);
    tail(0);
  } else {
    *out++ = static_cast<char>(0xf0 | point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

// What a text holds that most do not.
struct Oddities {
  bool is_ascii = true;
  bool has_backslash = false;
};

Oddities oddities_of(std::string_view text) {
  int high_bits = 0, backslashes = 0;
  const auto look = [&](const char* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    high_bits |= _mm_movemask_epi8(bytes);
    backslashes |= _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  };
  const char* p = text.data();
  const char* const end = p + text.size();
  for (; end - p >= 16; p += 16) look(p);
  if (p < end && text.size() >= 16) {
    look(end - 16);
    p = end;
  }
  for (; p < end; ++p) {
    high_bits |= *p & 0x80;
    backslashes |= *p == '\\';
  }
  return {.is_ascii = high_bits == 0, .has_backslash = backslashes != 0};
}

// Which of sixteen bytes may not stand as they are in a string, a bit for each.
unsigned ends_of_string(const char* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(controls, marks)));
}

// The first byte that may not stand as it is in a string, or `end`: links are long, so sixteen bytes are looked at together. The
// last bytes are looked at with those in front of them, which must be there from `begin` on.
const char* find_end_of_string(const char* p, const char* end, const char* begin) {
  for (; end - p >= 16; p += 16)
    if (const unsigned found = ends_of_string(p); found != 0) return p + __builtin_ctz(found);
  if (end - begin < 16) return end_of(p, end, kJsonText);
  const unsigned found = ends_of_string(end - 16) >> (16 - (end - p));
  return found == 0 ? end : p + __builtin_ctz(found);
}

char simple_escape(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return letter;  // a quote, a slash, a backslash
  }
}

}  // namespace

void JsonReader::start(std::string_view text) {
  begin_ = p_ = text.data();
  end_ = p_ + text.size();
  fault_ = nullptr;
  has_begun_ = false;
  const Oddities oddities = oddities_of(text);
  has_escapes_ = oddities.has_backslash;
  object_count_ = 0;
  key_count_ = decoded_bytes_ = 0;
  if (text.size() > bounds::body_bytes_max)
    refuse("the body is larger than 4 KiB");
  else if (!oddities.is_ascii && !simdjson::validate_utf8(text.data(), text.size()))
    refuse("the body is not valid UTF-8");
}

bool JsonReader::next(Member& member) {
  if (fault_ != nullptr) return false;
  if (!has_begun_) {
    if (!begin_object()) return false;
    skip_space();
    if (take('}')) return end_text();
  } else {
    skip_space();
    if (take('}')) return end_text();
    if (!take(',')) return refuse();
  }
  if (!key(0, member.key)) return false;
  skip_space();
  const char* const first = p_;
  if (!value(1)) return false;
  member.raw = {first, p_};
  return true;
}

bool JsonReader::refuse(const char* fault) {
  fault_ = fault;
  return false;
}

bool JsonReader::refuse() {
  return refuse("the body is not valid JSON");
}

void JsonReader::skip_space() {
  while (p_ < end_ && static_cast<uint8_t>(*p_) <= ' ' &&
         (*p_ == ' ' || *p_ == '\t' || *p_ == '\r' || *p_ == '\n'))
    ++p_;
}

bool JsonReader::take(char byte) {
  if (p_ == end_ || *p_ != byte) return false;
  ++p_;
  return true;
}

bool JsonReader::begin_object() {
  has_begun_ = true;
  object_count_ = 1;
  skip_space();
  if (take('{')) return true;
  if (!value(0)) return false;
  skip_space();
  return p_ == end_ ? refuse("the body is not a JSON object") : refuse();
}

bool JsonReader::end_text() {
  skip_space();
  if (p_ < end_) return refuse();
  if (has_key_twice()) return refuse("an object of the body has a key twice");
  return false;
}

// With the colon behind it.
bool JsonReader::key(uint32_t object, std::string_view& text) {
  std::string_view raw;
  skip_space();
  if (!string(raw)) return false;
  const std::optional<std::string_view> decoded = decode(raw);
  if (!decoded) return refuse();
  skip_space();
  if (!take(':')) return refuse();
  CHECK(key_count_ < kKeysMax);
  keys_[key_count_++] = {object, *decoded};
  text = *decoded;
  return true;
}

bool JsonReader::value(unsigned depth) {
  skip_space();
  if (p_ == end_) return refuse();
  std::string_view ignored;
  switch (*p_) {
    case '{':
      return object(depth + 1);
    case '[':
      return array(depth + 1);
    case '"':
      return string(ignored);
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return number();
  }
}

bool JsonReader::object(unsigned depth) {
  if (depth > bounds::json_depth_max) return refuse("the body is nested too deeply");
  const uint32_t object = object_count_++;
  ++p_;
  skip_space();
  if (take('}')) return true;
  do {
    std::string_view ignored;
    if (!key(object, ignored) || !value(depth)) return false;
    skip_space();
  } while (take(','));
  return take('}') || refuse();
}

bool JsonReader::array(unsigned depth) {
  if (depth > bounds::json_depth_max) return refuse("the body is nested too deeply");
  ++p_;
  skip_space();
  if (take(']')) return true;
  do {
    if (!value(depth)) return false;
    skip_space();
  } while (take(','));
  return take(']') || refuse();
}

// `raw` is what stands between the quotes.
bool JsonReader::string(std::string_view& raw) {
  if (!take('"')) return refuse();
  const char* const first = p_;
  while ((p_ = find_end_of_string(p_, end_, begin_)) < end_ && *p_ == '\\') {
    ++p_;
    if (!escape()) return false;
  }
  raw = {first, p_};
  return take('"') || refuse();
}

bool JsonReader::escape() {
  if (p_ == end_) return refuse();
  if (take('u')) {
    if (end_ - p_ < 4 || !all_are({p_, 4}, kHex)) return refuse();
    p_ += 4;
    return true;
  }
  constexpr std::string_view letters = "\"\\/bfnrt";
  return letters.find(*p_++) != letters.npos || refuse();
}

// RFC 8259 6.
bool JsonReader::number() {
  take('-');
  if (!take('0') && !digits()) return refuse();
  if (take('.') && !digits()) return refuse();
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    if (!digits()) return refuse();
  }
  return true;
}

bool JsonReader::digits() {
  const char* const first = p_;
  p_ = end_of(p_, end_, kDigit);
  return p_ > first;
}

bool JsonReader::word(std::string_view expected) {
  if (!std::string_view(p_, end_).starts_with(expected)) return refuse();
  p_ += expected.size();
  return true;
}

bool JsonReader::has_equal_pair(std::span<const Key> keys) {
  for (size_t i = 1; i < keys.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (keys[i].object == keys[j].object && keys[i].text == keys[j].text) return true;
  return false;
}

// Few are compared with each other. Sorted by object and text, equal ones of many are neighbours.
bool JsonReader::has_key_twice() {
  const std::span<Key> keys = std::span(keys_).first(key_count_);
  if (keys.size() <= kFewKeys) return has_equal_pair(keys);
  const auto place_of = [](const Key& key) { return std::tuple(key.object, key.text); };
  std::ranges::sort(keys, {}, place_of);
  return std::ranges::adjacent_find(keys, {}, place_of) != keys.end();
}

std::optional<std::string_view> JsonReader::resolve_escapes(std::string_view raw) {
  CHECK(raw.size() <= decoded_.size() - decoded_bytes_);
  char* const first = decoded_.data() + decoded_bytes_;
  char* out = first;
  for (const char* p = raw.data(); p < raw.data() + raw.size();) {
    if (*p != '\\') {
      *out++ = *p++;
    } else if (p[1] != 'u') {
      *out++ = simple_escape(p[1]);
      p += 2;
    } else {
      uint32_t point = code_unit(p + 2);
      p += 6;
      if (is_high_surrogate(point)) {
        const bool has_low = raw.data() + raw.size() - p >= 6 && p[0] == '\\' && p[1] == 'u';
        if (!has_low || !is_low_surrogate(code_unit(p + 2))) return std::nullopt;
        point = 0x10000 + ((point - 0xd800) << 10) + (code_unit(p + 2) - 0xdc00);
        p += 6;
      } else if (is_low_surrogate(point)) {
        return std::nullopt;
      }
      out = write_utf8(point, out);
    }
  }
  decoded_bytes_ += static_cast<size_t>(out - first);
  return std::string_view(first, out);
}

std::optional<std::string_view> JsonReader::text_of(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"') return std::nullopt;
  return decode(raw.substr(1, raw.size() - 2));
}

std::optional<int64_t> JsonReader::integer_of(std::string_view raw) {
  int64_t integer = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), integer);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return integer;
}

}  // namespace stampede::http
