// Why a server or a command ends before its work: the exit code that operators know, and one line that says what, where and
// what to do.
#pragma once

#include <optional>
#include <string>

#include "base/check.h"
#include "base/result.h"

namespace stampede::node {

struct Ending {
  int exit_code = 0;
  std::string message;
};

// nullopt: go on.
using MayEnd = std::optional<Ending>;

[[nodiscard]] inline Ending ending(int exit_code, std::string message) {
  return {.exit_code = exit_code, .message = std::move(message)};
}
[[nodiscard]] inline Ending ending(const Error& error, ExitCode otherwise = kExitFailure) {
  return {.exit_code = exit_code_of(error, otherwise), .message = error.message};
}

}  // namespace stampede::node
