// Folds against a model that knows every event, whatever the order of events,
// the commits between them and the size of the cache.
#include <algorithm>
#include <iostream>
#include <limits>
#include <optional>
#include <random>

#include "absl/numeric/int128.h"
#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddAggregate;
using testing::AddOutput;
using testing::Column;
using testing::Compare;
using testing::Constant;
using testing::FakeStore;

// A row of the source (k VARCHAR, x BIGINT, d DOUBLE PRECISION, s VARCHAR,
// ts TIMESTAMPTZ).
struct SourceRow {
  std::optional<std::string> k;
  std::optional<int64_t> x;
  std::optional<double> d;
  std::optional<std::string> s;
  std::optional<int64_t> ts;
  EventOrder order;

  std::vector<Datum> columns() const {
    return {k ? Datum::Text(*k) : Datum::Null(),
            x ? Datum::Int(*x) : Datum::Null(),
            d ? Datum::Double(*d) : Datum::Null(),
            s ? Datum::Text(*s) : Datum::Null(),
            ts ? Datum::Int(*ts) : Datum::Null()};
  }
  // WHERE x <> 3
  bool passes() const { return x && *x != 3; }
};

std::vector<SourceRow> RandomRows(std::mt19937_64* random) {
  std::vector<SourceRow> rows(200 + (*random)() % 200);
  int64_t offsets[3] = {0, 0, 0};
  const auto is_null = [random] { return (*random)() % 8 == 0; };
  for (SourceRow& row : rows) {
    if (!is_null()) row.k = std::string(1, 'a' + (*random)() % 12);
    if (!is_null()) {
      row.x = (*random)() % 40 == 0 ? std::numeric_limits<int64_t>::max() -
                                          static_cast<int64_t>((*random)() % 9)
                                    : static_cast<int64_t>((*random)() % 9) - 4;
    }
    // Eighths: their sums are exact.
    if (!is_null()) {
      row.d = (static_cast<double>((*random)() % 2001) - 1000) / 8;
    }
    if (!is_null()) row.s = absl::StrCat("s", (*random)() % 50);
    if (!is_null()) row.ts = static_cast<int64_t>((*random)() % 30);
    const auto partition = static_cast<int32_t>((*random)() % 3);
    row.order =
        testing::At(row.ts.value_or(7), partition, offsets[partition]++);
  }
  return rows;
}

Expr K() { return Column(0, Type::kVarchar); }
Expr X() { return Column(1, Type::kBigint); }
Expr D() { return Column(2, Type::kDouble); }
Expr S() { return Column(3, Type::kVarchar); }
Expr Ts() { return Column(4, Type::kTimestamptz); }

Expr Filter() {
  return Compare(Op::kNotEqual, X(), Constant(Type::kBigint, Datum::Int(3)));
}

ViewPlan GroupedPlan() {
  ViewPlan plan;
  plan.name = "grouped";
  plan.grouped = true;
  plan.where = Filter();
  plan.group_by = {K()};
  AddOutput(&plan, "k", K());
  plan.key_columns = {0};
  const auto add = [&plan](AggregateKind kind, Expr argument, Type result,
                           std::optional<Expr> order_by = std::nullopt) {
    AggregateCall call;
    call.kind = kind;
    call.argument = std::move(argument);
    call.order_by = std::move(order_by);
    call.result = result;
    AddAggregate(&plan, absl::StrCat("c", plan.columns.size()),
                 std::move(call));
  };
  AddAggregate(&plan, "n", {.kind = AggregateKind::kCountStar});
  add(AggregateKind::kCount, D(), Type::kBigint);
  add(AggregateKind::kSum, X(), Type::kBigint);
  add(AggregateKind::kSum, D(), Type::kDouble);
  add(AggregateKind::kMin, X(), Type::kBigint);
  add(AggregateKind::kMax, S(), Type::kVarchar);
  add(AggregateKind::kAvg, X(), Type::kDouble);
  add(AggregateKind::kFirstValue, S(), Type::kVarchar, Ts());
  add(AggregateKind::kLastValue, X(), Type::kBigint, Ts());
  add(AggregateKind::kMinBy, S(), Type::kVarchar, X());
  add(AggregateKind::kMaxBy, X(), Type::kBigint, D());
  return plan;
}

ViewPlan KeyedPlan() {
  ViewPlan plan;
  plan.name = "keyed";
  plan.where = Filter();
  AddOutput(&plan, "s", S());
  AddOutput(&plan, "k", K());
  AddOutput(&plan, "x", X());
  plan.key_columns = {1};
  return plan;
}

// One group of the model: its rows, and what SQL says of them.
class Group {
 public:
  void Add(const SourceRow& row) { rows_.push_back(&row); }

  std::string Text() const {
    int64_t d_count = 0;
    absl::int128 x_sum = 0;
    double d_sum = 0;
    std::optional<int64_t> x_min;
    std::optional<std::string> s_max;
    for (const SourceRow* row : rows_) {
      x_sum += *row->x;
      if (row->d) ++d_count, d_sum += *row->d;
      x_min = std::min(x_min.value_or(*row->x), *row->x);
      if (row->s) s_max = std::max(s_max.value_or(*row->s), *row->s);
    }
    const auto count = static_cast<double>(rows_.size());
    const bool fits = x_sum <= std::numeric_limits<int64_t>::max();
    const SourceRow* first = Extreme(false);
    const SourceRow* last = Extreme(true);
    const SourceRow* by_x = nullptr;
    const SourceRow* by_d = nullptr;
    for (const SourceRow* row : rows_) {
      const auto earlier = [row](const SourceRow* other) {
        return row->order < other->order;
      };
      if (by_x == nullptr || *row->x < *by_x->x ||
          (*row->x == *by_x->x && earlier(by_x))) {
        by_x = row;
      }
      if (row->d && (by_d == nullptr || *row->d > *by_d->d ||
                     (*row->d == *by_d->d && earlier(by_d)))) {
        by_d = row;
      }
    }
    return absl::StrCat(
        Quoted(rows_[0]->k), "|", rows_.size(), "|", d_count, "|",
        fits ? absl::StrCat(static_cast<int64_t>(x_sum)) : "NULL", "|",
        d_count == 0 ? "NULL" : DatumText(Type::kDouble, Datum::Double(d_sum)),
        "|", *x_min, "|", Quoted(s_max), "|",
        DatumText(Type::kDouble,
                  Datum::Double(static_cast<double>(x_sum) / count)),
        "|", first ? Quoted(first->s) : "NULL", "|",
        last ? absl::StrCat(*last->x) : "NULL", "|", Quoted(by_x->s), "|",
        by_d ? absl::StrCat(*by_d->x) : "NULL");
  }

  static std::string Quoted(const std::optional<std::string>& text) {
    return text ? absl::StrCat("\"", *text, "\"") : "NULL";
  }

 private:
  const SourceRow* Extreme(bool last) const {
    const SourceRow* best = nullptr;
    for (const SourceRow* row : rows_) {
      if (!row->ts) continue;
      if (best == nullptr || (row->order > best->order) == last) {
        best = row;
      }
    }
    return best;
  }

  std::vector<const SourceRow*> rows_;
};

// Keys in the views' order: NULL last.
using Key = std::pair<bool, std::string>;
Key KeyOf(const SourceRow& row) { return {!row.k, row.k.value_or("")}; }

std::vector<std::string> GroupedModel(const std::vector<SourceRow>& rows) {
  std::map<Key, Group> groups;
  for (const SourceRow& row : rows) {
    if (row.passes()) groups[KeyOf(row)].Add(row);
  }
  std::vector<std::string> texts;
  texts.reserve(groups.size());
  for (const auto& [key, group] : groups) texts.push_back(group.Text());
  return texts;
}

std::vector<std::string> KeyedModel(const std::vector<SourceRow>& rows) {
  std::map<Key, const SourceRow*> last;
  for (const SourceRow& row : rows) {
    if (!row.passes()) continue;
    const SourceRow*& kept = last[KeyOf(row)];
    if (kept == nullptr || row.order > kept->order) kept = &row;
  }
  std::vector<std::string> texts;
  texts.reserve(last.size());
  for (const auto& [key, row] : last) {
    texts.push_back(absl::StrCat(Group::Quoted(row->s), "|",
                                 Group::Quoted(row->k), "|", *row->x));
  }
  return texts;
}

// Folds `rows` in their order into a new store, committing and restarting the
// fold now and then.
FakeStore Fold(const ViewPlan& plan, const std::vector<SourceRow>& rows,
               size_t max_keys, int commit_one_in, std::mt19937_64* random) {
  const SourcePlan source = testing::Source({{"k", Type::kVarchar},
                                             {"x", Type::kBigint},
                                             {"d", Type::kDouble},
                                             {"s", Type::kVarchar},
                                             {"ts", Type::kTimestamptz}});
  const RowSchema schema = testing::SchemaOf(plan);
  FakeStore store;
  const auto start = [&] {
    return ViewFold::Create(&plan, &source, nullptr, &schema,
                            store.Sources(testing::NoTable()), max_keys);
  };
  std::unique_ptr<ViewFold> fold = start();
  for (const SourceRow& row : rows) {
    const std::vector<Datum> columns = row.columns();
    const absl::Status status =
        testing::Feed(fold.get(), {.order = row.order, .columns = columns});
    EXPECT_TRUE(status.ok()) << status;
    if (commit_one_in == 0) continue;
    if ((*random)() % commit_one_in == 0) store.Commit(fold.get());
    if ((*random)() % 100 == 0) {
      store.Commit(fold.get());
      fold = start();
    }
  }
  store.Commit(fold.get());
  return store;
}

class FoldPropertyTest : public ::testing::Test {
 protected:
  FoldPropertyTest() {
    const uint64_t seed = std::random_device{}();
    std::cout << "seed " << seed << "\n";
    random_.seed(seed);
  }

  template <typename Model>
  void Check(const ViewPlan& plan, Model model) {
    const RowSchema schema = testing::SchemaOf(plan);
    int lookups_whole = 0, lookups_evicted = 0;
    for (int round = 0; round < 50; ++round) {
      std::vector<SourceRow> rows = RandomRows(&random_);
      const FakeStore whole =
          Fold(plan, rows, kMaxCachedKeys, /*commit_one_in=*/0, &random_);
      ASSERT_EQ(whole.Texts(schema), model(rows)) << "round " << round;
      // Any order, many commits, restarts, and a cache too small.
      std::shuffle(rows.begin(), rows.end(), random_);
      const FakeStore shuffled =
          Fold(plan, rows, /*max_keys=*/4, /*commit_one_in=*/5, &random_);
      ASSERT_EQ(shuffled.rows, whole.rows) << "round " << round;
      lookups_whole += whole.lookups;
      lookups_evicted += shuffled.lookups;
    }
    // The small cache did evict.
    EXPECT_GT(lookups_evicted, 2 * lookups_whole);
  }

  std::mt19937_64 random_;
};

TEST_F(FoldPropertyTest, GroupedViewsEqualTheModelInAnyOrder) {
  Check(GroupedPlan(), GroupedModel);
}

TEST_F(FoldPropertyTest, KeyedViewsEqualTheModelInAnyOrder) {
  Check(KeyedPlan(), KeyedModel);
}

}  // namespace
}  // namespace tidegate
