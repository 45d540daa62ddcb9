#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/allocations_testing.h"
#include "base/coding.h"
#include "ingest/registry/fake_registries.h"
#include "ingest/registry/framed_decoder.h"

namespace tidegate {
namespace {

TEST(FramedAllocation, KnownSchemasCostNone) {
  FakeRegistries registries;
  std::vector<std::string> records;
  for (int32_t id = 1; id <= 2; ++id) {
    registries.AddProtobuf(
        id, absl::StrCat("syntax = \"proto3\"; message Order { int64 amount = ",
                         id, "; }"));
    std::string order;
    PutTag(&order, static_cast<uint32_t>(id), WireType::kVarint);
    PutVarint64(&order, 5);
    records.push_back(FramedRecord(id, kFirstMessage, order));
  }
  SourcePlan source;
  source.columns = {{"amount", Type::kBigint}};
  source.encodings[0].format = Format::kProtobuf;
  source.encodings[0].schema_registry = "http://registry";
  auto decoder = FramedDecoder::Create(source, {true}, &registries, [] {});
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  std::vector<Datum> row(1);
  int64_t sum = 0;
  const auto read = [&](const std::string& record) {
    if ((*decoder)->Decode(record, absl::MakeSpan(row)).ok()) sum += row[0].i;
  };
  for (const std::string& record : records) read(record);
  ASSERT_EQ(sum, 10);
  const int64_t before = allocations.load();
  // The same schema again, and another one.
  for (int i = 0; i < 1'000; ++i) {
    read(records[0]);
    read(records[0]);
    read(records[1]);
  }
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(sum, 10 + 15'000);
}

}  // namespace
}  // namespace tidegate
