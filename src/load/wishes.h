// Which of the plan's wishes a user has. It depends on nothing but the user's number, so that a repeated request asks for the
// same, and the proof can tell each order from its user.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.h"
#include "load/plan.h"

namespace stampede::load {

class Wishes {
 public:
  explicit Wishes(const Plan& plan) : plan_(plan) {
    double sum = 0;
    for (const Wish& wish : plan.wishes) ends_.push_back(sum += wish.weight);
  }

  size_t index_of(uint64_t user_number) const {
    if (ends_.size() == 1) return 0;
    const uint64_t dice = mix(mix(plan_.first_user + user_number) + plan_.seed);
    const double at = static_cast<double>(dice >> 11) * 0x1p-53 * ends_.back();
    const auto end = std::upper_bound(ends_.begin(), ends_.end() - 1, at);
    return static_cast<size_t>(end - ends_.begin());
  }
  const Wish& of(uint64_t user_number) const { return plan_.wishes[index_of(user_number)]; }

  // Each item once, in the plan's order.
  std::vector<std::string> items() const {
    std::vector<std::string> items;
    for (const Wish& wish : plan_.wishes)
      if (std::find(items.begin(), items.end(), wish.item) == items.end())
        items.push_back(wish.item);
    return items;
  }

 private:
  const Plan& plan_;
  std::vector<double> ends_;  // of each wish's part of all weights
};

}  // namespace stampede::load
