// When a row of driver_totals first counted each order.
#ifndef TIDEGATE_LOADTEST_BENCH_ORDER_STAMPER_H_
#define TIDEGATE_LOADTEST_BENCH_ORDER_STAMPER_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "loadtest/bench/live_round.h"
#include "loadtest/bench/stamps.h"

namespace tidegate {

// Stamps every order that a row newly counts: driver_id is field 1, orders
// field 2, and the orders are those of ProduceOrders(). OnRow() is for one
// thread, left() for any.
class OrderStamper {
 public:
  OrderStamper(int64_t keys, Stamps* stamps)
      : keys_(keys),
        stamps_(stamps),
        seen_(static_cast<size_t>(keys)),
        left_(stamps->size()) {}
  void OnRow(absl::string_view row) {
    const int64_t driver = VarintField(row, 1);
    const int64_t count = VarintField(row, 2);
    int64_t& seen = seen_[static_cast<size_t>(driver)];
    for (; seen < count; ++seen) {
      stamps_->SetNow(driver + seen * keys_);
      left_.fetch_sub(1);
    }
  }
  int64_t left() const { return left_.load(); }

 private:
  const int64_t keys_;
  Stamps* const stamps_;
  std::vector<int64_t> seen_;
  std::atomic<int64_t> left_;
};

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_ORDER_STAMPER_H_
