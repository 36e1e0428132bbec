// A byte for each slot of an open-addressed table: 0 is a free slot, anything else is eight bits of its entry's hash.
//
// Nearly everybody who is looked up stands in no list. Such a stranger is told by these bytes alone, mostly by one, and the
// bytes of a long table lie in a cache that the table itself does not fit into: 256 KiB for 100,000 entries.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace stampede::door {

class SlotTags {
 public:
  SlotTags() = default;  // no slots
  // Room for so many entries, at most half full, so that a probe is short.
  explicit SlotTags(size_t entries) : tags_(entries == 0 ? 0 : std::bit_ceil(2 * entries)) {}

  size_t slots() const { return tags_.size(); }
  bool is_taken(size_t slot) const { return tags_[slot] != 0; }

  // The slot of the entry with this hash for which `is_it(slot)`; or else the free slot where it would be. There are slots.
  template <typename IsIt>
  size_t find(uint64_t hash, IsIt is_it) const {
    const size_t mask = tags_.size() - 1;
    size_t slot = hash & mask;
    for (; tags_[slot] != 0; slot = (slot + 1) & mask)
      if (tags_[slot] == tag_of(hash) && is_it(slot)) break;
    return slot;
  }
  void take(size_t slot, uint64_t hash) {
    CHECK(!is_taken(slot));
    tags_[slot] = tag_of(hash);
  }

 private:
  static uint8_t tag_of(uint64_t hash) {
    const auto tag = static_cast<uint8_t>(hash >> 56);
    return tag == 0 ? 1 : tag;
  }

  std::vector<uint8_t> tags_;  // none, or a power of two
};

}  // namespace stampede::door
