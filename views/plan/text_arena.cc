#include <cstring>

#include "views/plan/expr.h"

namespace tidegate {
namespace {

// What Reset() keeps for the next row.
constexpr size_t kMaxKeptBlocks = 4;

}  // namespace

char* TextArena::Allocate(uint32_t size) {
  made_bytes_ += size;
  if (used_blocks_ > 0) {
    std::vector<char>& block = blocks_[used_blocks_ - 1];
    if (block.size() - used_bytes_ >= size) {
      char* const out = block.data() + used_bytes_;
      used_bytes_ += size;
      return out;
    }
  }
  const size_t needed = size > kBlockBytes ? size : kBlockBytes;
  if (used_blocks_ == blocks_.size()) {
    blocks_.emplace_back(needed);
  } else if (blocks_[used_blocks_].size() < needed) {
    blocks_[used_blocks_] = std::vector<char>(needed);
  }
  used_bytes_ = size;
  return blocks_[used_blocks_++].data();
}

absl::string_view TextArena::Copy(absl::string_view text) {
  if (text.empty()) return absl::string_view();
  char* const out = Allocate(static_cast<uint32_t>(text.size()));
  std::memcpy(out, text.data(), text.size());
  return absl::string_view(out, text.size());
}

void TextArena::Reset() {
  made_bytes_ = 0;
  like_steps_ = limits_.like_steps;
  if (used_blocks_ == 0) return;
  if (blocks_.size() > kMaxKeptBlocks) blocks_.resize(kMaxKeptBlocks);
  while (!blocks_.empty() && blocks_.back().size() > kBlockBytes) {
    blocks_.pop_back();
  }
  used_blocks_ = 0;
  used_bytes_ = 0;
}

}  // namespace tidegate
