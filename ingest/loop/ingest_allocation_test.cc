// In steady state an event allocates nothing, from its record's bytes to its
// commit: what a commit allocates goes by the rows it changes.
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/allocations_testing.h"
#include "gtest/gtest.h"
#include "ingest/loop/event_reader.h"
#include "views/pipeline/test_pipeline.h"

namespace tidegate {
namespace {

constexpr char kView[] = R"sql(
CREATE MATERIALIZED VIEW totals AS
  SELECT driver, count(*) AS n, sum(amount) AS total,
         max_by(region, amount) AS region
  FROM orders WHERE amount > 0 GROUP BY driver;
)sql";

constexpr int kKeys = 10;

class Ingest {
 public:
  Ingest(absl::string_view encoding, std::vector<std::string> values)
      : values_(std::move(values)),
        test_(absl::StrCat("CREATE SOURCE orders (driver BIGINT, amount "
                           "BIGINT, region VARCHAR) "
                           "WITH (topic = 'orders') FORMAT PLAIN ENCODE ",
                           encoding, ";", kView)) {
    const auto& input = test_.pipeline().inputs().front();
    reader_ = EventReader::Create(&test_.plans().sources[input.source],
                                  input.used_columns, ::testing::TempDir(),
                                  /*registries=*/nullptr, [] {})
                  .value();
    EXPECT_TRUE(test_.store().FinishBuild().ok());
  }

  // Reads and folds so many events, then commits. How often that allocated.
  int64_t Run(int events) {
    const int64_t before = allocations;
    for (int i = 0; i < events; ++i) {
      RawRecord record;
      record.offset = Offset(next_offset_);
      record.timestamp_ms = next_offset_++;
      record.has_value = true;
      record.value = values_[i % values_.size()];
      ok_ &= reader_->Read(record, &event_).ok();
      ok_ &= test_.pipeline().Fold(0, event_, &diverted_).ok();
    }
    Positions positions = test_.store().positions();
    positions.partitions[{"orders", PartitionId(0)}].next_offset =
        Offset(next_offset_);
    ok_ &= test_.pipeline()
               .CommitPending(ProcessingTime(next_offset_), 1, positions)
               .ok();
    EXPECT_TRUE(ok_);
    EXPECT_TRUE(diverted_.empty());
    return allocations - before;
  }

  TestPipeline& test() { return test_; }

 private:
  const std::vector<std::string> values_;
  TestPipeline test_;
  std::unique_ptr<EventReader> reader_;
  Event event_;
  std::vector<Diverted> diverted_;
  int64_t next_offset_ = 0;
  bool ok_ = true;
};

// Three thousand events more cost no more than the commit's own strings, some
// of which are longer then.
void ExpectNoAllocationAnEvent(Ingest* ingest) {
  for (int i = 0; i < 5; ++i) ingest->Run(4'000);
  const int64_t few = ingest->Run(1'000);
  const int64_t many = ingest->Run(4'000);
  EXPECT_GT(few, 0);
  EXPECT_LT(many - few, 5 * kKeys);
  EXPECT_EQ(ingest->test().Rows("totals").size(), size_t{kKeys});
}

TEST(IngestAllocationTest, Json) {
  std::vector<std::string> values;
  values.reserve(kKeys);
  for (int i = 0; i < kKeys; ++i) {
    values.push_back(absl::StrCat(R"({"driver":)", i, R"(,"amount":)", i + 1,
                                  R"(,"region":"a region with a long name)", i,
                                  R"("})"));
  }
  Ingest ingest("JSON", std::move(values));
  ExpectNoAllocationAnEvent(&ingest);
}

TEST(IngestAllocationTest, Protobuf) {
  std::ofstream(::testing::TempDir() + "/allocation_test.proto")
      << "syntax = 'proto3'; message Order { int64 driver = 1;"
         " int64 amount = 2; string region = 3; }";
  std::vector<std::string> values;
  values.reserve(kKeys);
  for (char i = 0; i < kKeys; ++i) {
    const std::string region =
        absl::StrCat("a region with a long name", int{i});
    values.push_back(absl::StrCat(
        "\x08", std::string(1, i), "\x10", std::string(1, i + 1), "\x1a",
        std::string(1, static_cast<char>(region.size())), region));
  }
  Ingest ingest("PROTOBUF (message = 'Order', file = 'allocation_test.proto')",
                std::move(values));
  ExpectNoAllocationAnEvent(&ingest);
}

}  // namespace
}  // namespace tidegate
