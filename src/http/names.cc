#include "http/names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "http/bytes.h"
#include "http/known_name.h"

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

// "[" IPv6address "]", RFC 3986 3.2.2.
bool is_ip_literal(std::string_view host) {
  char address[INET6_ADDRSTRLEN] = {};
  if (host.size() < 3 || host.size() - 2 >= sizeof address || !host.ends_with(']')) return false;
  host.copy(address, host.size() - 2, 1);
  in6_addr ignored;
  return inet_pton(AF_INET6, address, &ignored) == 1;
}

bool is_reg_name(std::string_view host) {
  for (size_t at = 0; at < host.size(); ++at) {
    if (host[at] == '[' || host[at] == ']') return false;
    if (host[at] == '%' && (host.size() - at < 3 || !all_are(host.substr(at + 1, 2), kHex)))
      return false;
  }
  return !host.empty();
}

}  // namespace

bool method_of(std::string_view name, Method& method) {
  struct Known {
    std::string_view name;
    Method method;
  };
  static constexpr Known known[] = {
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
  if (name.empty() || name.size() > detail::kFieldNameBytesMax) return Field::other;
  const auto& known = detail::kFieldsByPlace[detail::place_of_name(name.size(), name[0])];
  return known.lower.size() == name.size() && is_name(name.data(), known.lower) ? known.field
                                                                                : Field::other;
}

std::string_view host_of(std::string_view authority) {
  if (!authority.starts_with('[')) return authority.substr(0, authority.find(':'));
  return authority.substr(0, std::min(authority.find(']'), authority.size() - 1) + 1);
}

bool is_authority(std::string_view text) {
  const std::string_view host = host_of(text);
  const std::string_view port = text.substr(host.size());
  const bool is_host = host.starts_with('[') ? is_ip_literal(host) : is_reg_name(host);
  return is_host &&
         (port.empty() || (port[0] == ':' && port.size() <= 6 && all_are(port.substr(1), kDigit)));
}

}  // namespace stampede::http
