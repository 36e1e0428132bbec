// The one line of a subcommand that fails, on stderr, and its exit code.
#pragma once

#include <string>

#include "base/check.h"
#include "base/result.h"
#include "cmd/flags.h"
#include "node/ending.h"

namespace stampede::cmd {

// `constexpr Fail fail("drain");` at the top of the subcommand's file, then `return fail(status.error());`.
class Fail {
 public:
  explicit constexpr Fail(const char* subcommand) : subcommand_(subcommand) {}

  int operator()(const std::string& message, int exit_code = kExitFailure) const {
    return end_with(subcommand_, exit_code, message);
  }
  int operator()(const Error& error, int exit_code = kExitFailure) const {
    return end_with(subcommand_, exit_code, error.message);
  }
  int operator()(const node::Ending& end) const {
    return end_with(subcommand_, end.exit_code, end.message);
  }

 private:
  const char* subcommand_;
};

}  // namespace stampede::cmd
