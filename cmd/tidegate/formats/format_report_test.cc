#include "cmd/tidegate/formats/format_report.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

FormatSamples SamplesOf(absl::Span<const FormatMeasure> measures) {
  FormatSamples samples;
  for (const FormatMeasure& measure : measures) {
    auto& of = samples[measure.name];
    of[BenchFormat::kJson] = {4, 9, 4};
    of[BenchFormat::kAvro] = {1, 1, 7};
    of[BenchFormat::kProtobuf] = {2, 2, 2};
  }
  return samples;
}

std::vector<std::string> Names(const std::vector<BenchEntry>& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const BenchEntry& entry : entries) names.push_back(entry.name);
  return names;
}

TEST(FormatReportTest, InMemoryTheRowsSayEncodeAndDecode) {
  const auto entries =
      FormatEntries(SamplesOf(kMemoryMeasures), kMemoryMeasures);
  EXPECT_THAT(Names(entries),
              testing::ElementsAre(
                  "formats.avro.bytes", "formats.avro.wire.none",
                  "formats.avro.wire.lz4", "formats.avro.encode",
                  "formats.avro.decode", "formats.avro.decode+fold",
                  "formats.protobuf.bytes", "formats.protobuf.wire.none",
                  "formats.protobuf.wire.lz4", "formats.protobuf.encode",
                  "formats.protobuf.decode", "formats.protobuf.decode+fold"));
}

}  // namespace
}  // namespace tidegate
