#include "shard/reload.h"

#include <algorithm>

#include "base/words.h"
#include "bounds.h"

namespace stampede::shard {

std::string names_of(std::vector<std::string> askers) {
  if (askers.empty()) return {};
  std::ranges::sort(askers);
  askers.erase(std::ranges::unique(askers).begin(), askers.end());
  std::string names, longest = counted(askers.size(), "operator");
  for (size_t count = 1; count <= askers.size(); ++count) {
    names.append(count == 1 ? "" : ", ").append(askers[count - 1]);
    const size_t others = askers.size() - count;
    const std::string text = others == 0 ? names : names + " and " + counted(others, "other");
    if (text.size() <= bounds::admin_text_bytes_max) longest = text;
  }
  return longest;
}

bool ReloadSlot::need(KeyKinds kinds) {
  const std::lock_guard lock(mutex_);
  if (delivered_ && delivered_->keys && !lack_of(delivered_->keys.get(), kinds).empty())
    return false;
  keys_needed_ |= kinds;
  return true;
}

Delivery ReloadSlot::deliver(std::shared_ptr<const Reload> reload) {
  const std::lock_guard lock(mutex_);
  if (delivered_) return Delivery::full;
  if (reload->keys && !lack_of(reload->keys.get(), keys_needed_).empty())
    return Delivery::lacks_keys;
  delivered_ = std::move(reload);
  is_full_.store(true, std::memory_order_relaxed);
  return Delivery::done;
}

KeyKinds ReloadSlot::keys_needed() const {
  const std::lock_guard lock(mutex_);
  return keys_needed_;
}

}  // namespace stampede::shard
