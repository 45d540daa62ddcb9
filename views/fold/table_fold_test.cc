#include "views/fold/table_fold.h"

#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::At;
using testing::FakeStore;
using Texts = std::vector<std::string>;

class TableFoldTest : public ::testing::Test {
 protected:
  TableFoldTest()
      : source_(testing::Source(
            {{"name", Type::kVarchar}, {"id", Type::kBigint}})) {
    source_.is_table = true;
    source_.primary_key = {1};
    plan_.name = "t";
    plan_.is_table = true;
    plan_.columns = {{"name", Type::kVarchar}, {"id", Type::kBigint}};
    plan_.key_columns = {1};
    Start();
  }

  void Start() {
    schema_ = testing::SchemaOf(plan_);
    fold_ = ViewFold::Create(&plan_, &source_, nullptr, &schema_,
                             store_.Sources(testing::NoTable()));
  }
  absl::Status Put(Datum id, Datum name) {
    const Datum columns[] = {name, id};
    return testing::Feed(fold_.get(),
                         {.order = At(0, 0, offset_++), .columns = columns});
  }
  void Put(int64_t id, const char* name) {
    EXPECT_TRUE(Put(Datum::Int(id), Datum::Text(name)).ok());
  }
  void Delete(int64_t id) {
    const Datum columns[] = {Datum::Null(), Datum::Int(id)};
    EXPECT_TRUE(testing::Feed(fold_.get(), {.order = At(0, 0, offset_++),
                                            .columns = columns,
                                            .deleted = true})
                    .ok());
  }
  std::string Current(int64_t id) {
    std::string key;
    EncodeKey({Type::kBigint}, {Datum::Int(id)}, &key);
    absl::string_view row;
    if (!fold_->CurrentRow(key, &row).value()) return "none";
    return FakeStore::Text(schema_, row);
  }
  Texts Rows() { return store_.Texts(schema_); }

  SourcePlan source_;
  ViewPlan plan_;
  RowSchema schema_;
  FakeStore store_;
  std::unique_ptr<ViewFold> fold_;
  int64_t offset_ = 0;
};

TEST_F(TableFoldTest, TheLastReadReplacesTheWholeRow) {
  Put(2, "two");
  Put(1, "one");
  Put(2, "zwei");
  EXPECT_EQ(store_.Commit(fold_.get()), 2);
  EXPECT_EQ(Rows(), Texts({"\"one\"|1", "\"zwei\"|2"}));
  EXPECT_TRUE(Put(Datum::Int(2), Datum::Null()).ok());
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"one\"|1", "NULL|2"}));
}

TEST_F(TableFoldTest, TombstonesRemoveTheKeyAltogether) {
  Put(1, "one");
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  Delete(1);
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(store_.rows.empty());
  Delete(1);
  Delete(7);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  Put(1, "again");
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_EQ(Rows(), Texts({"\"again\"|1"}));
}

TEST_F(TableFoldTest, WhatComesAndGoesWithinACommitIsNoChange) {
  Put(1, "one");
  Delete(1);
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  Put(2, "two");
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  Put(2, "zwei");
  Put(2, "two");
  EXPECT_EQ(store_.Commit(fold_.get()), 0);
  EXPECT_EQ(Rows(), Texts({"\"two\"|2"}));
}

TEST_F(TableFoldTest, CurrentRowSeesUncommittedChanges) {
  EXPECT_EQ(Current(1), "none");
  Put(1, "one");
  EXPECT_EQ(Current(1), "\"one\"|1");
  store_.Commit(fold_.get());
  EXPECT_EQ(Current(1), "\"one\"|1");
  Delete(1);
  EXPECT_EQ(Current(1), "none");
  store_.Commit(fold_.get());
  EXPECT_EQ(Current(1), "none");
}

TEST_F(TableFoldTest, GoesOnFromWhatIsStored) {
  Put(1, "one");
  store_.Commit(fold_.get());
  Start();
  EXPECT_EQ(Current(1), "\"one\"|1");
  Delete(1);
  EXPECT_EQ(store_.Commit(fold_.get()), 1);
  EXPECT_TRUE(store_.rows.empty());
}

TEST_F(TableFoldTest, ANullKeyIsRefused) {
  const absl::Status status = Put(Datum::Null(), Datum::Text("x"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "primary key column \"id\" of table t is NULL");
  EXPECT_EQ(fold_->dirty_keys(), 0u);
}

}  // namespace
}  // namespace tidegate
