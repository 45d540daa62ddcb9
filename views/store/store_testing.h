// Shorthands that the store's tests share.
#ifndef TIDEGATE_VIEWS_STORE_STORE_TESTING_H_
#define TIDEGATE_VIEWS_STORE_STORE_TESTING_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "views/store/commit.h"
#include "views/store/read_view.h"
#include "views/store/store.h"

#define TG_ASSERT_OK(expr) ASSERT_TRUE(::tidegate::StatusIsOk(expr))
#define TG_EXPECT_OK(expr) EXPECT_TRUE(::tidegate::StatusIsOk(expr))

namespace tidegate {

inline testing::AssertionResult StatusIsOk(const absl::Status& status) {
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status;
}

// Rows given by a map; no value deletes.
class MapRows : public RowSource {
 public:
  using Map = std::map<std::string, std::optional<std::string>>;
  explicit MapRows(Map rows) : rows_(std::move(rows)), at_(rows_.begin()) {}
  bool Next(absl::string_view* key,
            std::optional<absl::string_view>* value) override {
    if (at_ == rows_.end()) return false;
    *key = at_->first;
    value->reset();
    if (at_->second.has_value()) *value = *at_->second;
    ++at_;
    return true;
  }

 private:
  const Map rows_;
  Map::const_iterator at_;
};

// The whole log after `after`.
inline std::map<uint64_t, std::string> LogOf(Store* store, Seq after) {
  std::map<uint64_t, std::string> log;
  TG_EXPECT_OK(store->ReadLog(after, [&](Seq seq, absl::string_view record) {
    log[seq.value()] = std::string(record);
    return true;
  }));
  return log;
}

inline std::map<std::string, std::string> RowsOf(
    const StoreSnapshot& snapshot) {
  std::map<std::string, std::string> rows;
  const std::unique_ptr<RowIterator> iterator = snapshot.NewIterator();
  for (iterator->Seek(""); iterator->Valid(); iterator->Next()) {
    rows[std::string(iterator->key())] = std::string(iterator->value());
  }
  TG_EXPECT_OK(iterator->status());
  return rows;
}

inline std::map<std::string, std::string> RowsOf(const ReadView& read_view,
                                                 ViewId view) {
  std::map<std::string, std::string> rows;
  std::string previous;
  const std::unique_ptr<ViewIterator> iterator = read_view.NewIterator(view);
  for (iterator->Seek(""); iterator->Valid(); iterator->Next()) {
    std::string key(iterator->key());
    EXPECT_TRUE(rows.empty() || previous < key) << "keys out of order";
    rows[key] = std::string(iterator->row());
    previous = std::move(key);
  }
  TG_EXPECT_OK(iterator->status());
  return rows;
}

// A change to `key` from one row to another; none is absent. An entry that
// exists has `state`.
inline Change MakeChange(ViewId view, absl::string_view key,
                         std::optional<absl::string_view> before,
                         std::optional<absl::string_view> after,
                         absl::string_view state = "state") {
  Change change;
  change.view = view;
  change.key = key;
  change.has_before = before.has_value();
  change.before = before.value_or("");
  change.has_after = after.has_value();
  change.after = after.value_or("");
  change.state = state;
  return change;
}

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_STORE_STORE_TESTING_H_
