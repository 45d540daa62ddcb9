// Decoding a record allocates nothing.
#include <string>
#include <vector>

#include "base/allocations_testing.h"
#include "gtest/gtest.h"
#include "ingest/decode/avro_decoder.h"
#include "ingest/decode/avro_testing.h"

namespace tidegate {
namespace {

TEST(DecodeAllocationTest, AnAvroRecordAllocatesNothing) {
  SourcePlan source;
  source.columns = {{"id", Type::kBigint},
                    {"name", Type::kVarchar},
                    {"kind", Type::kVarchar},
                    {"at", Type::kTimestamptz}};
  WriterSchema schema;
  schema.text = R"({"type":"record","name":"r","fields":[
      {"name":"id","type":"long"},
      {"name":"tags","type":{"type":"map","values":["null","string"]}},
      {"name":"name","type":["null","string"]},
      {"name":"kind","type":{"type":"enum","name":"k","symbols":["a","b"]}},
      {"name":"list","type":["null",{"type":"record","name":"l","fields":[
          {"name":"next","type":["null","l"]}]}]},
      {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]})";
  const auto decoder =
      MakeAvroWriterDecoder(source, std::vector<bool>(4, true), schema);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const std::string text = "a name that is longer than a short string holds";
  AvroBytes record;
  record.Long(1).Long(2).Text("k").Long(1).Text(text).Text("m").Long(0).Long(0);
  record.Long(1).Text(text).Long(1).Long(1).Long(1).Long(0).Long(5);
  std::vector<Datum> row(source.columns.size());
  const int64_t before = allocations;
  int64_t sum = 0;
  for (int i = 0; i < 100; ++i) {
    if (!(*decoder)->Decode(record.text(), absl::MakeSpan(row)).ok()) break;
    sum += row[0].i + row[3].i;
  }
  EXPECT_EQ(allocations - before, 0);
  EXPECT_EQ(sum, 600);
  EXPECT_EQ(row[1].text(), text);
  EXPECT_EQ(row[2].text(), "b");
}

}  // namespace
}  // namespace tidegate
