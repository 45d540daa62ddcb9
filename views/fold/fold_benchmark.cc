// What folding one event costs, without decoding and without a store.
#include <benchmark/benchmark.h>

#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddAggregate;
using testing::AddOutput;
using testing::Column;

ViewPlan Totals() {
  ViewPlan plan;
  plan.name = "totals";
  plan.grouped = true;
  plan.group_by = {Column(0, Type::kBigint)};
  AddOutput(&plan, "driver_id", Column(0, Type::kBigint));
  plan.key_columns = {0};
  AddAggregate(&plan, "orders", {.kind = AggregateKind::kCountStar});
  AddAggregate(&plan, "total",
               {.kind = AggregateKind::kSum,
                .argument = Column(1, Type::kDouble),
                .result = Type::kDouble});
  AddAggregate(&plan, "last",
               {.kind = AggregateKind::kLastValue,
                .argument = Column(2, Type::kTimestamptz),
                .order_by = Column(2, Type::kTimestamptz),
                .result = Type::kTimestamptz});
  return plan;
}

// Argument 0: keys; argument 1: events per commit.
void FoldTotals(benchmark::State& state) {
  const ViewPlan plan = Totals();
  const SourcePlan source = testing::Source({{"driver_id", Type::kBigint},
                                             {"amount", Type::kDouble},
                                             {"ts", Type::kTimestamptz}});
  const RowSchema schema = testing::SchemaOf(plan);
  const auto fold = ViewFold::Create(
      &plan, &source, nullptr, &schema,
      [](absl::string_view, Stored*) -> absl::StatusOr<bool> { return false; },
      testing::NoTable());
  int64_t n = 0;
  int64_t changes = 0;
  for (auto _ : state) {
    const int64_t key = n * 7919 % state.range(0);
    const Datum columns[] = {Datum::Int(key), Datum::Double(1.5),
                             Datum::Int(n)};
    const absl::Status applied = testing::Feed(
        fold.get(), {.order = testing::At(n, 0, n), .columns = columns});
    if (!applied.ok()) state.SkipWithError("fold failed");
    if (++n % state.range(1) != 0) continue;
    const absl::Status drained =
        fold->Drain([&changes](const FoldedChange&) { ++changes; });
    if (!drained.ok()) state.SkipWithError("drain failed");
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["changes"] = static_cast<double>(changes);
}
BENCHMARK(FoldTotals)
    ->ArgNames({"keys", "per_commit"})
    ->Args({1'000, 1})
    ->Args({1'000, 1'000})
    ->Args({100'000, 1'000})
    ->Args({100'000, 100'000});

}  // namespace
}  // namespace tidegate

BENCHMARK_MAIN();
