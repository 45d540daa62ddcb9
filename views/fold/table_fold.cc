#include "views/fold/table_fold.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// What loading a row has to decode: nothing.
template <typename Entry>
absl::Status LoadRow(Entry* entry) {
  entry->state.has_row = entry->has_row;
  return absl::OkStatus();
}

}  // namespace

TableFold::TableFold(const ViewPlan* plan, const SourcePlan* source,
                     const RowSchema* schema, StoredLookup stored,
                     size_t max_cached_keys)
    : plan_(plan),
      source_(source),
      schema_(schema),
      cache_(std::move(stored), max_cached_keys),
      key_(source->primary_key.size()) {
  for (const int column : source->primary_key) {
    key_types_.push_back(source->columns[static_cast<size_t>(column)].type);
  }
}

absl::Status TableFold::Apply(const Event& event, LateEvent* /*late*/) {
  for (size_t i = 0; i < key_.size(); ++i) {
    const auto column = static_cast<size_t>(source_->primary_key[i]);
    key_[i] = event.columns[column];
    if (key_[i].is_null) {
      return absl::InvalidArgumentError(
          absl::StrCat("primary key column \"", source_->columns[column].name,
                       "\" of table ", plan_->name, " is NULL"));
    }
  }
  key_bytes_.clear();
  EncodeKey(key_types_, key_, &key_bytes_);
  ASSIGN_OR_RETURN(Entry* const entry, cache_.Find(key_bytes_, LoadRow<Entry>));
  entry->state.has_row = !event.deleted;
  entry->state.row.clear();
  if (!event.deleted) EncodeRow(*schema_, event.columns, &entry->state.row);
  cache_.MarkDirty(entry);
  return absl::OkStatus();
}

absl::Status TableFold::Drain(
    absl::FunctionRef<void(const FoldedChange&)> sink) {
  return cache_.Drain([&](Entry* entry) {
    const bool same = entry->has_row == entry->state.has_row &&
                      entry->row == entry->state.row;
    if (!same) {
      sink({.key = entry->key,
            .has_before = entry->has_row,
            .before = entry->row,
            .has_after = entry->state.has_row,
            .after = entry->state.row});
      entry->has_row = entry->state.has_row;
      entry->row = std::move(entry->state.row);
    }
    entry->state.row = std::string();
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> TableFold::CurrentRow(absl::string_view key,
                                           absl::string_view* row) {
  ASSIGN_OR_RETURN(Entry* const entry, cache_.Find(key, LoadRow<Entry>));
  *row = entry->dirty ? entry->state.row : entry->row;
  return entry->state.has_row;
}

}  // namespace tidegate
