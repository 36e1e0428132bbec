// A failure that the system survives: the cause in words, made once, carried to the place that can act on it.
//   Result<Catalog> parsed = parse_catalog(text);
//   if (!parsed) return parsed.error();
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace stampede {

struct Error {
  std::string message;  // one line, no newline: the fault, its place, the value that was expected
  // A stored file is not as it was written (changed, swapped, missing, unreadable): trying again does not help, and going
  // on could sell units that are sold. A command ends with kExitLogDamaged.
  bool is_damage = false;
};
[[nodiscard]] inline ExitCode exit_code_of(const Error& error, ExitCode otherwise = kExitFailure) {
  return error.is_damage ? kExitLogDamaged : otherwise;
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  T& operator*() {
    CHECK(std::holds_alternative<T>(state_));
    return std::get<T>(state_);
  }
  const T& operator*() const {
    CHECK(std::holds_alternative<T>(state_));
    return std::get<T>(state_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const Error& error() const {
    CHECK(std::holds_alternative<Error>(state_));
    return std::get<Error>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};
using Status = Result<Ok>;

}  // namespace stampede
