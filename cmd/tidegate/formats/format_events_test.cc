// All formats say the same of an event.
#include "cmd/tidegate/formats/format_events.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cmd/tidegate/formats/wire_bytes.h"
#include "gtest/gtest.h"
#include "ingest/decode/decoder.h"
#include "ingest/decode/test_rows.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

TEST(FormatEventsTest, EveryFormatHasTheSameRow) {
  const auto dir = std::filesystem::path(testing::TempDir()) /
                   absl::StrCat("format_events_test.", getpid());
  std::filesystem::create_directories(dir);
  std::ofstream(dir / kFormatProtoFile) << kFormatProto;
  std::ofstream(dir / kFormatAvroFile) << kFormatAvro;
  for (const int64_t i : {0, 1, 17, 99'999}) {
    const FormatEvent event = MakeFormatEvent(i, 1'000);
    std::set<std::string> rows;
    for (const BenchFormat format : kBenchFormats) {
      const CompileResult compiled = CompileViews(absl::StrCat(
          "CREATE SOURCE s (order_id BIGINT, driver_id BIGINT, region VARCHAR, "
          "amount DOUBLE PRECISION, ts TIMESTAMPTZ, note VARCHAR) WITH (topic "
          "= 's') FORMAT PLAIN ENCODE ",
          EncodeClause(format), ";"));
      ASSERT_TRUE(compiled.ok());
      const SourcePlan& source = compiled.plans.sources[0];
      const auto decoder =
          MakeDecoder(source, std::vector<bool>(6, true), dir.string());
      ASSERT_TRUE(decoder.ok()) << decoder.status();
      std::string record = "what was there";
      EncodeFormatEvent(format, event, &record);
      rows.insert(DecodeToText(decoder->get(), source.columns, record));
    }
    ASSERT_EQ(rows.size(), 1u) << *rows.begin() << "\n" << *rows.rbegin();
    EXPECT_EQ(*rows.begin(),
              absl::StrCat(
                  "order_id=", event.order_id, " driver_id=", event.driver_id,
                  " region='", event.region, "' amount=",
                  ShowDatum(Type::kDouble, Datum::Double(event.amount)),
                  " ts=", event.event_ms * 1000, " note='", event.note, "'"));
  }
  std::filesystem::remove_all(dir);
}

TEST(FormatWireTest, CompressedRecordsAreSmaller) {
  const std::vector<std::string> keys(1000, "k");
  const std::vector<std::string> values(1000, std::string(100, 'x'));
  const auto plain = WireBytesPerRecord(keys, values, "none");
  const auto packed = WireBytesPerRecord(keys, values, "lz4");
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_TRUE(packed.ok()) << packed.status();
  EXPECT_GT(*plain, 100);
  EXPECT_LT(*plain, 130);
  EXPECT_LT(*packed, 20);
}

}  // namespace
}  // namespace tidegate
