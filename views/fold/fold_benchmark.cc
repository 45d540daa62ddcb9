// What folding one event costs, without decoding and without a store.
#include <benchmark/benchmark.h>

#include <optional>

#include "views/fold/fold_testing.h"

namespace tidegate {
namespace {

using testing::AddAggregate;
using testing::AddOutput;
using testing::Column;

ViewPlan Totals(std::optional<WindowPlan> window) {
  ViewPlan plan;
  plan.name = "totals";
  plan.grouped = true;
  plan.window = window;
  plan.group_by = {Column(0, Type::kBigint)};
  AddOutput(&plan, "driver_id", Column(0, Type::kBigint));
  plan.key_columns = {0};
  if (window) {
    plan.group_by.push_back(Column(3, Type::kTimestamptz));
    AddOutput(&plan, "window_start", Column(1, Type::kTimestamptz));
    plan.key_columns = {0, 1};
  }
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
void Fold(benchmark::State& state, std::optional<WindowPlan> window) {
  const ViewPlan plan = Totals(window);
  const SourcePlan source = testing::Source({{"driver_id", Type::kBigint},
                                             {"amount", Type::kDouble},
                                             {"ts", Type::kTimestamptz}});
  const RowSchema schema = testing::SchemaOf(plan);
  const auto fold = ViewFold::Create(
      &plan, &source, nullptr, &schema,
      {.stored = [](absl::string_view, Stored*) -> absl::StatusOr<bool> {
        return false;
      }});
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

void FoldTotals(benchmark::State& state) { Fold(state, std::nullopt); }
BENCHMARK(FoldTotals)
    ->ArgNames({"keys", "per_commit"})
    ->Args({1'000, 1})
    ->Args({1'000, 1'000})
    ->Args({100'000, 1'000})
    ->Args({100'000, 100'000})
    ->Args({5'000'000, 500'000});

// An event a microsecond; windows of 100 ms.
void FoldTumble(benchmark::State& state) {
  Fold(state, WindowPlan{WindowKind::kTumble, 100'000, 100'000});
}
BENCHMARK(FoldTumble)
    ->ArgNames({"keys", "per_commit"})
    ->Args({1'000, 1'000})
    ->Args({100'000, 1'000});

// As FoldTumble, each event in 10 windows.
void FoldHop(benchmark::State& state) {
  Fold(state, WindowPlan{WindowKind::kHop, 100'000, 10'000});
}
BENCHMARK(FoldHop)->ArgNames({"keys", "per_commit"})->Args({1'000, 1'000});

}  // namespace
}  // namespace tidegate

BENCHMARK_MAIN();
