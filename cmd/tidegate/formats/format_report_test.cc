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

TEST(FormatReportTest, ABrokersMeasuresOfEachFormatBesideJson) {
  const auto entries =
      FormatEntries(SamplesOf(kBrokerMeasures), kBrokerMeasures);
  EXPECT_THAT(
      Names(entries),
      testing::ElementsAre(
          "formats.avro.broker.bytes", "formats.avro.produce.cpu",
          "formats.avro.produce.rate", "formats.avro.consume.cpu",
          "formats.avro.consume.rate", "formats.protobuf.broker.bytes",
          "formats.protobuf.produce.cpu", "formats.protobuf.produce.rate",
          "formats.protobuf.consume.cpu", "formats.protobuf.consume.rate"));
  for (const BenchEntry& entry : entries) {
    EXPECT_EQ(entry.against, "JSON");
    EXPECT_EQ(entry.value_against(), 4);
    EXPECT_EQ(entry.result(), entry.ours() / 4);
    EXPECT_FALSE(entry.met().has_value());
  }
  EXPECT_EQ(ToJsonLine(entries[5]),
            R"({"name":"formats.protobuf.broker.bytes","ours":2,)"
            R"("unit":"bytes","against":"JSON","value_against":4,)"
            R"("kind":"ratio","result":0.5,"goal":null,"met":null,)"
            R"("samples":{"ours":[2,2,2],"against":[4,9,4]}})");
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
