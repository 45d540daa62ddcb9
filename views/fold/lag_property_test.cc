// lag() against a model that looks back at all events, whatever commits and
// restarts come between and however small the cache is.
#include <cmath>
#include <iostream>
#include <limits>
#include <optional>
#include <random>

#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddOutput;
using testing::At;
using testing::Binary;
using testing::Column;
using testing::Compare;
using testing::Constant;
using testing::FakeStore;
using Texts = std::vector<std::string>;

struct Record {
  int64_t time = 0;
  int64_t offset = 0;
  std::optional<int64_t> p;
  int64_t id = 0;
  // By type, of kTypes; text borrows from `text`.
  std::vector<Datum> values;
  std::string text;
};

constexpr Type kTypes[] = {Type::kBoolean, Type::kInt,     Type::kBigint,
                           Type::kDouble,  Type::kVarchar, Type::kTimestamptz};

// Of the source (p BIGINT, id BIGINT, one column of each of kTypes).
class LagPropertyTest : public ::testing::Test {
 protected:
  LagPropertyTest() {
    const uint64_t seed = std::random_device{}();
    std::cout << "seed " << seed << "\n";
    random_.seed(seed);
    std::vector<tidegate::Column> columns = {{"p", Type::kBigint},
                                             {"id", Type::kBigint}};
    for (const Type type : kTypes) columns.push_back({"c", type});
    source_ = testing::Source(std::move(columns));
  }

  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }

  Datum RandomValue(Type type, std::string* text) {
    if (Below(5) == 0) return Datum::Null();
    switch (type) {
      case Type::kBoolean:
        return Datum::Bool(Below(2) == 0);
      case Type::kDouble: {
        const double values[] = {0.0,
                                 -0.0,
                                 1.5,
                                 -1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::nan("")};
        return Datum::Double(values[Below(6)]);
      }
      case Type::kVarchar:
        *text = std::string(static_cast<size_t>(Below(40)), 'a' + Below(26));
        return Datum::Text(*text);
      case Type::kInt:
        return Datum::Int(Below(7) - 3);
      default:
        return Datum::Int(Below(2) == 0
                              ? Below(7) - 3
                              : std::numeric_limits<int64_t>::min() + Below(9));
    }
  }

  void MakePlan() {
    plan_ = ViewPlan();
    plan_.name = "v";
    plan_.ordered = true;
    plan_.partition_by = {Column(0, Type::kBigint)};
    if (Below(2) == 0) plan_.retention_us = 40;
    // WHERE the INT is not 0, 100 / (the INT + 3) among the outputs.
    const Expr n = Column(3, Type::kInt);
    plan_.where =
        Compare(Op::kNotEqual, n, Constant(Type::kInt, Datum::Int(0)));
    AddOutput(&plan_, "id", Column(1, Type::kBigint));
    plan_.key_columns = {0};
    AddOutput(&plan_, "q",
              Binary(Op::kDivide, Constant(Type::kInt, Datum::Int(100)),
                     Binary(Op::kAdd, n, Constant(Type::kInt, Datum::Int(3)),
                            Type::kInt),
                     Type::kInt));
    const int64_t lags = 1 + Below(8);
    for (int64_t i = 0; i < lags; ++i) {
      const auto type = static_cast<size_t>(Below(6));
      LagCall call;
      call.argument = Column(static_cast<int>(2 + type), kTypes[type]);
      call.distance = 1 + Below(5);
      if (Below(2) == 0) {
        std::string text;
        call.default_constant =
            Constant(kTypes[type], RandomValue(kTypes[type], &text));
      }
      AddOutput(&plan_, "lag", Column(static_cast<int>(8 + i), kTypes[type]));
      plan_.lags.push_back(std::move(call));
    }
    schema_ = testing::SchemaOf(plan_);
  }

  std::vector<Record> RandomRecords() {
    std::vector<Record> records(300);
    int64_t time = 0;
    for (size_t i = 0; i < records.size(); ++i) {
      Record& record = records[i];
      time += Below(3);
      record.time = time;
      record.offset = static_cast<int64_t>(i);
      if (Below(6) != 0) record.p = Below(6);
      record.id = Below(12);
      for (const Type type : kTypes) {
        record.values.push_back(RandomValue(type, &record.text));
      }
    }
    return records;
  }

  // The value n events back among the first `count` that passed, as SQL.
  static std::string Model(const LagCall& call,
                           const std::vector<const Record*>& before,
                           const Record& record, size_t value) {
    int64_t n = 0;
    for (auto at = before.rbegin(); at != before.rend(); ++at) {
      if ((*at)->p != record.p || ++n < call.distance) continue;
      return DatumText(call.argument.type, (*at)->values[value]);
    }
    return DatumText(call.argument.type,
                     call.default_constant ? call.default_constant->constants[0]
                                           : Datum::Null());
  }

  // The rows of a view that has seen `records` and this watermark.
  Texts Expected(absl::Span<const Record> records, int64_t watermark) {
    std::vector<const Record*> before;
    std::map<int64_t, std::pair<int64_t, std::string>> rows;
    for (const Record& record : records) {
      const Datum& n = record.values[1];
      if (n.is_null || n.i == 0 || n.i == -3) continue;
      std::string text = absl::StrCat(record.id, "|", 100 / (n.i + 3));
      for (const LagCall& call : plan_.lags) {
        const auto value = static_cast<size_t>(call.argument.code[0].arg - 2);
        absl::StrAppend(&text, "|", Model(call, before, record, value));
      }
      rows[record.id] = {record.time, std::move(text)};
      before.push_back(&record);
    }
    Texts texts;
    for (const auto& [id, row] : rows) {
      if (plan_.retention_us && row.first + *plan_.retention_us <= watermark) {
        continue;
      }
      texts.push_back(row.second);
    }
    return texts;
  }

  // Folds `records`, which are in order, with the watermark behind them and
  // commits and restarts between.
  void Check(const std::vector<Record>& records, size_t max_cached_keys) {
    FakeStore store, states;
    std::unique_ptr<ViewFold> fold;
    size_t next = 0, committed_next = 0;
    int64_t watermark = -1, committed_watermark = -1;
    const auto open = [&] {
      FoldSources sources = store.Sources(testing::NoTable());
      sources.stored_state = states.Lookup();
      fold = ViewFold::Create(&plan_, &source_, nullptr, &schema_,
                              std::move(sources), max_cached_keys);
      next = committed_next;
      watermark = committed_watermark;
      ASSERT_TRUE(fold->Open(EventTime(watermark)).ok());
    };
    open();
    while (next < records.size()) {
      const int64_t target = watermark + 1 + Below(20);
      for (; next < records.size() && records[next].time < target; ++next) {
        const Record& record = records[next];
        std::vector<Datum> columns = {
            record.p ? Datum::Int(*record.p) : Datum::Null(),
            Datum::Int(record.id)};
        columns.insert(columns.end(), record.values.begin(),
                       record.values.end());
        const absl::Status status = testing::Feed(
            fold.get(),
            {.order = At(record.time, 0, record.offset), .columns = columns});
        const Datum& n = record.values[1];
        ASSERT_EQ(status.ok(), n.is_null || n.i != -3) << status;
        diverted_ += status.ok() ? 0 : 1;
      }
      watermark = target;
      ASSERT_TRUE(fold->Advance(EventTime(watermark)).ok());
      if (Below(2) == 0) {
        states.CommitState([&](auto sink) { return fold->DrainState(sink); });
        store.Commit(fold.get());
        committed_next = next;
        committed_watermark = watermark;
        ASSERT_EQ(
            store.Texts(schema_),
            Expected(absl::MakeSpan(records).subspan(0, next), watermark));
      } else if (Below(6) == 0) {
        open();
        ++restarts_;
      }
    }
  }

  std::mt19937_64 random_;
  SourcePlan source_;
  ViewPlan plan_;
  RowSchema schema_;
  int64_t diverted_ = 0;
  int64_t restarts_ = 0;
};

TEST_F(LagPropertyTest, EqualsTheModelWhateverComesBetween) {
  for (int round = 0; round < 100; ++round) {
    MakePlan();
    const std::vector<Record> records = RandomRecords();
    ASSERT_NO_FATAL_FAILURE(
        Check(records, /*max_cached_keys=*/round % 2 == 0 ? 4 : kMaxCachedKeys))
        << "round " << round;
  }
  EXPECT_GT(diverted_, 0);
  EXPECT_GT(restarts_, 0);
}

}  // namespace
}  // namespace tidegate
