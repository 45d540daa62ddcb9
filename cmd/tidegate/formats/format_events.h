// The events of `tidegate bench formats`, the same ones in each format.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_EVENTS_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_EVENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

enum class BenchFormat : uint8_t { kJson, kAvro, kProtobuf };
inline constexpr BenchFormat kBenchFormats[] = {
    BenchFormat::kJson, BenchFormat::kAvro, BenchFormat::kProtobuf};

// "json", "avro", "protobuf"
absl::string_view FormatName(BenchFormat format);

// A ride's order. Text borrows from tables that live as long as the program.
struct FormatEvent {
  int64_t order_id = 0;
  int64_t driver_id = 0;
  absl::string_view region;
  double amount = 0;  // with two decimal places
  int64_t event_ms = 0;
  absl::string_view note;
};

// Event number `i`, always the same, of one of `drivers` drivers.
FormatEvent MakeFormatEvent(int64_t i, int64_t drivers);

// Different events to be gone through again and again, and their records' keys.
struct FormatPool {
  std::vector<FormatEvent> events;
  std::vector<std::string> keys;
};
FormatPool MakeFormatPool(int64_t events, int64_t drivers);

// Into `out` (cleared first), without framing. A straight-line encoder of each:
// what a producer needs at least.
void EncodeFormatEvent(BenchFormat format, const FormatEvent& event,
                       std::string* out);

// What stands behind ENCODE, and the schema files that it names.
std::string EncodeClause(BenchFormat format);
inline constexpr char kFormatProtoFile[] = "order.proto";
inline constexpr char kFormatAvroFile[] = "order.avsc";
extern const absl::string_view kFormatProto;
extern const absl::string_view kFormatAvro;

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_EVENTS_H_
