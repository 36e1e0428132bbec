// The ids of a run's users: u<seed>-<number>, numbered from the plan's first user on. An id in the database shows
// whose it is, also among runs of several machines that are one crowd.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "load/plan.h"

namespace stampede::load {

class UserNames {
 public:
  explicit UserNames(const Plan& plan)
      : prefix_("u" + std::to_string(plan.seed) + "-"),
        first_(plan.first_user),
        users_(plan.users) {}

  UserText name_of(uint64_t number) const {
    char text[bounds::user_bytes_max];
    char* end = std::copy(prefix_.begin(), prefix_.end(), text);
    end = std::to_chars(end, text + sizeof text, first_ + number).ptr;
    return UserText({text, end});
  }

  // The number of one of this run's users; nothing for any other user.
  std::optional<uint64_t> number_of(std::string_view name) const {
    if (!name.starts_with(prefix_)) return std::nullopt;
    const char *begin = name.data() + prefix_.size(), *end = name.data() + name.size();
    uint64_t number = 0;
    auto [parsed, problem] = std::from_chars(begin, end, number);
    if (problem != std::errc() || parsed != end || number - first_ >= users_) return std::nullopt;
    if (end - begin > 1 && *begin == '0') return std::nullopt;  // u1-07 is not u1-7
    return number - first_;
  }

 private:
  std::string prefix_;  // at most 22 bytes: the seed has 20 digits
  uint64_t first_, users_;
};

}  // namespace stampede::load
