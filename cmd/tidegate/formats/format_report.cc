#include "cmd/tidegate/formats/format_report.h"

#include "absl/strings/str_cat.h"

namespace tidegate {

std::vector<BenchEntry> FormatEntries(
    const FormatSamples& samples, absl::Span<const FormatMeasure> measures) {
  std::vector<BenchEntry> entries;
  for (const BenchFormat format :
       {BenchFormat::kAvro, BenchFormat::kProtobuf}) {
    for (const FormatMeasure& measure : measures) {
      const auto& of = samples.at(measure.name);
      entries.push_back({.name = absl::StrCat("formats.", FormatName(format),
                                              ".", measure.name),
                         .unit = measure.unit,
                         .against = "JSON",
                         .ours_samples = of.at(format),
                         .against_samples = of.at(BenchFormat::kJson)});
    }
  }
  return entries;
}

}  // namespace tidegate
