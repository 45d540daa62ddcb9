// For tests: what a server of the example's view sends.
#ifndef TIDEGATE_CLIENTS_CPP_TOTALS_TESTING_H_
#define TIDEGATE_CLIENTS_CPP_TOTALS_TESTING_H_

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/event.h"
#include "clients/cpp/mirror.h"
#include "clients/cpp/server_testing.h"
#include "driver_totals.pb.h"

namespace tidegate::client {

using views::DriverTotalsKey;
using views::DriverTotalsRow;

inline v1::DescribeViewResponse DescribeTotals() {
  v1::DescribeViewResponse response;
  response.mutable_view()->set_name("driver_totals");
  response.mutable_view()->add_key_columns("driver_id");
  DriverTotalsRow::descriptor()->file()->CopyTo(
      response.mutable_descriptors()->add_file());
  return response;
}

inline DriverTotalsRow TotalsRow(int64_t driver, double total) {
  DriverTotalsRow row;
  row.set_driver_id(driver);
  row.set_total(total);
  return row;
}

inline DriverTotalsKey TotalsKey(int64_t driver) {
  DriverTotalsKey key;
  key.set_driver_id(driver);
  return key;
}

// Adds an upsert; with a total below 0, a deletion.
inline v1::SubscribeResponse With(v1::SubscribeResponse response,
                                  int64_t driver, double total) {
  v1::Change* const change = response.add_changes();
  if (total < 0) {
    change->set_deleted(TotalsKey(driver).SerializeAsString());
  } else {
    change->set_upsert(TotalsRow(driver, total).SerializeAsString());
  }
  return response;
}

inline v1::SubscribeResponse SnapshotOf(int64_t driver, double total) {
  v1::SubscribeResponse response = With({}, driver, total);
  response.set_snapshot(true);
  return response;
}

// "ID=TOTAL" of each row, in order.
inline std::vector<std::string> TextOf(const MirrorSnapshot& snapshot) {
  std::vector<std::string> rows;
  snapshot.rows.ForEach([&](const RowRef& each) {
    DriverTotalsRow row;
    row.ParseFromString(each->row);
    rows.push_back(absl::StrCat(row.driver_id(), "=", row.total()));
    return true;
  });
  return rows;
}

inline void QuickBackoff(ConnectOptions* options) {
  options->min_backoff_ms = 1;
  options->max_backoff_ms = 2;
}

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_TOTALS_TESTING_H_
