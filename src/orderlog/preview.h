// Records that are visited one after the other, each shown some records ahead of its visit: a visitor that applies them to a large
// state can prefetch the memory that the record will need.
#pragma once

#include <algorithm>
#include <vector>

#include "base/result.h"
#include "orderlog/record.h"

namespace stampede::orderlog {

constexpr size_t kPreviewRecords = 16;

// show(i) for each, and then visit(i), which is never more than kPreviewRecords behind; ends with the first visit that fails.
template <typename Show, typename Visit>
Status visit_with_preview(const std::vector<Record>& records, Show&& show, Visit&& visit) {
  size_t shown = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    for (; shown < std::min(i + kPreviewRecords, records.size()); ++shown) show(shown);
    if (Status visited = visit(i); !visited) return visited;
  }
  return Ok{};
}

}  // namespace stampede::orderlog
