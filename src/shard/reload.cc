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

}  // namespace stampede::shard
