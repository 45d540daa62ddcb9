#include "cmd/tidegate/demo/generator.h"

#include "absl/strings/str_cat.h"
#include "base/json_writer.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

constexpr const char* kZones[] = {"Airport", "Docks",    "Hills", "Market",
                                  "Museum",  "Old Town", "Park",  "Station"};
constexpr const char* kStages[] = {"requested", "picked_up", "dropped_off"};
constexpr const char* kNames[] = {"Ada", "Bo",  "Cem",  "Dara", "Eli",
                                  "Fay", "Gus", "Hana", "Ivo",  "Jun"};
constexpr const char* kTiers[] = {"bronze", "silver", "gold"};
constexpr int kLastStage = 2;
constexpr int64_t kMaxDelayUs = 4'000'000;

}  // namespace

RideGenerator::RideGenerator(uint64_t seed)
    : random_(seed), rides_(kDemoDrivers) {}

int RideGenerator::Below(int limit) {
  return static_cast<int>(random_() % static_cast<uint64_t>(limit));
}

DemoRecord RideGenerator::DriverRecord(int driver) {
  std::string value;
  JsonWriter json(&value);
  json.BeginObject();
  json.Key("driver_id").Int(driver);
  json.Key("name").String(
      absl::StrCat(kNames[driver % std::size(kNames)], " ", driver));
  json.Key("tier").String(kTiers[Below(std::size(kTiers))]);
  json.EndObject();
  return {"drivers", absl::StrCat(driver), std::move(value)};
}

std::vector<DemoRecord> RideGenerator::Drivers() {
  std::vector<DemoRecord> records;
  records.reserve(kDemoDrivers);
  for (int driver = 0; driver < kDemoDrivers; ++driver) {
    records.push_back(DriverRecord(driver));
  }
  return records;
}

DemoRecord RideGenerator::NextDriver() {
  if (absent_driver_.has_value()) {
    const int back = *absent_driver_;
    absent_driver_.reset();
    return DriverRecord(back);
  }
  const int driver = Below(kDemoDrivers);
  if (Below(4) > 0) return DriverRecord(driver);
  absent_driver_ = driver;
  return {"drivers", absl::StrCat(driver), std::nullopt};
}

DemoRecord RideGenerator::NextRide(int64_t now_us) {
  const int driver = Below(kDemoDrivers);
  Ride& ride = rides_[driver];
  if (ride.id == 0 || ride.stage == kLastStage) {
    ride.id = next_ride_id_++;
    ride.stage = 0;
    ride.zone = Below(std::size(kZones));
  } else {
    ++ride.stage;
  }
  int64_t happened_us = now_us;
  if (Below(10) == 0) happened_us -= Below(kMaxDelayUs);
  std::string value;
  JsonWriter json(&value);
  json.BeginObject();
  json.Key("ride_id").Int(ride.id);
  json.Key("driver_id").Int(driver);
  json.Key("zone").String(kZones[ride.zone]);
  json.Key("status").String(kStages[ride.stage]);
  json.Key("fare");
  if (ride.stage == kLastStage) {
    json.Double(5 + Below(4000) / 100.0);
  } else {
    json.Null();
  }
  json.Key("ts").String(FormatTimestamp(happened_us));
  json.Key("sent_us").Int(now_us);
  json.EndObject();
  return {"rides", absl::StrCat(driver), std::move(value)};
}

}  // namespace tidegate
