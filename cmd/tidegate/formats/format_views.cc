#include "cmd/tidegate/formats/format_views.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "views/sql/compile.h"

namespace tidegate {

absl::StatusOr<PlanSet> CompileFormatViews(absl::string_view encode) {
  const std::string sql = absl::StrCat(
      "CREATE SOURCE orders (order_id BIGINT, driver_id BIGINT, region "
      "VARCHAR, amount DOUBLE PRECISION, ts TIMESTAMPTZ, WATERMARK FOR ts AS "
      "ts - INTERVAL '2' SECOND) WITH (topic = 'orders') FORMAT PLAIN "
      "ENCODE ",
      encode,
      "; CREATE MATERIALIZED VIEW driver_totals AS SELECT driver_id, "
      "count(*) AS orders, sum(amount) AS total, last_value(region ORDER BY "
      "ts) AS region FROM orders GROUP BY driver_id;");
  CompileResult compiled = CompileViews(sql);
  if (!compiled.ok()) {
    return absl::InternalError(
        FormatDiagnostics("bench.sql", sql, compiled.diagnostics));
  }
  return std::move(compiled.plans);
}

}  // namespace tidegate
