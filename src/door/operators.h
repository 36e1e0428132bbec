// Who may operate: the names and tokens of `--admin-token-file`. The name of the token that a request carries is the *who* of
// each change in the order log.
//
//   # one line a person or a program
//   alice  4f0c…
//   deploy 99ab…
//
// A file of one token and no name is the operator `operator`. Only digests are kept: a token is in no memory that could be
// printed. A value: the reader of a changed file swaps it whole.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "bounds.h"

namespace stampede::door {

class Operators {
 public:
  // The name of whoever reaches a listener that asks for no token.
  static constexpr std::string_view kLocal = "local";

  Operators() = default;  // no token is asked for

  // Empty lines and those that begin with # do not count. The error is `file:line: reason` and never shows a token.
  [[nodiscard]] static Result<Operators> parse(std::string_view text, std::string_view file_name);

  // Whose token it is; nothing: nobody's. Takes as long for each of them, right or wrong.
  [[nodiscard]] std::optional<std::string_view> name_of(std::string_view token) const;
  size_t count() const { return all_.size(); }

 private:
  using Digest = std::array<uint8_t, 32>;
  struct One {
    Text<bounds::key_id_bytes_max> name;
    Digest digest;
  };
  // Of equal length whatever was sent, so that comparing tells nothing about a token, not even its length.
  static Digest digest_of(std::string_view token);
  std::string add(std::string_view name, std::string_view token);

  std::vector<One> all_;
};
using SharedOperators = std::shared_ptr<const Operators>;

}  // namespace stampede::door
