#include "cmd/tidegate/start_offsets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::HasSubstr;

StartOffsets Offsets(int64_t a0, int64_t a1) {
  return {{{"a", PartitionId(0)}, Offset(a0)},
          {{"a", PartitionId(1)}, Offset(a1)}};
}

TEST(StartOffsetsTest, RoundTrip) {
  const StartOffsets offsets = Offsets(0, int64_t{1} << 40);
  const auto decoded = DecodeStartOffsets(EncodeStartOffsets(offsets));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, offsets);
  EXPECT_TRUE(DecodeStartOffsets("")->empty());
  std::string cut = EncodeStartOffsets(offsets);
  cut.pop_back();
  EXPECT_FALSE(DecodeStartOffsets(cut).ok());
}

TEST(StartOffsetsTest, ReachingBackAsFar) {
  EXPECT_TRUE(CheckReachesBack(Offsets(5, 7), Offsets(5, 7)).ok());
  EXPECT_TRUE(CheckReachesBack(Offsets(5, 7), Offsets(0, 0)).ok());
  // A topic that was not read before has nothing to lose.
  EXPECT_TRUE(CheckReachesBack({}, Offsets(5, 7)).ok());
  const absl::Status shorter = CheckReachesBack(Offsets(5, 7), Offsets(5, 8));
  EXPECT_EQ(shorter.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(shorter.message(), HasSubstr("topic=a partition=1"));
  EXPECT_THAT(shorter.message(), HasSubstr("--accept-truncated-history"));
}

}  // namespace
}  // namespace tidegate
