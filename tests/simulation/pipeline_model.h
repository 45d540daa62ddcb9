// An independent model of the simulated pipeline's views: the batch answer over
// all records, computed without the product's plan, fold or store.
#ifndef TIDEGATE_TESTS_SIMULATION_PIPELINE_MODEL_H_
#define TIDEGATE_TESTS_SIMULATION_PIPELINE_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr absl::string_view kSimulationSql = R"sql(
CREATE SOURCE orders (
  order_id VARCHAR, driver_id BIGINT, region VARCHAR, amount BIGINT,
  price DOUBLE PRECISION, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'orders', dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, count(region) AS regions,
         sum(amount) AS total, min(amount) AS low, max(amount) AS high,
         avg(amount) AS mean, sum(price) AS paid,
         first_value(region ORDER BY ts) AS first_region,
         last_value(order_id ORDER BY ts) AS last_order
  FROM orders GROUP BY driver_id;
CREATE MATERIALIZED VIEW by_region AS
  SELECT region, count(*) AS n, max(price) AS top
  FROM orders WHERE amount > 20 GROUP BY region;
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, o.amount, d.name FROM orders o
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id;
CREATE MATERIALIZED VIEW latest (PRIMARY KEY (driver_id)) AS
  SELECT driver_id, order_id, region FROM orders;
)sql";
inline constexpr absl::string_view kModelViews[] = {
    "drivers", "totals", "by_region", "named", "latest"};

struct ModelOrder {
  std::string order_id;
  int64_t driver_id = 0;
  std::optional<std::string> region;
  std::optional<int64_t> amount;
  double price = 0;  // a multiple of 1/4: sums are exact
  int64_t ts_us = 0;
  int partition = 0;
  int64_t offset = 0;
};

struct PipelineModel {
  std::vector<ModelOrder> orders;
  std::map<int64_t, std::string> drivers;  // as complete before the first order

  // Rows as RowText, sorted as text.
  std::vector<std::string> Rows(absl::string_view view) const;
};

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_PIPELINE_MODEL_H_
