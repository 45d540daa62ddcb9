#include "loadtest/bench/workload.h"

#include <array>
#include <bit>
#include <fstream>

#include "absl/strings/str_cat.h"
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

constexpr absl::string_view kViews = R"(CREATE SOURCE orders (
  order_id BIGINT, driver_id BIGINT, region VARCHAR,
  amount DOUBLE PRECISION, ts TIMESTAMPTZ,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = '$0', key = 'driver_id')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'bench.Order', file = 'order.proto');

CREATE MATERIALIZED VIEW driver_totals AS
  SELECT driver_id, count(*) AS orders, sum(amount) AS total,
         last_value(region ORDER BY ts) AS region
  FROM orders GROUP BY driver_id;
)";

constexpr std::array<absl::string_view, 8> kRegions = {
    "north", "south", "east", "west", "centre", "harbour", "hills", "river"};

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::InternalError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
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

absl::Status WriteBenchViews(const std::string& dir, absl::string_view topic) {
  if (auto status = WriteFile(dir + "/order.proto", kProto); !status.ok()) {
    return status;
  }
  return WriteFile(dir + "/views.sql", absl::Substitute(kViews, topic));
}

}  // namespace tidegate
