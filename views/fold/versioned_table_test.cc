#include "views/fold/versioned_table.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <random>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::At;
using testing::FakeStore;

// The table (name VARCHAR, id BIGINT PRIMARY KEY).
class VersionedTableTest : public ::testing::Test {
 protected:
  VersionedTableTest()
      : source_(testing::Source(
            {{"name", Type::kVarchar}, {"id", Type::kBigint}})) {
    source_.is_table = true;
    source_.primary_key = {1};
    schema_.fields = {{"name", Type::kVarchar, 1}, {"id", Type::kBigint, 2}};
    schema_.key_columns = {1};
    Open(kNoEventTime);
  }

  void Open(EventTime watermark, size_t max_cached_keys = kMaxCachedKeys) {
    table_ = VersionedTable::Create(&source_, &schema_, store_.Lookup(),
                                    max_cached_keys);
    table_->Open(watermark);
  }
  // No name: a tombstone.
  void Put(Datum id, std::optional<std::string> name, EventOrder order) {
    const Datum columns[] = {name ? Datum::Text(*name) : Datum::Null(), id};
    const absl::Status status = table_->Apply(
        {.order = order, .columns = columns, .deleted = !name.has_value()});
    EXPECT_TRUE(status.ok()) << status;
  }
  void Put(int64_t id, std::optional<std::string> name, int64_t time) {
    Put(Datum::Int(id), std::move(name), At(time, 0, offset_++));
  }
  static std::string Key(int64_t id) {
    std::string key;
    EncodeKey({Type::kBigint}, {Datum::Int(id)}, &key);
    return key;
  }
  std::string Name(int64_t id, int64_t as_of) {
    absl::string_view row;
    const absl::StatusOr<bool> found =
        table_->RowAsOf(Key(id), EventTime(as_of), &row);
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok() || !*found) return "none";
    Datum values[2];
    EXPECT_TRUE(DecodeRow(schema_, row, values).ok());
    EXPECT_EQ(values[1].i, id);
    return std::string(values[0].text());
  }
  void Advance(int64_t watermark) {
    EXPECT_TRUE(table_->Advance(EventTime(watermark)).ok());
  }
  int Commit() {
    const int changes =
        store_.CommitState([this](auto sink) { return table_->Drain(sink); });
    EXPECT_EQ(table_->dirty_keys(), 0u);
    return changes;
  }
  // Whether the committed state of `id` has `name` in it.
  bool Keeps(int64_t id, absl::string_view name) {
    const auto found = store_.rows.find(Key(id));
    return found != store_.rows.end() &&
           absl::StrContains(found->second.state, name);
  }

  SourcePlan source_;
  RowSchema schema_;
  FakeStore store_;
  std::unique_ptr<VersionedTable> table_;
  int64_t offset_ = 0;
};

TEST_F(VersionedTableTest, AVersionIsValidFromItsTimeToTheNext) {
  Put(1, "b", 20);
  Put(1, "a", 10);  // whatever the order of coming
  Put(1, std::nullopt, 30);
  Put(1, "d", 40);
  const std::pair<int64_t, std::string> kCases[] = {
      {9, "none"},  {10, "a"},    {19, "a"}, {20, "b"},   {29, "b"},
      {30, "none"}, {39, "none"}, {40, "d"}, {1'000, "d"}};
  for (const auto& [as_of, name] : kCases) EXPECT_EQ(Name(1, as_of), name);
  EXPECT_EQ(Name(2, 100), "none");
  EXPECT_EQ(Commit(), 1);
  Open(kNoEventTime);
  for (const auto& [as_of, name] : kCases) EXPECT_EQ(Name(1, as_of), name);
  EXPECT_EQ(Commit(), 0);
}

TEST_F(VersionedTableTest, PartitionThenOffsetDecideATie) {
  Put(Datum::Int(1), "b", At(10, 0, 7));
  Put(Datum::Int(1), "a", At(10, 0, 6));
  EXPECT_EQ(Name(1, 10), "b");
  Put(Datum::Int(1), "c", At(10, 1, 0));
  EXPECT_EQ(Name(1, 10), "c");
  Put(Datum::Int(1), std::nullopt, At(10, 1, 1));
  EXPECT_EQ(Name(1, 10), "none");
  EXPECT_EQ(Name(1, 9), "none");
  Advance(10);
  Commit();
  EXPECT_EQ(store_.rows.size(), 1u);  // one more may be tied with it
  Advance(11);
  Commit();
  EXPECT_TRUE(store_.rows.empty());
}

TEST_F(VersionedTableTest, ForgetsWhatNoEventCanMeet) {
  Put(1, "first", 10);
  Put(1, "second", 20);
  Put(1, "third", 30);
  Advance(19);
  Commit();
  EXPECT_TRUE(Keeps(1, "first"));
  Advance(20);
  EXPECT_EQ(table_->dirty_keys(), 1u);
  EXPECT_EQ(Commit(), 1);
  EXPECT_FALSE(Keeps(1, "first"));
  EXPECT_TRUE(Keeps(1, "second"));
  EXPECT_EQ(Name(1, 20), "second");
  Advance(29);
  EXPECT_EQ(Commit(), 0);
  Advance(500);
  EXPECT_EQ(Commit(), 1);
  EXPECT_FALSE(Keeps(1, "second"));
  EXPECT_EQ(Name(1, 500), "third");
  // A single version stays however old it is.
  Advance(1'000'000);
  EXPECT_EQ(Commit(), 0);
  EXPECT_EQ(Name(1, 1'000'000), "third");
}

TEST_F(VersionedTableTest, ADeletedKeyGoesAltogetherUnlessItComesBack) {
  Put(1, "one", 10);
  Put(1, std::nullopt, 20);
  Put(2, "two", 10);
  Put(2, std::nullopt, 20);
  Put(2, "again", 30);
  Put(3, std::nullopt, 20);  // of what never was
  EXPECT_EQ(Commit(), 3);
  Advance(19);
  EXPECT_EQ(Commit(), 0);
  Advance(20);
  EXPECT_EQ(Commit(), 2);  // "one" and "two" are forgotten
  EXPECT_EQ(store_.rows.size(), 3u);
  Advance(21);
  EXPECT_EQ(Commit(), 2);
  EXPECT_EQ(store_.rows.size(), 1u);
  EXPECT_EQ(Name(1, 21), "none");
  EXPECT_EQ(Name(2, 29), "none");
  EXPECT_EQ(Name(2, 30), "again");
  Advance(30);
  EXPECT_EQ(Commit(), 1);
  EXPECT_EQ(Name(2, 30), "again");
}

TEST_F(VersionedTableTest, ALateRowIsTheNewestFromTheWatermarkOn) {
  Put(1, "old", 10);
  Put(1, "next", 60);
  Advance(50);
  Commit();
  EXPECT_EQ(table_->late_rows(), 0);
  Put(1, "late", 40);
  EXPECT_EQ(table_->late_rows(), 1);
  EXPECT_EQ(Name(1, 50), "late");
  EXPECT_EQ(Name(1, 60), "next");
  EXPECT_EQ(Commit(), 1);
  EXPECT_FALSE(Keeps(1, "old"));
  // One that is older still changes nothing.
  Put(1, "later", 30);
  EXPECT_EQ(table_->late_rows(), 2);
  EXPECT_EQ(Name(1, 50), "late");
  EXPECT_EQ(Commit(), 0);
  // At the watermark is in time.
  Put(1, "now", 50);
  EXPECT_EQ(table_->late_rows(), 2);
  EXPECT_EQ(Name(1, 50), "now");
  // A late tombstone.
  Put(2, "two", 10);
  Put(2, std::nullopt, 20);
  EXPECT_EQ(table_->late_rows(), 4);
  EXPECT_EQ(Name(2, 50), "none");
  EXPECT_EQ(Commit(), 1);
  EXPECT_EQ(store_.rows.size(), 1u);
  // The deletion is forgotten, so what is older counts as new.
  Put(2, "two", 15);
  EXPECT_EQ(Name(2, 50), "two");
}

TEST_F(VersionedTableTest, ADeletionAtTheWatermarkStandsAgainstATie) {
  Put(1, "one", 10);
  const EventOrder before = At(20, 0, offset_++);
  Put(1, std::nullopt, 20);
  Advance(20);
  // At the watermark is in time, and comes before the deletion.
  Put(Datum::Int(1), "tied", before);
  EXPECT_EQ(table_->late_rows(), 0);
  EXPECT_EQ(Name(1, 20), "none");
  EXPECT_EQ(Name(1, 90), "none");
  Advance(21);
  EXPECT_EQ(Commit(), 0);
  EXPECT_TRUE(store_.rows.empty());
}

TEST_F(VersionedTableTest, KeysOfBeforeTheStartArePrunedWhenTouched) {
  Put(1, "first", 10);
  Put(1, "second", 20);
  Put(2, "first", 10);
  Put(2, std::nullopt, 20);
  EXPECT_EQ(Commit(), 2);
  Open(EventTime(5));
  Advance(30);
  EXPECT_EQ(Commit(), 0);
  EXPECT_EQ(Name(1, 30), "second");
  EXPECT_EQ(Name(2, 30), "none");
  EXPECT_EQ(Commit(), 2);
  EXPECT_FALSE(Keeps(1, "first"));
  EXPECT_EQ(store_.rows.size(), 1u);
}

TEST_F(VersionedTableTest, ARowWithNullInItsKeyIsPassedOver) {
  Put(Datum::Null(), "x", At(10, 0, 0));
  EXPECT_EQ(table_->dirty_keys(), 0u);
  EXPECT_EQ(store_.lookups, 0);
}

TEST_F(VersionedTableTest, AFailedLookUpIsPassedUp) {
  Put(1, "one", 10);
  Put(1, "two", 20);
  Commit();
  Open(kNoEventTime);
  store_.fail_with = absl::UnavailableError("disk");
  absl::string_view row;
  EXPECT_EQ(table_->RowAsOf(Key(1), EventTime(10), &row).status(),
            store_.fail_with);
  const Datum columns[] = {Datum::Text("x"), Datum::Int(1)};
  EXPECT_EQ(table_->Apply({.order = At(30, 0, 0), .columns = columns}),
            store_.fail_with);
  EXPECT_EQ(table_->dirty_keys(), 0u);
}

TEST_F(VersionedTableTest, MalformedStateIsDataLoss) {
  source_.name = "t";
  Put(1, "one", 10);
  Put(1, std::nullopt, 20);
  Commit();
  const std::string good = store_.rows.begin()->second.state;
  Put(1, "one", 10);
  Commit();
  std::vector<std::string> bad = {good + "x", good + good};
  // Where one version ends is a good end, too.
  for (size_t size = 1; size < good.size(); ++size) {
    bad.push_back(good.substr(0, size));
  }
  int good_ends = 0;
  for (const std::string& state : bad) {
    store_.rows.begin()->second.state = state;
    Open(kNoEventTime);
    absl::string_view row;
    const absl::Status status =
        table_->RowAsOf(Key(1), EventTime(10), &row).status();
    if (status.ok()) {
      ++good_ends;
    } else {
      EXPECT_EQ(status, absl::DataLossError("table=t: malformed versions"));
    }
  }
  EXPECT_EQ(good_ends, 1);
}

// --- against a model that remembers everything ---

struct ModelVersion {
  EventOrder order;
  std::optional<std::string> name;
};

// A key's versions, in the order of coming.
struct Model {
  using Versions = std::vector<ModelVersion>;
  std::map<int64_t, Versions> keys;
  int64_t watermark = -1'000;

  static const ModelVersion* AsOf(const Versions& versions, int64_t time) {
    const ModelVersion* valid = nullptr;
    for (const ModelVersion& version : versions) {
      if (version.order.time > EventTime(time)) continue;
      if (valid == nullptr || version.order > valid->order) valid = &version;
    }
    return valid;
  }
  // Those that an event from the watermark on can meet: what is to be kept.
  Versions Needed(int64_t id) const {
    const auto found = keys.find(id);
    if (found == keys.end()) return {};
    Versions needed;
    for (const ModelVersion& version : found->second) {
      if (version.order.time > EventTime(watermark)) needed.push_back(version);
    }
    const ModelVersion* const now = AsOf(found->second, watermark);
    if (now != nullptr && (now->name || !needed.empty() ||
                           now->order.time == EventTime(watermark))) {
      needed.push_back(*now);
    }
    return needed;
  }
  void Put(int64_t id, ModelVersion version) {
    // A deletion that is all there is has been forgotten.
    if (Needed(id).empty()) keys.erase(id);
    keys[id].push_back(std::move(version));
  }
  std::string Name(int64_t id, int64_t as_of) const {
    const auto found = keys.find(id);
    if (found == keys.end()) return "none";
    const ModelVersion* const valid = AsOf(found->second, as_of);
    return valid == nullptr ? "none" : valid->name.value_or("none");
  }
};

class VersionedTablePropertyTest : public VersionedTableTest {
 protected:
  VersionedTablePropertyTest() {
    const uint64_t seed = std::random_device{}();
    std::cout << "seed " << seed << "\n";
    random_.seed(seed);
  }
  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }

  void RandomPut(Model* model) {
    const int64_t id = Below(12);
    // Few times: ties are frequent.
    ModelVersion version{At(model->watermark + Below(50) - 15,
                            static_cast<int32_t>(Below(3)), offset_++),
                         std::nullopt};
    if (Below(4) != 0) version.name = absl::StrCat("<", ++names_, ">");
    late_ += version.order.time < EventTime(model->watermark) ? 1 : 0;
    Put(Datum::Int(id), version.name, version.order);
    model->Put(id, std::move(version));
  }

  // Of every key, no more is stored than is needed (without restarts: then of
  // keys that were touched).
  void CheckStored(const Model& model) {
    size_t stored = 0;
    for (const auto& [id, versions] : model.keys) {
      const Model::Versions needed = model.Needed(id);
      stored += needed.empty() ? 0 : 1;
      for (const ModelVersion& version : versions) {
        if (!version.name) continue;
        const bool is_needed = std::any_of(
            needed.begin(), needed.end(),
            [&](const ModelVersion& n) { return n.order == version.order; });
        ASSERT_EQ(Keeps(id, *version.name), is_needed) << *version.name;
      }
    }
    ASSERT_EQ(store_.rows.size(), stored);
  }

  void Round(bool restarts, size_t max_cached_keys) {
    store_ = FakeStore();
    Model model;
    Model committed;
    Open(EventTime(model.watermark), max_cached_keys);
    for (int step = 0; step < 500; ++step) {
      const int64_t what = Below(20);
      if (what < 9) {
        RandomPut(&model);
      } else if (what < 15) {
        const int64_t id = Below(13);
        const int64_t as_of = model.watermark + Below(50);
        ASSERT_EQ(Name(id, as_of), model.Name(id, as_of))
            << "id=" << id << " as_of=" << as_of;
      } else if (what < 17) {
        model.watermark += Below(20);
        Advance(model.watermark);
      } else if (what < 19) {
        Commit();
        committed = model;
        if (!restarts) {
          ASSERT_NO_FATAL_FAILURE(CheckStored(model));
        }
      } else if (restarts && Below(3) == 0) {
        model = committed;
        Open(EventTime(model.watermark), max_cached_keys);
        ++restarted_;
      }
    }
  }

  std::mt19937_64 random_;
  int64_t names_ = 0;
  int64_t late_ = 0;
  int64_t restarted_ = 0;
};

TEST_F(VersionedTablePropertyTest, EqualsTheModelAndKeepsNoMoreThanItNeeds) {
  for (int round = 0; round < 100; ++round) {
    const int64_t late = late_;
    ASSERT_NO_FATAL_FAILURE(
        Round(/*restarts=*/false, round % 2 == 0 ? 4 : kMaxCachedKeys))
        << "round " << round;
    ASSERT_EQ(table_->late_rows(), late_ - late);
  }
  EXPECT_GT(late_, 0);
}

TEST_F(VersionedTablePropertyTest, EqualsTheModelOverRestarts) {
  for (int round = 0; round < 100; ++round) {
    ASSERT_NO_FATAL_FAILURE(
        Round(/*restarts=*/true, round % 2 == 0 ? 4 : kMaxCachedKeys))
        << "round " << round;
  }
  EXPECT_GT(restarted_, 0);
}

}  // namespace
}  // namespace tidegate
