// What `tidegate bench formats` has measured, as entries.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REPORT_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cmd/tidegate/formats/format_events.h"
#include "loadtest/bench/report.h"

namespace tidegate {

struct FormatMeasure {
  const char* name;
  const char* unit;
};

// In memory; the first three are of the records.
inline constexpr FormatMeasure kMemoryMeasures[] = {
    {"bytes", "bytes"},     {"wire.none", "bytes"}, {"wire.lz4", "bytes"},
    {"encode", "us/event"}, {"decode", "us/event"}, {"decode+fold", "us/event"},
};

// With a broker.
inline constexpr FormatMeasure kBrokerMeasures[] = {
    {"broker.bytes", "bytes"},    {"produce.cpu", "us/event"},
    {"produce.rate", "events/s"}, {"consume.cpu", "us/event"},
    {"consume.rate", "events/s"},
};

// By the measure's name: what each format has, round by round.
using FormatSamples =
    std::map<std::string, std::map<BenchFormat, std::vector<double>>>;

// formats.FORMAT.MEASURE of Avro, then of Protobuf, in the order of `measures`;
// each beside JSON.
std::vector<BenchEntry> FormatEntries(const FormatSamples& samples,
                                      absl::Span<const FormatMeasure> measures);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REPORT_H_
