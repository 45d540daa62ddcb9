#include "tests/simulation/order_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr int kMinEvents = 30;
constexpr int kMaxMoreEvents = 40;
constexpr int64_t kLarge = 30;  // as in kOrderViews

}  // namespace

OrderTopics::OrderTopics(std::mt19937_64* random) {
  auto& next = *random;
  for (int p = 0; p < kOrderPartitions; ++p) {
    const uint64_t count = kMinEvents + next() % kMaxMoreEvents;
    for (uint64_t i = 0; i < count; ++i) {
      OrderEvent order;
      // An order stays on its partition, so that its last event is known.
      order.order_id = absl::StrCat("order-", p, "-", next() % 12);
      order.region = absl::StrCat("region-", next() % 5);
      order.amount = static_cast<int64_t>(next() % 100);
      order.ts = static_cast<int64_t>(next() % 50);
      orders_[static_cast<size_t>(p)].push_back(std::move(order));
    }
  }
  const uint64_t count = kMinEvents + next() % kMaxMoreEvents;
  for (uint64_t i = 0; i < count; ++i) {
    DriverEvent driver;
    driver.driver_id = static_cast<int64_t>(next() % 8);
    driver.deleted = next() % 3 == 0;
    driver.name = absl::StrCat("name-", next() % 1000);
    drivers_.push_back(std::move(driver));
  }
}

std::pair<std::string, PartitionId> OrderTopics::Name(int partition) {
  if (partition == kDrivers) return {"drivers", PartitionId(0)};
  return {"orders", PartitionId(partition)};
}

int64_t OrderTopics::end(int partition) const {
  return static_cast<int64_t>(
      partition == kDrivers ? drivers_.size()
                            : orders_[static_cast<size_t>(partition)].size());
}

void OrderModel::Apply(int partition, int64_t offset) {
  if (partition == OrderTopics::kDrivers) {
    const DriverEvent& driver = topics_->driver(offset);
    if (driver.deleted) {
      drivers_.erase(driver.driver_id);
    } else {
      drivers_[driver.driver_id] =
          absl::StrCat(driver.driver_id, "|", driver.name);
    }
    return;
  }
  const OrderEvent& order = topics_->order(partition, offset);
  Total& total = totals_[order.region];
  ++total.n;
  total.total += order.amount;
  total.top = std::max(total.top, order.amount);
  const Order at = {order.ts, partition, offset};
  if (at > total.latest_at) {
    total.latest_at = at;
    total.latest = order.amount;
  }
  if (order.amount <= kLarge) return;
  const auto [row, is_new] = large_.try_emplace(order.order_id);
  if (is_new || at > row->second.first) {
    row->second = {
        at, absl::StrCat(order.order_id, "|", order.region, "|", order.amount)};
  }
}

std::vector<std::string> OrderModel::Rows(absl::string_view view) const {
  std::vector<std::string> rows;
  if (view == "totals") {
    for (const auto& [region, total] : totals_) {
      rows.push_back(absl::StrCat(region, "|", total.n, "|", total.total, "|",
                                  total.top, "|", total.latest));
    }
  } else if (view == "large") {
    for (const auto& [id, row] : large_) rows.push_back(row.second);
  } else {
    for (const auto& [id, row] : drivers_) rows.push_back(row);
  }
  return rows;
}

}  // namespace tidegate
