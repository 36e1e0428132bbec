// One JSON text that has to be an object (RFC 8259), read strictly from its first byte to its last: its members one
// after the other, without a tree. Members that the caller does not know need nothing but the grammar, so a number of
// 28 digits, 1e999 or half a surrogate pair, which no type of ours can hold, does no harm inside of them.
//
// Refused: whatever is not the grammar, not UTF-8, nested deeper than bounds::json_depth_max, or any object with a key
// twice, also in another spelling ("\u0069tem"), because a body that two readers understand differently is a dispute
// about an order.
//
// Nothing is copied but texts with escapes. A typical body of 25 bytes takes some 100 ns, the worst (819 keys) 80 µs.
// No system call, no allocation; not shared between threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bounds.h"

namespace stampede::http {

class JsonReader {
 public:
  struct Member {
    std::string_view key;  // decoded
    std::string_view raw;  // the value as it stands in the text, without white space around it
  };

  // Begins a text, which must stay valid, as must this reader, while views of its members are used.
  void start(std::string_view text);

  // The next member. False at the end of the text, or at the first fault in it.
  [[nodiscard]] bool next(Member& member);
  // After next() has returned false: null, or what is wrong, a sentence for the client.
  [[nodiscard]] const char* fault() const { return fault_; }

  // What a value is; nothing when it is of another type, or not of the kind that is asked for.
  [[nodiscard]] std::optional<std::string_view> text_of(std::string_view raw);  // in valid Unicode
  [[nodiscard]] static std::optional<int64_t> integer_of(
      std::string_view raw);  // neither 1.0 nor 1e0

 private:
  struct Key {
    uint32_t object;
    std::string_view text;
  };
  // Keys are kept as they come, long before it is known that the text has an end. Each takes a bracket or comma in front of
  // it, a pair of quotes, a colon, and a byte of its value or its value's closing bracket: five bytes. Only the last key of an
  // object that is still open lacks the fifth, and at most json_depth_max objects are open.
  static constexpr size_t kKeysMax = (bounds::body_bytes_max + bounds::json_depth_max) / 5;
  static constexpr size_t kFewKeys = 8;

  bool refuse(const char* fault);
  bool refuse();
  void skip_space();
  bool take(char byte);
  bool begin_object();
  bool end_text();
  bool key(uint32_t object, std::string_view& text);
  bool value(unsigned depth);
  bool object(unsigned depth);
  bool array(unsigned depth);
  bool string(std::string_view& raw);
  bool escape();
  bool number();
  bool digits();
  bool word(std::string_view expected);
  static bool has_equal_pair(std::span<const Key> keys);
  bool has_key_twice();
  // The text between quotes, with its escapes resolved. Nothing for half a surrogate pair (RFC 8259 8.2).
  std::optional<std::string_view> decode(std::string_view raw) {
    return has_escapes_ && raw.find('\\') != raw.npos ? resolve_escapes(raw) : raw;
  }
  std::optional<std::string_view> resolve_escapes(std::string_view raw);

  const char* begin_ = nullptr;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  const char* fault_ = nullptr;
  bool has_begun_ = false;
  bool has_escapes_ = false;  // the text holds a backslash somewhere
  uint32_t object_count_ = 0;
  size_t key_count_ = 0;
  size_t decoded_bytes_ = 0;
  std::array<Key, kKeysMax> keys_;
  std::array<char, bounds::body_bytes_max>
      decoded_;  // texts that had escapes; never longer than they came
};

}  // namespace stampede::http
