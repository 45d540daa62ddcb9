#include "views/store/key_filter.h"

namespace tidegate {
namespace {

// The high half picks the block, the low one the bits: 9 of its bits each.
size_t BlockOf(uint64_t hash, size_t blocks) {
  return static_cast<size_t>(((hash >> 32) * blocks) >> 32);
}

// Odd multiples of the low half, of which the highest bits count.
uint32_t Step(uint64_t hash) { return static_cast<uint32_t>(hash) | 1; }

}  // namespace

void KeyFilter::Add(uint64_t hash) {
  if (full_) return;
  if (layers_.empty() || layers_.back().room == 0) {
    if (layers_.size() == kMaxLayers) {
      full_ = true;
      layers_.clear();
      return;
    }
    size_t keys = first_layer_keys_;
    for (size_t i = 0; i < layers_.size(); ++i) keys *= kLayerGrowth;
    layers_.push_back(
        {std::vector<AlignedBlock>(keys * kBitsPerKey / 512), keys});
  }
  Layer& layer = layers_.back();
  --layer.room;
  Block& block = layer.blocks[BlockOf(hash, layer.blocks.size())].words;
  uint32_t bits = Step(hash);
  for (int i = 0; i < kBitsSet; ++i, bits *= 0x9e3779b1) {
    block[bits >> 29] |= uint64_t{1} << (bits >> 23 & 63);
  }
}

bool KeyFilter::MayContain(uint64_t hash) const {
  if (full_) return true;
  for (const Layer& layer : layers_) {
    const Block& block = layer.blocks[BlockOf(hash, layer.blocks.size())].words;
    uint32_t bits = Step(hash);
    bool all = true;
    for (int i = 0; i < kBitsSet && all; ++i, bits *= 0x9e3779b1) {
      all = (block[bits >> 29] >> (bits >> 23 & 63) & 1) != 0;
    }
    if (all) return true;
  }
  return false;
}

size_t KeyFilter::bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) {
    bytes += layer.blocks.capacity() * sizeof(AlignedBlock);
  }
  return bytes;
}

}  // namespace tidegate
