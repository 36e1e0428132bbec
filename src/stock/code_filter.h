// A Bloom filter over the codes of a catalog: most codes that nobody sells are told from those that somebody does by a bit or
// two of a table that is forty times smaller than the catalog's own. For the walks of programs that try codes one after the other.
//
// It says "certainly not" or "perhaps"; behind a perhaps stands the exact table, so nothing rests on it but time. The bits of a
// code come from its keyed hash, whose secret is the data directory's: nobody can look for codes that pass.
//
// All bits of a code lie in one cache line, so a look costs one miss at most; the price is a seventh to a half more memory than
// bits that lie anywhere (Putze, Sanders, Singler 2007). It never becomes worse than its rate and is never built anew, which would hold up a
// shard for 100 ms at a million items: when it is full, a second layer of twice the size and half the rate is put beside it.
//
// One shard's; not shared between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/hash.h"

namespace stampede::stock {

class CodeFilter {
 public:
  // 0: no filter, every code may be one. Otherwise below 1. `items` are expected.
  CodeFilter(double false_positive_rate, size_t items);

  // Codes by their keyed hash.
  void add(uint64_t hash);
  [[nodiscard]] bool may_contain(uint64_t hash) const {
    if (layers_.empty()) return true;
    for (const Layer& layer : layers_)
      if (layer.may_contain(hash)) return true;
    return false;
  }

  [[nodiscard]] size_t bytes() const;

 private:
  static constexpr unsigned kBlockBits = 512;
  struct alignas(64) Block {
    uint64_t words[kBlockBits / 64] = {};
  };
  struct Layer {
    Layer(double rate, size_t items);
    size_t block_of(uint64_t hash) const {
      return static_cast<size_t>((static_cast<unsigned __int128>(hash) * blocks.size()) >> 64);
    }
    bool may_contain(uint64_t hash) const {
      const Block& block = blocks[block_of(hash)];
      uint64_t bits = mix(hash);  // nine for each probe
      bool has_all = true;
      for (unsigned i = 0; i < probes; ++i, bits >>= 9)
        has_all &= (block.words[bits % kBlockBits / 64] >> bits % 64 & 1) != 0;
      return has_all;
    }
    void add(uint64_t hash);

    double rate;
    size_t items_max, items = 0;
    unsigned probes;
    std::vector<Block> blocks;
  };
  std::vector<Layer> layers_;
};

}  // namespace stampede::stock
