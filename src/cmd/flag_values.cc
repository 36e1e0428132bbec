// The values that a flag may have, and how they are written.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <type_traits>

#include "cmd/flags.h"

namespace stampede::cmd {
namespace {

template <typename Number>
std::string number_text(Number number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

// A whole number as 4,000,000.
std::string bound_text(double number) {
  if (number != std::floor(number) || std::abs(number) > 1e15) return number_text(number);
  std::string text = number_text(static_cast<int64_t>(number));
  const size_t digits_begin = text.starts_with('-') ? 1 : 0;
  for (size_t at = text.size(); at > digits_begin + 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

template <typename Number>
Error expected(const Flag& flag, const std::string& value) {
  std::string line = "expected a ";
  line += std::is_floating_point_v<Number> ? "number" : "whole number";
  if (const std::string bounds = bounds_text(flag); !bounds.empty())
    line += " from " + bounds;
  else if (std::is_unsigned_v<Number>)
    line += " from 0 on";
  return Error{line += ", not '" + value + "'"};
}

template <typename Number>
Status set_number(const Flag& flag, const std::string& value, Number& target) {
  Number number{};
  const char* const end = value.data() + value.size();
  const auto [at, problem] = std::from_chars(value.data(), end, number);
  if (problem != std::errc() || at != end || value.empty()) return expected<Number>(flag, value);
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(number)) return expected<Number>(flag, value);
  const auto size = static_cast<double>(number);
  if (flag.bounds && (size < flag.bounds->least || size > flag.bounds->most))
    return expected<Number>(flag, value);
  target = number;
  return Ok{};
}

// By kind of target.
struct Setter {
  const Flag& flag;
  const std::string& value;

  Status operator()(bool* target) const {
    const bool is_true = value == "true" || value == "yes";
    if (!is_true && value != "false" && value != "no")
      return Error{"expected true or false, not '" + value + "'"};
    *target = is_true;
    return Ok{};
  }
  // A flag that is left out is the way to say nothing: what is empty is a variable that nobody has set, and was to be a secret's
  // file or the database to ask.
  Status operator()(std::string* target) const {
    if (value.empty()) return Error{"expected a value"};
    *target = value;
    return Ok{};
  }
  Status operator()(std::vector<std::string>* target) const {
    if (value.empty()) return Error{"expected a value"};
    target->push_back(value);
    return Ok{};
  }
  template <typename Number>
  Status operator()(std::optional<Number>* target) const {
    return set_number(flag, value, target->emplace());
  }
  template <typename Number>
  Status operator()(Number* target) const {
    return set_number(flag, value, *target);
  }
};

struct Writer {
  std::string operator()(const bool* target) const { return *target ? "yes" : "no"; }
  std::string operator()(const std::string* target) const { return *target; }
  std::string operator()(const std::vector<std::string>* target) const {
    std::string text;
    for (const std::string& value : *target) text += (text.empty() ? "" : ", ") + value;
    return text;
  }
  template <typename Number>
  std::string operator()(const std::optional<Number>* target) const {
    return *target ? bound_text(static_cast<double>(**target)) : "";
  }
  template <typename Number>
  std::string operator()(const Number* target) const {
    return bound_text(static_cast<double>(*target));
  }
};

}  // namespace

Status set(const Flag& flag, const std::string& value) {
  if (!flag.choices.empty() &&
      std::find(flag.choices.begin(), flag.choices.end(), value) == flag.choices.end()) {
    std::string choices;
    for (const std::string& choice : flag.choices)
      choices += (choices.empty() ? "" : " or ") + choice;
    return Error{"expected " + choices + ", not '" + value + "'"};
  }
  if (flag.refuse != nullptr)
    if (const std::string reason = flag.refuse(value); !reason.empty())
      return Error{reason + ", not '" + value + "'"};
  return std::visit(Setter{flag, value}, flag.target);
}

void clear(const Flag& flag) {
  if (auto* const* target = std::get_if<std::vector<std::string>*>(&flag.target))
    (*target)->clear();
}

std::string value_text(const Flag& flag) {
  return std::visit(Writer(), flag.target);
}

std::string default_text(const Flag& flag) {
  if (!flag.absent.empty()) return flag.absent;
  if (!flag.takes_value()) return "";
  const std::string value = value_text(flag);
  const bool is_number = !value.empty() && value.find_first_not_of("0123456789.,") == value.npos;
  return value.empty() || is_number ? value : '`' + value + '`';
}

std::string bounds_text(const Flag& flag) {
  return flag.bounds ? bound_text(flag.bounds->least) + " to " + bound_text(flag.bounds->most) : "";
}

}  // namespace stampede::cmd
