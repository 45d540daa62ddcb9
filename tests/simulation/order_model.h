// Topics of orders and drivers from a seed, and what the views over them must
// show, folded with nothing but std::map.
#ifndef TIDEGATE_TESTS_SIMULATION_ORDER_MODEL_H_
#define TIDEGATE_TESTS_SIMULATION_ORDER_MODEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/store/position.h"

namespace tidegate {

inline constexpr absl::string_view kOrderViews = R"sql(
CREATE SOURCE orders (
  order_id VARCHAR, region VARCHAR, amount BIGINT, ts TIMESTAMPTZ
) WITH (topic = 'orders') FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT region, count(*) AS n, sum(amount) AS total, max(amount) AS top,
         last_value(amount ORDER BY ts) AS latest
  FROM orders GROUP BY region;
CREATE MATERIALIZED VIEW large (PRIMARY KEY (order_id)) AS
  SELECT order_id, region, amount FROM orders WHERE amount > 30;
)sql";
inline constexpr std::array<absl::string_view, 3> kOrderViewNames = {
    "drivers", "totals", "large"};

struct OrderEvent {
  std::string order_id;
  std::string region;
  int64_t amount = 0;
  int64_t ts = 0;
};
struct DriverEvent {
  int64_t driver_id = 0;
  std::string name;
  bool deleted = false;
};

// Partitions 0 and 1 are of orders; partition 2 stands for drivers' only one.
class OrderTopics {
 public:
  static constexpr int kOrderPartitions = 2;
  static constexpr int kPartitions = 3;
  static constexpr int kDrivers = 2;
  explicit OrderTopics(std::mt19937_64* random);
  // Its topic and partition as positions have them.
  static std::pair<std::string, PartitionId> Name(int partition);
  int64_t end(int partition) const;
  const OrderEvent& order(int partition, int64_t offset) const {
    return orders_[static_cast<size_t>(partition)][static_cast<size_t>(offset)];
  }
  const DriverEvent& driver(int64_t offset) const {
    return drivers_[static_cast<size_t>(offset)];
  }

 private:
  std::array<std::vector<OrderEvent>, kOrderPartitions> orders_;
  std::vector<DriverEvent> drivers_;
};

class OrderModel {
 public:
  explicit OrderModel(const OrderTopics* topics) : topics_(topics) {}
  void Apply(int partition, int64_t offset);
  // Rows in key order as RowText writes them.
  std::vector<std::string> Rows(absl::string_view view) const;

 private:
  // Event time, partition, offset: what is "last" goes by this order.
  using Order = std::tuple<int64_t, int, int64_t>;
  struct Total {
    int64_t n = 0, total = 0, top = 0, latest = 0;
    Order latest_at = {INT64_MIN, 0, 0};
  };
  const OrderTopics* topics_;
  std::map<std::string, Total> totals_;
  std::map<std::string, std::pair<Order, std::string>> large_;
  std::map<int64_t, std::string> drivers_;
};

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_SIMULATION_ORDER_MODEL_H_
