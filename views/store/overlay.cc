#include "views/store/overlay.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/numeric/bits.h"

namespace tidegate {
namespace {

// Up to so many entries are scanned rather than indexed.
constexpr size_t kMaxScannedEntries = 8;

int CompareKeys(ViewId view_a, absl::string_view key_a, ViewId view_b,
                absl::string_view key_b) {
  if (view_a != view_b) return view_a < view_b ? -1 : 1;
  return key_a.compare(key_b);
}

// Runs of one size class are within a factor of four of each other.
int SizeClass(const OverlayRun& run) {
  return absl::bit_width(run.bytes()) / 2;
}

}  // namespace

uint32_t OverlayHash(ViewId view, absl::string_view key) {
  return static_cast<uint32_t>(
      absl::Hash<std::tuple<ViewId, absl::string_view>>()({view, key}));
}

std::shared_ptr<const OverlayRun> OverlayRun::FromCommit(const Commit& commit) {
  if (commit.changes().empty()) return nullptr;
  std::shared_ptr<OverlayRun> run(new OverlayRun());
  run->first_seq_ = run->last_seq_ = commit.seq();
  size_t bytes = 0;
  for (const Change& change : commit.changes()) {
    bytes += change.key.size() + change.after.size() + change.state.size();
  }
  run->data_.reset(new char[bytes]);
  run->data_bytes_ = bytes;
  run->entries_.reserve(commit.changes().size());
  char* to = run->data_.get();
  for (const Change& change : commit.changes()) {
    OverlayEntry entry;
    entry.data = to;
    entry.key_size = static_cast<uint32_t>(change.key.size());
    entry.row_size = static_cast<uint32_t>(change.after.size());
    entry.state_size = static_cast<uint32_t>(change.state.size());
    for (absl::string_view part : {change.key, change.after, change.state}) {
      to = std::copy(part.begin(), part.end(), to);
    }
    entry.view = change.view;
    entry.hash = OverlayHash(change.view, change.key);
    entry.has_row = change.has_after;
    entry.corrected = change.corrected;
    entry.exists = change.has_after || !change.state.empty();
    entry.seq = commit.seq();
    run->entries_.push_back(entry);
  }
  run->BuildIndex();
  return run;
}

std::shared_ptr<const OverlayRun> OverlayRun::Merge(
    absl::Span<const std::shared_ptr<const OverlayRun>> oldest_first) {
  std::shared_ptr<OverlayRun> run(new OverlayRun());
  run->first_seq_ = oldest_first.front()->first_seq();
  run->last_seq_ = oldest_first.back()->last_seq();
  size_t bytes = 0;
  OverlayMerger merger(oldest_first);
  for (merger.SeekToFirst(); merger.Valid(); merger.Next()) {
    const OverlayEntry& entry = merger.entry();
    bytes += size_t{entry.key_size} + entry.row_size + entry.state_size;
    run->entries_.push_back(entry);
  }
  run->entries_.shrink_to_fit();
  run->data_.reset(new char[bytes]);
  run->data_bytes_ = bytes;
  char* to = run->data_.get();
  for (OverlayEntry& entry : run->entries_) {
    const size_t size =
        size_t{entry.key_size} + entry.row_size + entry.state_size;
    std::copy_n(entry.data, size, to);
    entry.data = to;
    to += size;
  }
  run->BuildIndex();
  return run;
}

void OverlayRun::BuildIndex() {
  if (entries_.size() <= kMaxScannedEntries) return;
  slots_.assign(absl::bit_ceil(entries_.size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t slot = entries_[i].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(i + 1);
  }
}

size_t OverlayRun::bytes() const {
  return sizeof(*this) + data_bytes_ +
         entries_.capacity() * sizeof(OverlayEntry) +
         slots_.capacity() * sizeof(uint32_t);
}

const OverlayEntry* OverlayRun::Find(ViewId view, absl::string_view key,
                                     uint32_t hash) const {
  const auto matches = [&](const OverlayEntry& entry) {
    return entry.hash == hash && entry.view == view && entry.key() == key;
  };
  if (slots_.empty()) {
    for (const OverlayEntry& entry : entries_) {
      if (matches(entry)) return &entry;
    }
    return nullptr;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const OverlayEntry& entry = entries_[slots_[slot] - 1];
    if (matches(entry)) return &entry;
  }
  return nullptr;
}

const OverlayEntry* OverlayRun::LowerBound(ViewId view,
                                           absl::string_view key) const {
  const auto at = std::partition_point(
      entries_.begin(), entries_.end(), [&](const OverlayEntry& entry) {
        return CompareKeys(entry.view, entry.key(), view, key) < 0;
      });
  return entries_.data() + (at - entries_.begin());
}

void PushRun(std::shared_ptr<const OverlayRun> run, Seq frozen,
             OverlayRuns* runs) {
  if (run == nullptr) return;
  runs->push_back(std::move(run));
  while (true) {
    const int size_class = SizeClass(*runs->back());
    size_t begin = runs->size();
    while (begin > 0) {
      const OverlayRun& candidate = *(*runs)[begin - 1];
      if (candidate.bytes() > kMaxMergeInputBytes ||
          candidate.first_seq() <= frozen ||
          SizeClass(candidate) > size_class) {
        break;
      }
      --begin;
    }
    if (runs->size() - begin < kMergeWidth) return;
    std::shared_ptr<const OverlayRun> merged =
        OverlayRun::Merge(absl::MakeConstSpan(*runs).subspan(begin));
    runs->resize(begin);
    runs->push_back(std::move(merged));
  }
}

const OverlayEntry* FindNewest(const OverlayRuns& runs, ViewId view,
                               absl::string_view key) {
  const uint32_t hash = OverlayHash(view, key);
  for (size_t i = runs.size(); i-- > 0;) {
    const OverlayEntry* entry = runs[i]->Find(view, key, hash);
    if (entry != nullptr) return entry;
  }
  return nullptr;
}

OverlayMerger::OverlayMerger(
    absl::Span<const std::shared_ptr<const OverlayRun>> oldest_first)
    : runs_(oldest_first) {
  heap_.reserve(runs_.size());
}

bool OverlayMerger::After(const Cursor& a, const Cursor& b) {
  const int order =
      CompareKeys(a.at->view, a.at->key(), b.at->view, b.at->key());
  return order != 0 ? order > 0 : a.age < b.age;
}

void OverlayMerger::Push(Cursor cursor) {
  if (cursor.at == cursor.end) return;
  heap_.push_back(cursor);
  std::push_heap(heap_.begin(), heap_.end(), After);
}

void OverlayMerger::SeekToFirst() { Seek(ViewId(0), ""); }

void OverlayMerger::Seek(ViewId view, absl::string_view key) {
  heap_.clear();
  for (size_t i = 0; i < runs_.size(); ++i) {
    const absl::Span<const OverlayEntry> entries = runs_[i]->entries();
    Push({runs_[i]->LowerBound(view, key), entries.data() + entries.size(), i});
  }
}

void OverlayMerger::AdvanceFront() {
  std::pop_heap(heap_.begin(), heap_.end(), After);
  Cursor cursor = heap_.back();
  heap_.pop_back();
  ++cursor.at;
  Push(cursor);
}

void OverlayMerger::Next() {
  const OverlayEntry done = entry();
  AdvanceFront();
  while (Valid() && entry().view == done.view && entry().key() == done.key()) {
    AdvanceFront();
  }
}

}  // namespace tidegate
