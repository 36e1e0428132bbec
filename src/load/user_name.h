// The ids of a run's users: u<seed>-<number>. From an id in the database one can tell whose it is.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "order.h"

namespace stampede::load {

class UserNames {
 public:
  UserNames(uint64_t seed, uint64_t users)
      : prefix_("u" + std::to_string(seed) + "-"), users_(users) {}

  UserText name_of(uint64_t number) const {
    char text[bounds::user_bytes_max];
    char* end = std::copy(prefix_.begin(), prefix_.end(), text);
    end = std::to_chars(end, text + sizeof text, number).ptr;
    return UserText({text, end});
  }

  // The number of one of this run's users; nothing for anybody else.
  std::optional<uint64_t> number_of(std::string_view name) const {
    if (!name.starts_with(prefix_)) return std::nullopt;
    const char *begin = name.data() + prefix_.size(), *end = name.data() + name.size();
    uint64_t number = 0;
    auto [parsed, problem] = std::from_chars(begin, end, number);
    if (problem != std::errc() || parsed != end || number >= users_) return std::nullopt;
    if (end - begin > 1 && *begin == '0') return std::nullopt;  // u1-07 is not u1-7
    return number;
  }

 private:
  std::string prefix_;  // at most 22 bytes: the seed has 20 digits
  uint64_t users_;
};

}  // namespace stampede::load
