#include "views/fold/versioned_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/fold/key_cache.h"
#include "views/fold/order_codec.h"
#include "views/fold/time_index.h"

namespace tidegate {
namespace {

constexpr char kRowMarker = '\0';
constexpr char kDeletedMarker = '\x01';

// What a key is from `order` on.
struct Version {
  EventOrder order;
  bool deleted = false;
  std::string row;
};
using Versions = std::vector<Version>;  // by order, each order once

struct State {
  Versions versions;
  size_t bytes() const {
    size_t total = versions.capacity() * sizeof(Version);
    for (const Version& version : versions) total += version.row.capacity();
    return total;
  }
};

// The first version later than `time`.
Versions::iterator FirstAfter(EventTime time, Versions* versions) {
  return std::upper_bound(
      versions->begin(), versions->end(), time,
      [](EventTime t, const Version& v) { return t < v.order.time; });
}

void Encode(const Versions& versions, std::string* out) {
  for (const Version& version : versions) {
    PutOrder(out, version.order);
    out->push_back(version.deleted ? kDeletedMarker : kRowMarker);
    if (!version.deleted) PutLengthPrefixed(out, version.row);
  }
}

bool Decode(absl::string_view in, Versions* versions) {
  while (!in.empty()) {
    Version version;
    if (!GetOrder(&in, &version.order) || in.empty()) return false;
    if (!versions->empty() && version.order <= versions->back().order) {
      return false;
    }
    const char marker = in.front();
    in.remove_prefix(1);
    if (marker != kRowMarker && marker != kDeletedMarker) return false;
    version.deleted = marker == kDeletedMarker;
    absl::string_view row;
    if (!version.deleted && !GetLengthPrefixed(&in, &row)) return false;
    version.row = std::string(row);
    versions->push_back(std::move(version));
  }
  return true;
}

class VersionedTableImpl final : public VersionedTable {
 public:
  VersionedTableImpl(const SourcePlan* source, const RowSchema* schema,
                     StoredLookup stored, size_t max_cached_keys)
      : source_(source),
        schema_(schema),
        cache_(std::move(stored), max_cached_keys),
        key_(source->primary_key.size()) {
    for (const int column : source->primary_key) {
      key_types_.push_back(source->columns[static_cast<size_t>(column)].type);
    }
  }

  void Open(EventTime watermark) override { watermark_ = watermark; }

  absl::Status Apply(const Event& event) override {
    for (size_t i = 0; i < key_.size(); ++i) {
      key_[i] = event.columns[static_cast<size_t>(source_->primary_key[i])];
      if (key_[i].is_null) return absl::OkStatus();
    }
    key_bytes_.clear();
    EncodeKey(key_types_, key_, &key_bytes_);
    ASSIGN_OR_RETURN(Entry* const entry, Find(key_bytes_));
    if (event.order.time < watermark_) ++late_rows_;
    Insert(event, entry);
    Prune(entry);
    cache_.MarkDirty(entry);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> RowAsOf(absl::string_view key, EventTime as_of,
                               absl::string_view* row) override {
    ASSIGN_OR_RETURN(Entry* const entry, Find(key));
    Versions& versions = entry->state.versions;
    const auto after = FirstAfter(as_of, &versions);
    if (after == versions.begin() || std::prev(after)->deleted) return false;
    *row = std::prev(after)->row;
    return true;
  }

  absl::Status Advance(EventTime watermark) override {
    watermark_ = watermark;
    return successions_.TakeThrough(
        watermark, [this](EventTime /*at*/, absl::string_view key) {
          return Find(key).status();
        });
  }

  absl::Status Drain(
      absl::FunctionRef<void(const FoldedChange&)> sink) override {
    return cache_.Drain([&](Entry* entry) {
      state_bytes_.clear();
      Encode(entry->state.versions, &state_bytes_);
      if (entry->state_bytes == state_bytes_) return absl::OkStatus();
      sink({.key = entry->key, .state = state_bytes_});
      entry->state_bytes.assign(state_bytes_);
      return absl::OkStatus();
    });
  }

  size_t dirty_keys() const override { return cache_.dirty_keys(); }
  int64_t late_rows() const override { return late_rows_; }

 private:
  using Entry = KeyCache<State>::Entry;

  // The entry of `key`, pruned.
  absl::StatusOr<Entry*> Find(absl::string_view key) {
    ASSIGN_OR_RETURN(
        Entry* const entry,
        cache_.Find(key, [this](Entry* loaded) -> absl::Status {
          if (Decode(loaded->state_bytes, &loaded->state.versions)) {
            return absl::OkStatus();
          }
          return absl::DataLossError(
              absl::StrCat("table=", source_->name, ": malformed versions"));
        }));
    if (Prune(entry)) cache_.MarkDirty(entry);
    return entry;
  }

  // Drops what no event at or above the watermark can meet. Entries are pruned
  // whenever they are looked at, so when the index gets to one, or whether it
  // does after a restart, makes no difference but to memory.
  bool Prune(Entry* entry) const {
    Versions& versions = entry->state.versions;
    const auto above = FirstAfter(watermark_, &versions);
    if (above == versions.begin()) return false;
    auto first_kept = std::prev(above);
    // A deletion at the watermark may still be tied with a row in time, which
    // comes before it by EventOrder.
    if (first_kept->deleted && first_kept->order.time < watermark_ &&
        above == versions.end()) {
      first_kept = above;
    }
    if (first_kept == versions.begin()) return false;
    versions.erase(versions.begin(), first_kept);
    return true;
  }

  // Puts the event's version in its place, and the key into the index for when
  // it makes another one needless, or is a needless deletion itself.
  void Insert(const Event& event, Entry* entry) {
    Versions& versions = entry->state.versions;
    auto at = std::lower_bound(
        versions.begin(), versions.end(), event.order,
        [](const Version& v, const EventOrder& o) { return v.order < o; });
    if (at == versions.end() || at->order != event.order) {
      at = versions.insert(at, Version{event.order, false, std::string()});
    }
    at->deleted = event.deleted;
    at->row.clear();
    if (!event.deleted) EncodeRow(*schema_, event.columns, &at->row);
    const bool first = at == versions.begin();
    if (!first || at->deleted) AddSuccession(*at, *entry);
    if (first && versions.size() > 1) AddSuccession(versions[1], *entry);
  }

  void AddSuccession(const Version& version, const Entry& entry) {
    // What has come by now is pruned at once.
    if (version.order.time > watermark_) {
      successions_.Add(version.order.time, entry.key);
    }
    if (version.deleted && version.order.time >= watermark_) {
      successions_.Add(Later(version.order.time, 1), entry.key);
    }
  }

  const SourcePlan* const source_;
  const RowSchema* const schema_;
  std::vector<Type> key_types_;
  KeyCache<State> cache_;
  EventTime watermark_ = kNoEventTime;
  // Of the keys changed since the start: when one version succeeds another, and
  // when a deletion is needless. At most four for each change at a time that is
  // not yet below the watermark.
  TimeIndex successions_;
  int64_t late_rows_ = 0;

  // Scratch memory of one call.
  std::vector<Datum> key_;
  std::string key_bytes_;
  std::string state_bytes_;
};

}  // namespace

std::unique_ptr<VersionedTable> VersionedTable::Create(const SourcePlan* source,
                                                       const RowSchema* schema,
                                                       StoredLookup stored,
                                                       size_t max_cached_keys) {
  return std::make_unique<VersionedTableImpl>(source, schema, std::move(stored),
                                              max_cached_keys);
}

}  // namespace tidegate
