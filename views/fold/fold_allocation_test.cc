// Folding an event of a known key allocates nothing.
#include <optional>

#include "base/allocations_testing.h"
#include "gtest/gtest.h"
#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddAggregate;
using testing::AddOutput;
using testing::Column;

// GROUP BY a text, and the window's start where there is one.
ViewPlan Totals(std::optional<WindowPlan> window) {
  ViewPlan plan;
  plan.grouped = true;
  plan.window = window;
  plan.retention_us = window ? std::optional<int64_t>(1) : std::nullopt;
  plan.group_by = {Column(0, Type::kVarchar)};
  if (window && window->kind != WindowKind::kSliding) {
    plan.group_by.push_back(Column(2, Type::kTimestamptz));
  }
  for (size_t i = 0; i < plan.group_by.size(); ++i) {
    const int place = static_cast<int>(i);
    AddOutput(&plan, "k", Column(place, plan.group_by[i].type));
    plan.key_columns.push_back(place);
  }
  AddAggregate(&plan, "n", {.kind = AggregateKind::kCountStar});
  for (const AggregateKind kind :
       {AggregateKind::kSum, AggregateKind::kAvg, AggregateKind::kMax,
        AggregateKind::kLastValue}) {
    AddAggregate(&plan, "c",
                 {.kind = kind,
                  .argument = Column(1, Type::kBigint),
                  .order_by = Column(1, Type::kBigint)});
  }
  return plan;
}

// More than a fold puts off.
constexpr int64_t kWarm = 100;

// Of one key and all its windows, after the first events.
void ExpectNoAllocation(const ViewPlan& plan) {
  const SourcePlan source =
      testing::Source({{"k", Type::kVarchar}, {"x", Type::kBigint}});
  const RowSchema schema = testing::SchemaOf(plan);
  testing::FakeStore store;
  const auto fold = ViewFold::Create(&plan, &source, nullptr, &schema,
                                     store.Sources(testing::NoTable()));
  const auto apply = [&fold](int64_t n) {
    const Datum columns[] = {
        Datum::Text("a key that is longer than a short string holds"),
        Datum::Int(n)};
    return testing::Feed(fold.get(),
                         {.order = testing::At(n, 0, n), .columns = columns})
        .ok();
  };
  const int64_t start = allocations;
  bool ok = true;
  for (int64_t n = 0; n < kWarm; ++n) ok &= apply(n);
  const int64_t warm = allocations;
  EXPECT_GT(warm, start);
  for (int64_t n = kWarm; n < 1'000; ++n) ok &= apply(n);
  EXPECT_TRUE(ok);
  EXPECT_EQ(allocations - warm, 0);
}

TEST(FoldAllocationTest, GroupedEventsOfAKnownKey) {
  ExpectNoAllocation(Totals(std::nullopt));
}

TEST(FoldAllocationTest, EventsOfKnownWindows) {
  ExpectNoAllocation(Totals(WindowPlan{WindowKind::kTumble, 1'000, 1'000}));
  ExpectNoAllocation(Totals(WindowPlan{WindowKind::kHop, 3'000, 1'000}));
  ExpectNoAllocation(Totals(WindowPlan{WindowKind::kSession, 10}));
  ExpectNoAllocation(Totals(WindowPlan{WindowKind::kSliding, 3'000, 1'000}));
}

}  // namespace
}  // namespace tidegate
