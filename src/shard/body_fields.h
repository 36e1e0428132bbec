// Fields of an operator's body, each at most once and none unknown: a misspelt "delta" must not be a restock of nothing.
// For the .cc files of readers only, as base/json_text.h.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/json_text.h"

namespace stampede::shard {

// read(index of the name, value) -> what is wrong, or an empty text. `names` is a range of texts; `seen` gets one flag each.
template <typename Names, typename Read>
Status read_body(JsonText& json, const Names& names, std::vector<bool>& seen, Read read) {
  seen.assign(std::size(names), false);
  return json.for_each_field(
      [&](std::string_view key, JsonText::Value value, const char* where) -> Status {
        const size_t field = std::ranges::find(names, key) - std::begin(names);
        if (field == std::size(names)) return json.error(where, key, "unknown key");
        if (seen[field]) return json.error(where, key, "is given twice");
        seen[field] = true;
        if (Refusal refusal = read(field, value); !refusal.empty())
          return json.error(where, key, refusal);
        return Ok{};
      });
}

}  // namespace stampede::shard
