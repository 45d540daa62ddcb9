#include "gateway/core/finality.h"

#include <optional>

#include "absl/numeric/int128.h"
#include "base/coding.h"

namespace tidegate {
namespace {

constexpr int64_t kMicros = 1'000'000;

// A google.protobuf.Timestamp in microseconds; the second that holds the
// earliest of them begins below 64 bits.
std::optional<absl::int128> Micros(absl::string_view timestamp) {
  absl::int128 micros = 0;
  WireField field;
  while (!timestamp.empty()) {
    if (!GetWireField(&timestamp, &field)) return std::nullopt;
    if (field.type != WireType::kVarint) return std::nullopt;
    const auto value = static_cast<int64_t>(field.varint);
    if (field.number == 1) micros += absl::int128(value) * kMicros;
    if (field.number == 2) micros += value / 1000;
  }
  return micros;
}

std::optional<absl::int128> TimeIn(absl::string_view row, uint32_t number) {
  WireField field;
  while (!row.empty()) {
    if (!GetWireField(&row, &field)) return std::nullopt;
    if (field.number != number) continue;
    if (field.type != WireType::kLengthDelimited) return std::nullopt;
    return Micros(field.bytes);
  }
  return std::nullopt;
}

}  // namespace

WindowEnd WindowEndOf(const RowSchema& schema, int window_column,
                      int64_t window_add_us) {
  if (window_column < 0) return WindowEnd();
  return {schema.fields[static_cast<size_t>(window_column)].number,
          window_add_us};
}

Finality FinalityOf(const WindowEnd& window, absl::string_view row,
                    bool corrected, EventTime watermark) {
  if (window.field == 0) return Finality::kUnspecified;
  if (watermark == kNoEventTime) return Finality::kProvisional;
  const std::optional<absl::int128> time = TimeIn(row, window.field);
  if (!time.has_value() || *time + window.add_us > watermark.value()) {
    return Finality::kProvisional;
  }
  return corrected ? Finality::kCorrected : Finality::kFinal;
}

}  // namespace tidegate
