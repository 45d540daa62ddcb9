// Choosing among rows allocates nothing.

#include "base/allocations_testing.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

TEST(RowFilterAllocationTest, ARowAllocatesNothing) {
  RowSchema schema;
  schema.fields = {{"region", Type::kVarchar, 1},
                   {"total", Type::kBigint, 2},
                   {"at", Type::kTimestamptz, 3}};
  std::string row;
  EncodeRow(schema,
            {Datum::Text("a region that is longer than a short string holds"),
             Datum::Int(7), Datum::Int(1'000'000)},
            &row);
  for (const char* const text :
       {"region LIKE '%string%' AND total > 5",
        "upper(region) || 'x' <> region AND at < '2020-01-01T00:00:00Z'",
        "CASE WHEN total IN (1, 2, 7) THEN at IS NOT NULL END"}) {
    const auto filter = RowFilter::Compile(text, schema);
    ASSERT_TRUE(filter.ok()) << filter.status();
    ASSERT_TRUE((*filter)->Matches(row).value()) << text;
    const int64_t before = allocations;
    int matched = 0;
    for (int i = 0; i < 100; ++i) matched += *(*filter)->Matches(row) ? 1 : 0;
    EXPECT_EQ(allocations - before, 0) << text;
    EXPECT_EQ(matched, 100);
  }
}

}  // namespace
}  // namespace tidegate
