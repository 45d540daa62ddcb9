#include "tests/simulation/pipeline_model.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tidegate {
namespace {

template <typename T>
std::string Text(const std::optional<T>& value) {
  return value.has_value() ? absl::StrCat(*value) : "NULL";
}

bool Earlier(const ModelOrder& a, const ModelOrder& b) {
  return std::tie(a.ts_us, a.partition, a.offset) <
         std::tie(b.ts_us, b.partition, b.offset);
}

std::map<int64_t, std::vector<ModelOrder>> ByDriver(
    const std::vector<ModelOrder>& orders) {
  std::map<int64_t, std::vector<ModelOrder>> groups;
  for (const ModelOrder& order : orders) {
    groups[order.driver_id].push_back(order);
  }
  for (auto& [id, group] : groups) {
    std::sort(group.begin(), group.end(), Earlier);
  }
  return groups;
}

std::string TotalsRow(int64_t driver, const std::vector<ModelOrder>& group) {
  int64_t regions = 0;
  double paid = 0;
  std::vector<int64_t> amounts;
  for (const ModelOrder& order : group) {
    regions += order.region.has_value() ? 1 : 0;
    paid += order.price;
    if (order.amount.has_value()) amounts.push_back(*order.amount);
  }
  std::string numbers = "NULL|NULL|NULL|NULL";
  if (!amounts.empty()) {
    int64_t sum = 0;
    for (const int64_t amount : amounts) sum += amount;
    numbers = absl::StrCat(
        sum, "|", *std::min_element(amounts.begin(), amounts.end()), "|",
        *std::max_element(amounts.begin(), amounts.end()), "|",
        static_cast<double>(sum) / static_cast<double>(amounts.size()));
  }
  return absl::StrCat(driver, "|", group.size(), "|", regions, "|", numbers,
                      "|", paid, "|", Text(group.front().region), "|",
                      group.back().order_id);
}

std::vector<std::string> RegionRows(const std::vector<ModelOrder>& orders) {
  std::map<std::string, std::pair<int64_t, double>> groups;
  for (const ModelOrder& order : orders) {
    if (!order.amount.has_value() || *order.amount <= 20) continue;
    const auto [it, added] =
        groups.emplace(Text(order.region), std::make_pair(0, order.price));
    ++it->second.first;
    it->second.second = std::max(it->second.second, order.price);
  }
  std::vector<std::string> rows;
  rows.reserve(groups.size());
  for (const auto& [region, group] : groups) {
    rows.push_back(absl::StrCat(region, "|", group.first, "|", group.second));
  }
  return rows;
}

}  // namespace

std::vector<std::string> PipelineModel::Rows(absl::string_view view) const {
  std::vector<std::string> rows;
  if (view == "drivers") {
    for (const auto& [id, name] : drivers) {
      rows.push_back(absl::StrCat(id, "|", name));
    }
  } else if (view == "totals") {
    for (const auto& [id, group] : ByDriver(orders)) {
      rows.push_back(TotalsRow(id, group));
    }
  } else if (view == "by_region") {
    rows = RegionRows(orders);
  } else if (view == "named") {
    for (const ModelOrder& order : orders) {
      const auto driver = drivers.find(order.driver_id);
      rows.push_back(
          absl::StrCat(order.order_id, "|", Text(order.amount), "|",
                       driver == drivers.end() ? "NULL" : driver->second));
    }
  } else if (view == "latest") {
    for (const auto& [id, group] : ByDriver(orders)) {
      rows.push_back(absl::StrCat(id, "|", group.back().order_id, "|",
                                  Text(group.back().region)));
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace tidegate
