#include "cmd/tidegate/demo/generator.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/timestamp.h"
#include "clients/history/json_line.h"

namespace tidegate {
namespace {

TEST(GeneratorTest, EqualSeedsGiveEqualRecords) {
  RideGenerator a(7);
  RideGenerator b(7);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(a.NextRide(i).value, b.NextRide(i).value);
  }
}

TEST(GeneratorTest, RidesAreWellFormedAndSomeAreLate) {
  constexpr int64_t kNow = 1'700'000'000'000'000;
  RideGenerator generator(1);
  int late = 0;
  std::map<int64_t, int> events_of_ride;
  for (int i = 0; i < 3'000; ++i) {
    const DemoRecord record = generator.NextRide(kNow + i);
    ASSERT_TRUE(record.value.has_value());
    const auto ride = JsonLine::Parse(*record.value);
    ASSERT_TRUE(ride.ok()) << ride.status();
    EXPECT_EQ(std::to_string(*ride->Int("driver_id")), record.key);
    EXPECT_EQ(*ride->Int("sent_us"), kNow + i);
    EXPECT_EQ(ride->IsNull("fare"), *ride->Text("status") != "dropped_off");
    const auto ts = ParseTimestamp(*ride->Text("ts"));
    ASSERT_TRUE(ts.ok());
    EXPECT_LE(*ts, kNow + i);
    late += *ts < kNow + i ? 1 : 0;
    EXPECT_LE(++events_of_ride[*ride->Int("ride_id")], 3);
  }
  EXPECT_GT(late, 100);
  EXPECT_LT(late, 1'000);
}

TEST(GeneratorTest, DriversLeaveAndComeBack) {
  RideGenerator generator(1);
  std::set<std::string> present;
  for (const DemoRecord& record : generator.Drivers()) {
    present.insert(record.key);
  }
  EXPECT_EQ(present.size(), static_cast<size_t>(kDemoDrivers));
  int left = 0;
  for (int i = 0; i < 100; ++i) {
    const DemoRecord record = generator.NextDriver();
    if (record.value.has_value()) continue;
    ++left;
    const DemoRecord back = generator.NextDriver();
    EXPECT_EQ(back.key, record.key);
    EXPECT_TRUE(back.value.has_value());
  }
  EXPECT_GT(left, 0);
}

}  // namespace
}  // namespace tidegate
