#include "http/names.h"

#include <algorithm>
#include <cstring>

#include "http/bytes.h"

namespace stampede::http {
namespace {

template <typename Word>
Word fold(const char* token) {
  constexpr auto bits = static_cast<Word>(0x2020202020202020);
  Word word;
  std::memcpy(&word, token, sizeof word);
  return word | bits;
}

// True if a token is this name in any case; both of one size, 4 or more. Of a token's bytes only
// the two cases of a letter fold to that letter, and only "-" to "-": so whole words are compared,
// the last one overlapping the one before.
bool is_name(const char* token, std::string_view lower) {
  const size_t size = lower.size();
  const char* const name = lower.data();
  if (size < 8) {
    return fold<uint32_t>(token) == fold<uint32_t>(name) &&
           fold<uint32_t>(token + size - 4) == fold<uint32_t>(name + size - 4);
  }
  for (size_t at = 0; at + 8 < size; at += 8) {
    if (fold<uint64_t>(token + at) != fold<uint64_t>(name + at)) return false;
  }
  return fold<uint64_t>(token + size - 8) == fold<uint64_t>(name + size - 8);
}

}  // namespace

bool method_of(std::string_view name, Method& method) {
  struct Known {
    std::string_view name;
    Method method;
  };
  constexpr Known known[] = {
      {"POST", Method::post},   {"GET", Method::get},     {"HEAD", Method::head},
      {"PUT", Method::put},     {"DELETE", Method::del},  {"OPTIONS", Method::options},
      {"PATCH", Method::other}, {"TRACE", Method::other},
  };
  for (const Known& candidate : known) {
    if (name == candidate.name) {
      method = candidate.method;
      return true;
    }
  }
  return false;
}

Field field_of(std::string_view name) {
  const auto is = [name](std::string_view lower, Field field) {
    return is_name(name.data(), lower) ? field : Field::other;
  };
  switch (name.size()) {
    case 4:
      return is("host", Field::host);
    case 6:
      return is("expect", Field::expect);
    case 9:
      return is("x-user-id", Field::user_id);
    case 10:
      return is("connection", Field::connection);
    case 12:
      return is("content-type", Field::content_type);
    case 13:
      return (name[0] | 0x20) == 'a' ? is("authorization", Field::authorization)
                                     : is("if-none-match", Field::if_none_match);
    case 14:
      return is("content-length", Field::content_length);
    case 15:
      return is("idempotency-key", Field::idempotency_key);
    case 17:
      return is("transfer-encoding", Field::transfer_encoding);
    case 18:
      return is("stampede-signature", Field::signature);
    default:
      return Field::other;
  }
}

bool is_authority(std::string_view text) {
  size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const size_t closing = text.find(']');
    if (closing == text.npos) return false;
    const auto is_address_byte = [](char byte) {
      return is_a(byte, kHex) || byte == ':' || byte == '.';
    };
    const std::string_view address = text.substr(1, closing - 1);
    if (address.empty() || !std::all_of(address.begin(), address.end(), is_address_byte))
      return false;
    host_end = closing + 1;
  } else if (text.find_first_of("[]") != text.npos) {
    return false;
  }
  host_end = std::min(host_end, text.size());
  const std::string_view port = text.substr(host_end);
  return host_end > 0 &&
         (port.empty() || (port[0] == ':' && port.size() <= 6 && all_are(port.substr(1), kDigit)));
}

}  // namespace stampede::http
