#include "views/store/read_view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "views/store/materialized_store.h"
#include "views/store/store_version.h"

namespace tidegate {
namespace {

class MergedView : public ReadView {
 public:
  explicit MergedView(std::shared_ptr<const StoreVersion> version)
      : version_(std::move(version)) {}
  Seq seq() const override { return version_->head; }
  EventTime watermark() const override { return version_->watermark; }
  absl::StatusOr<bool> GetRow(ViewId view, absl::string_view key,
                              std::string* row, bool* corrected,
                              Seq* last_seq) const override;
  std::unique_ptr<ViewIterator> NewIterator(ViewId view,
                                            Which which) const override;
  const StoreVersion& version() const { return *version_; }

 private:
  const std::shared_ptr<const StoreVersion> version_;
};

class MergedIterator : public ViewIterator {
 public:
  MergedIterator(std::shared_ptr<const MergedView> owner, ViewId view,
                 ReadView::Which which)
      : owner_(std::move(owner)),
        view_(view),
        all_(which == ReadView::Which::kAllEntries),
        base_(owner_->version().base->NewIterator()),
        overlay_(owner_->version().runs) {
    EncodeRowKey(view, "", &prefix_);
  }

  void Seek(absl::string_view key) override {
    status_ = absl::OkStatus();
    std::string row_key;
    EncodeRowKey(view_, key, &row_key);
    base_->Seek(row_key);
    overlay_.Seek(view_, key);
    Settle();
  }
  void Next() override {
    Step();
    Settle();
  }
  bool Valid() const override { return place_ != Place::kEnd; }
  absl::string_view key() const override { return key_; }
  const StoredEntry& entry() const override { return entry_; }
  absl::Status status() const override { return status_; }

 private:
  enum class Place : uint8_t { kEnd, kBase, kOverlay, kBoth };

  // Finds where the next key is: base, overlay, or the same key in both.
  void Locate() {
    const absl::string_view base_key =
        base_->Valid() ? base_->key() : absl::string_view();
    const bool in_base =
        base_->Valid() && base_key.substr(0, kRowKeyPrefixBytes) == prefix_;
    const bool in_overlay = overlay_.Valid() && overlay_.entry().view == view_;
    if (!in_base && !in_overlay) {
      place_ = Place::kEnd;
      if (!base_->Valid()) status_ = base_->status();
      return;
    }
    const int order = !in_base      ? 1
                      : !in_overlay ? -1
                                    : base_key.substr(kRowKeyPrefixBytes)
                                          .compare(overlay_.entry().key());
    place_ = order < 0    ? Place::kBase
             : order == 0 ? Place::kBoth
                          : Place::kOverlay;
  }
  void Step() {
    if (place_ != Place::kOverlay) base_->Next();
    if (place_ != Place::kBase) overlay_.Next();
  }
  // True if the entry here is one to show.
  bool Load();
  void Settle() {
    for (Locate(); place_ != Place::kEnd && !Load(); Locate()) Step();
  }

  const std::shared_ptr<const MergedView> owner_;
  const ViewId view_;
  const bool all_;  // not only what clients see
  std::string prefix_;
  const std::unique_ptr<RowIterator> base_;
  OverlayMerger overlay_;
  Place place_ = Place::kEnd;
  absl::string_view key_;
  StoredEntry entry_;
  absl::Status status_;
};

bool MergedIterator::Load() {
  // A base that cannot be read must not pass for one that has ended.
  if (!base_->Valid() && !base_->status().ok()) {
    status_ = base_->status();
    place_ = Place::kEnd;
    return true;
  }
  if (place_ != Place::kBase) {
    const OverlayEntry& entry = overlay_.entry();
    key_ = entry.key();
    entry_ = {entry.has_row, entry.corrected, entry.row(), entry.state(),
              entry.seq};
    return entry.exists && (all_ || entry.has_row);
  }
  Seq seq;
  status_ = DecodeStoredRow(base_->value(), &seq, &entry_);
  if (!status_.ok()) {
    place_ = Place::kEnd;
    return true;
  }
  key_ = base_->key().substr(kRowKeyPrefixBytes);
  return all_ || entry_.has_row;
}

absl::StatusOr<bool> MergedView::GetRow(ViewId view, absl::string_view key,
                                        std::string* row, bool* corrected,
                                        Seq* last_seq) const {
  StoredEntry entry;
  std::string scratch;
  ASSIGN_OR_RETURN(const bool found,
                   FindStored(*version_, view, key, &scratch, &entry));
  if (last_seq != nullptr) *last_seq = entry.seq;
  if (!found || !entry.has_row) return false;
  row->assign(entry.row.data(), entry.row.size());
  if (corrected != nullptr) *corrected = entry.corrected;
  return true;
}

std::unique_ptr<ViewIterator> MergedView::NewIterator(ViewId view,
                                                      Which which) const {
  return std::make_unique<MergedIterator>(
      std::static_pointer_cast<const MergedView>(shared_from_this()), view,
      which);
}

}  // namespace

std::shared_ptr<const ReadView> MakeReadView(
    std::shared_ptr<const StoreVersion> version) {
  return std::make_shared<MergedView>(std::move(version));
}

}  // namespace tidegate
