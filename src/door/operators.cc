#include "door/operators.h"

#include <sodium.h>

#include <algorithm>

#include "base/trimmed.h"
#include "door/keys.h"

namespace stampede::door {
namespace {

constexpr std::string_view kNameless = "operator";

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Operators::Digest Operators::digest_of(std::string_view token) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(token.data()), token.size(), nullptr,
                     0);
  return digest;
}

// Why a line is refused, or an empty text.
std::string Operators::add(std::string_view name, std::string_view token) {
  if (!is_key_id(name)) return "an operator's name is 1 to 32 characters of A-Z a-z 0-9 _ -";
  if (name == kLocal) return "the name local is of those who need no token";
  if (token.size() < bounds::operator_token_bytes_min || !is_visible(token))
    return "expected a token of at least 16 characters, visible ASCII without blanks";
  if (all_.size() == bounds::operators_max)
    return "more than " + std::to_string(bounds::operators_max) + " operators";
  const Digest digest = digest_of(token);
  for (const One& one : all_) {
    if (one.name.view() == name) return "the name " + std::string(name) + " is given twice";
    if (one.digest == digest)
      return "the token of " + std::string(one.name.view()) + " is given twice";
  }
  all_.push_back({name, digest});
  return {};
}

Result<Operators> Operators::parse(std::string_view text, std::string_view file_name) {
  Operators operators;
  text = without_byte_order_mark(text);
  size_t number = 0, nameless = 0;
  const auto wrong = [&](size_t line, std::string_view reason) {
    return Error{std::string(file_name) + ':' + std::to_string(line) + ": " + std::string(reason)};
  };
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == text.npos ? "" : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (nameless != 0) return wrong(nameless, "a token without a name must be the only one");
    const size_t blank = line.find_first_of(kBlanks);
    if (blank == line.npos) nameless = number;
    if (nameless != 0 && operators.count() > 0)
      return wrong(number, "expected NAME TOKEN, as in the lines before");
    const std::string reason =
        nameless != 0 ? operators.add(kNameless, line)
                      : operators.add(line.substr(0, blank), trimmed(line.substr(blank)));
    if (!reason.empty()) return wrong(number, reason);
  }
  if (operators.count() == 0)
    return Error{std::string(file_name) + ": expected a token of at least 16 characters"};
  return operators;
}

std::optional<std::string_view> Operators::name_of(std::string_view token) const {
  const Digest digest = digest_of(token);
  const One* found = nullptr;
  for (const One& one : all_)
    if (sodium_memcmp(digest.data(), one.digest.data(), digest.size()) == 0) found = &one;
  if (found == nullptr) return std::nullopt;
  return found->name.view();
}

}  // namespace stampede::door
