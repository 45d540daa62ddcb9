// Which keys may have been seen: a Bloom filter that grows.
#ifndef TIDEGATE_VIEWS_STORE_KEY_FILTER_H_
#define TIDEGATE_VIEWS_STORE_KEY_FILTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidegate {

// Says of a key that was never added that it was not, but for about one in a
// hundred; of one that was added, always that it may have been. A key touches
// one cache line a layer (after Putze, Sanders and Singler, "Cache-, Hash- and
// Space-Efficient Bloom Filters", 2007). Thread-compatible.
class KeyFilter {
 public:
  // The first layer, and by how much each is larger than the one before. What
  // does not fit into the last makes it useless, but not wrong.
  static constexpr size_t kFirstLayerKeys = size_t{1} << 19;
  static constexpr size_t kLayerGrowth = 8;
  static constexpr size_t kMaxLayers = 3;  // 37 M keys in 73 MiB
  static constexpr size_t kBitsPerKey = 16;

  explicit KeyFilter(size_t first_layer_keys = kFirstLayerKeys)
      : first_layer_keys_(first_layer_keys) {}

  // `hash` is of 64 good bits.
  void Add(uint64_t hash);
  bool MayContain(uint64_t hash) const;
  size_t bytes() const;

 private:
  static constexpr size_t kBlockWords = 8;  // a cache line
  static constexpr int kBitsSet = 6;
  using Block = std::array<uint64_t, kBlockWords>;
  struct alignas(64) AlignedBlock {
    Block words{};
  };
  struct Layer {
    std::vector<AlignedBlock> blocks;
    size_t room = 0;  // for keys
  };

  const size_t first_layer_keys_;
  std::vector<Layer> layers_;
  bool full_ = false;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_KEY_FILTER_H_
