#include "cmd/nearest.h"

#include <algorithm>
#include <vector>

namespace stampede::cmd {
namespace {

constexpr size_t kBytesMax = 64;  // longer ones are not names

// The number of slips between them: the distance of Damerau and Levenshtein, of neighbours that are swapped once.
size_t slips_between(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> slips(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) slips[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) slips[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool is_same = a[i - 1] == b[j - 1];
      slips[i][j] =
          std::min({slips[i - 1][j] + 1, slips[i][j - 1] + 1, slips[i - 1][j - 1] + !is_same});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        slips[i][j] = std::min(slips[i][j], slips[i - 2][j - 2] + 1);
    }
  }
  return slips[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> names) {
  if (name.empty() || name.size() > kBytesMax) return "";
  const std::string* found = nullptr;
  size_t least = std::max<size_t>(name.size() / 3, 1) + 1;
  for (const std::string& candidate : names) {
    const size_t slips = slips_between(name, candidate);
    if (slips >= least) continue;
    least = slips;
    found = &candidate;
  }
  for (const std::string& candidate : names)
    if (found == nullptr && name.size() >= 3 && candidate.starts_with(name)) found = &candidate;
  return found == nullptr ? "" : *found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> names) {
  const std::string meant = nearest(name, names);
  return meant.empty() ? "" : "; did you mean " + meant + "?";
}

}  // namespace stampede::cmd
