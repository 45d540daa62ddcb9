#include "loadtest/bench/workload.h"

#include <array>
#include <bit>
#include <utility>

#include "absl/strings/substitute.h"
#include "base/coding.h"

namespace tidegate {
namespace {

constexpr absl::string_view kProto = R"(syntax = "proto3";
package bench;
import "google/protobuf/timestamp.proto";
message Order {
  int64 order_id = 1;
  int64 driver_id = 2;
  string region = 3;
  double amount = 4;
  google.protobuf.Timestamp ts = 5;
  string note = 6;
}
)";

// $0 is the topic, $1 the watermark's INTERVAL.
constexpr absl::string_view kSource = R"(CREATE SOURCE orders (
  order_id BIGINT, driver_id BIGINT, region VARCHAR,
  amount DOUBLE PRECISION, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL $1
) WITH (topic = '$0', key = 'driver_id')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'bench.Order', file = 'order.proto');
)";

constexpr absl::string_view kTotals = R"(
CREATE MATERIALIZED VIEW driver_totals AS
  SELECT driver_id, count(*) AS orders, sum(amount) AS total,
         last_value(region ORDER BY ts) AS region
  FROM orders GROUP BY driver_id;
)";

constexpr absl::string_view kSeconds = R"(
CREATE MATERIALIZED VIEW driver_seconds AS
  SELECT window_start, driver_id, count(*) AS orders
  FROM TUMBLE(orders, ts, INTERVAL '1' SECOND)
  GROUP BY window_start, driver_id EMIT ON WINDOW CLOSE;
)";

constexpr std::array<absl::string_view, 8> kRegions = {
    "north", "south", "east", "west", "centre", "harbour", "hills", "river"};

BenchFiles Files(absl::string_view topic, absl::string_view bound,
                 absl::string_view views) {
  std::string sql = absl::Substitute(kSource, topic, bound);
  sql.append(views.data(), views.size());
  return {{"order.proto", std::string(kProto)},
          {kBenchViewsFile, std::move(sql)}};
}

}  // namespace

void EncodeOrder(int64_t order_id, int64_t driver_id, int64_t event_us,
                 std::string* out) {
  out->clear();
  PutTag(out, 1, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(order_id));
  PutTag(out, 2, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(driver_id));
  PutTag(out, 3, WireType::kLengthDelimited);
  PutLengthPrefixed(out,
                    kRegions[static_cast<size_t>(order_id) % kRegions.size()]);
  PutTag(out, 4, WireType::kFixed64);
  PutFixed64LittleEndian(
      out, std::bit_cast<uint64_t>(static_cast<double>(order_id % 10000) / 4));
  std::string timestamp;
  PutTag(&timestamp, 1, WireType::kVarint);
  PutVarint64(&timestamp, static_cast<uint64_t>(event_us / 1'000'000));
  PutTag(&timestamp, 2, WireType::kVarint);
  PutVarint64(&timestamp, static_cast<uint64_t>(event_us % 1'000'000 * 1000));
  PutTag(out, 5, WireType::kLengthDelimited);
  PutLengthPrefixed(out, timestamp);
  PutTag(out, 6, WireType::kLengthDelimited);
  PutLengthPrefixed(out, "a ride across town");
}

BenchFiles TotalsViews(absl::string_view topic) {
  return Files(topic, "'2' SECOND", kTotals);
}

BenchFiles SecondsViews(absl::string_view topic) {
  return Files(topic, "'1' MILLISECOND", kSeconds);
}

}  // namespace tidegate
