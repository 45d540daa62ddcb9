// What choosing a row costs, by how many columns it has and the filter names.
#include <benchmark/benchmark.h>

#include "absl/strings/str_cat.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

// region VARCHAR, total BIGINT, and as many DOUBLEs as make `columns`.
RowSchema Totals(int64_t columns) {
  RowSchema schema;
  schema.fields = {{"region", Type::kVarchar, 1}, {"total", Type::kBigint, 2}};
  for (auto i = static_cast<uint32_t>(schema.fields.size()); i < columns; ++i) {
    schema.fields.push_back({absl::StrCat("c", i), Type::kDouble, i + 1});
  }
  return schema;
}

void Matches(benchmark::State& state, absl::string_view text) {
  const RowSchema schema = Totals(state.range(0));
  std::string rows[2];
  for (int i = 0; i < 2; ++i) {
    std::vector<Datum> row(schema.fields.size(), Datum::Double(1.5));
    row[0] = Datum::Text(i == 0 ? "EU" : "APAC");
    row[1] = Datum::Int(150);
    EncodeRow(schema, row, &rows[i]);
  }
  const auto filter = RowFilter::Compile(text, schema);
  if (!filter.ok()) {
    state.SkipWithError("filter refused");
    return;
  }
  int64_t matched = 0, n = 0;
  for (auto _ : state) {
    const absl::StatusOr<bool> matches = (*filter)->Matches(rows[n++ % 2]);
    if (!matches.ok()) state.SkipWithError("row refused");
    matched += matches.ok() && *matches ? 1 : 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["matched"] = benchmark::Counter(
      static_cast<double>(matched), benchmark::Counter::kAvgIterations);
}

void MatchesTwoColumns(benchmark::State& state) {
  Matches(state, "region = 'EU' AND total > 100");
}
BENCHMARK(MatchesTwoColumns)->ArgName("columns")->Arg(4)->Arg(16)->Arg(64);

void MatchesText(benchmark::State& state) {
  Matches(state, "lower(region) LIKE 'e%'");
}
BENCHMARK(MatchesText)->ArgName("columns")->Arg(4);

void CompileFilter(benchmark::State& state) {
  const RowSchema schema = Totals(state.range(0));
  for (auto _ : state) {
    auto filter = RowFilter::Compile("region = 'EU' AND total > 100", schema);
    benchmark::DoNotOptimize(filter);
  }
}
BENCHMARK(CompileFilter)->ArgName("columns")->Arg(16);

}  // namespace
}  // namespace tidegate

BENCHMARK_MAIN();
