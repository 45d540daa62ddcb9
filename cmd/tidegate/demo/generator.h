// Makes up ride events and drivers. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_DEMO_GENERATOR_H_
#define TIDEGATE_CMD_TIDEGATE_DEMO_GENERATOR_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace tidegate {

inline constexpr int kDemoDrivers = 40;

// A Kafka record to produce.
struct DemoRecord {
  std::string topic;
  std::string key;
  std::optional<std::string> value;  // nullopt: deletes
};

// Thread-compatible. Equal seeds and times give equal records.
class RideGenerator {
 public:
  explicit RideGenerator(uint64_t seed);

  // Every driver once.
  std::vector<DemoRecord> Drivers();
  // The next thing that happens to a ride, stamped with `now_us`. One in ten
  // is heard of up to four seconds after it happened.
  DemoRecord NextRide(int64_t now_us);
  // A driver's tier changes; or a driver leaves, and is back the next time.
  DemoRecord NextDriver();

 private:
  struct Ride {
    int64_t id = 0;
    int stage = 0;  // requested, picked_up, dropped_off
    int zone = 0;
  };
  DemoRecord DriverRecord(int driver);
  int Below(int limit);

  std::mt19937_64 random_;
  std::vector<Ride> rides_;  // by driver
  int64_t next_ride_id_ = 1;
  std::optional<int> absent_driver_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_DEMO_GENERATOR_H_
