#include "views/store/store_version.h"

#include <optional>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/store/materialized_store.h"

namespace tidegate {
namespace {

// Flags of a stored row.
constexpr uint8_t kHasRow = 1;
constexpr uint8_t kCorrected = 2;

class MergedRows : public RowSource {
 public:
  explicit MergedRows(const OverlayRuns* runs) : merger_(*runs) {
    merger_.SeekToFirst();
  }

  bool Next(absl::string_view* key,
            std::optional<absl::string_view>* value) override {
    if (started_) merger_.Next();
    started_ = true;
    if (!merger_.Valid()) return false;
    const OverlayEntry& entry = merger_.entry();
    EncodeRowKey(entry.view, entry.key(), &key_);
    *key = key_;
    value->reset();
    if (entry.exists) {
      value_.clear();
      AppendStoredRow(
          entry.seq,
          {entry.has_row, entry.corrected, entry.row(), entry.state()},
          &value_);
      *value = value_;
    }
    return true;
  }

 private:
  OverlayMerger merger_;
  bool started_ = false;
  std::string key_;
  std::string value_;
};

}  // namespace

size_t OverlayBytes(const OverlayRuns& runs) {
  size_t bytes = 0;
  for (const auto& run : runs) bytes += run->bytes();
  return bytes;
}

uint64_t RowKeyHash(absl::string_view row_key) {
  return absl::Hash<absl::string_view>()(row_key);
}

void EncodeRowKey(ViewId view, absl::string_view key, std::string* out) {
  out->clear();
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(view.value() >> shift));
  }
  out->append(key.data(), key.size());
}

absl::StatusOr<bool> FindStored(const StoreVersion& version, ViewId view,
                                absl::string_view key, std::string* scratch,
                                StoredEntry* entry) {
  const OverlayEntry* newest = FindNewest(version.runs, view, key);
  if (newest != nullptr) {
    *entry = {newest->has_row, newest->corrected, newest->row(),
              newest->state(), newest->seq};
    return newest->exists;
  }
  std::string row_key;
  EncodeRowKey(view, key, &row_key);
  ASSIGN_OR_RETURN(const bool found, version.base->Get(row_key, scratch));
  if (!found) return false;
  Seq seq;
  RETURN_IF_ERROR_CTX(DecodeStoredRow(*scratch, &seq, entry),
                      absl::StrCat("view=", view.value()));
  return true;
}

std::unique_ptr<RowSource> MakeRowSource(const OverlayRuns* runs) {
  return std::make_unique<MergedRows>(runs);
}

void AppendStoredRow(Seq last_seq, const StoredEntry& entry, std::string* out) {
  PutVarint64(out, last_seq.value());
  out->push_back(static_cast<char>((entry.has_row ? kHasRow : 0) |
                                   (entry.corrected ? kCorrected : 0)));
  PutLengthPrefixed(out, entry.row);
  out->append(entry.state.data(), entry.state.size());
}

std::string EncodeStoredRow(Seq last_seq, const StoredEntry& entry) {
  std::string out;
  AppendStoredRow(last_seq, entry, &out);
  return out;
}

absl::Status DecodeStoredRow(absl::string_view bytes, Seq* last_seq,
                             StoredEntry* entry) {
  uint64_t seq = 0;
  if (!GetVarint64(&bytes, &seq) || bytes.empty() ||
      static_cast<uint8_t>(bytes[0]) > (kHasRow | kCorrected)) {
    return absl::DataLossError("stored row is malformed");
  }
  entry->has_row = (bytes[0] & kHasRow) != 0;
  entry->corrected = (bytes[0] & kCorrected) != 0;
  bytes.remove_prefix(1);
  if (!GetLengthPrefixed(&bytes, &entry->row)) {
    return absl::DataLossError("stored row is malformed");
  }
  *last_seq = entry->seq = Seq(seq);
  entry->state = bytes;
  return absl::OkStatus();
}

}  // namespace tidegate
