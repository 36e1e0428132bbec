#include "stock/code_filter.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace stampede::stock {
namespace {

constexpr size_t kItemsMin = 1024;
constexpr unsigned kProbesMax = 7;  // nine bits each of one hash
constexpr double kBitsStep = 0.25;

// How many of the codes that were not added pass, when an item has so many bits. Items fall into blocks by chance (Poisson),
// and a block that has got more of them than others lets more through.
double rate_of(double bits_each, unsigned probes, double block_bits) {
  const double mean = block_bits / bits_each;
  double share = std::exp(-mean), rate = 0;  // of the blocks with so many items
  for (unsigned items = 0; items < 4 * mean + 40; ++items) {
    const double is_clear = std::pow(1 - 1 / block_bits, static_cast<double>(probes) * items);
    rate += share * std::pow(1 - is_clear, probes);
    share *= mean / (items + 1);
  }
  return rate;
}

unsigned probes_for(double rate) {
  return static_cast<unsigned>(
      std::clamp(std::round(std::log2(1 / rate)), 1.0, double{kProbesMax}));
}

size_t bits_for(double rate, unsigned probes, unsigned block_bits) {
  double bits = 1;
  while (bits < block_bits && rate_of(bits, probes, block_bits) > rate) bits += kBitsStep;
  return static_cast<size_t>(std::ceil(bits));
}

}  // namespace

// The first layer has half of the rate, the second a quarter, …: all together stay below it.
CodeFilter::CodeFilter(double false_positive_rate, size_t items) {
  CHECK(false_positive_rate < 1);
  if (false_positive_rate > 0)
    layers_.emplace_back(false_positive_rate / 2, std::max(items, kItemsMin));
}

CodeFilter::Layer::Layer(double layer_rate, size_t items_expected)
    : rate(layer_rate),
      items_max(items_expected),
      probes(probes_for(rate)),
      blocks(items_max * bits_for(rate, probes, kBlockBits) / kBlockBits + 1) {}

void CodeFilter::Layer::add(uint64_t hash) {
  ++items;
  Block& block = blocks[block_of(hash)];
  uint64_t bits = mix(hash);
  for (unsigned i = 0; i < probes; ++i, bits >>= 9)
    block.words[bits % kBlockBits / 64] |= uint64_t{1} << bits % 64;
}

void CodeFilter::add(uint64_t hash) {
  if (layers_.empty()) return;
  if (layers_.back().items == layers_.back().items_max)
    layers_.emplace_back(layers_.back().rate / 2, 2 * layers_.back().items_max);
  layers_.back().add(hash);
}

size_t CodeFilter::bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.blocks.size() * sizeof layer.blocks[0];
  return bytes;
}

}  // namespace stampede::stock
