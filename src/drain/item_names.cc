#include "drain/item_names.h"

#include "base/check.h"

namespace stampede::drain {

void ItemNames::set(ItemId item, std::string_view code) {
  CHECK(item < bounds::item_count_max);
  CHECK(!code.empty());
  std::lock_guard lock(mutex_);
  if (item >= codes_.size()) codes_.resize(item + 1);
  CHECK(codes_[item].empty() || codes_[item] == code);
  if (codes_[item].empty()) codes_[item] = code;
}

std::string_view ItemNames::code(ItemId item) const {
  std::lock_guard lock(mutex_);
  return item < codes_.size() ? std::string_view(codes_[item]) : std::string_view();
}

}  // namespace stampede::drain
