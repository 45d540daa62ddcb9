// Makes random worlds: schemas and views, with their SQL text.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_GRAMMAR_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_GRAMMAR_H_

#include <random>
#include <string>

#include "tests/simulation/event_time_world.h"

namespace tidegate::simulation {

inline constexpr int kMaxSimViews = 5;
// Event times and the edges of windows lie on these grids, so that ties and
// events on an edge are common.
inline constexpr int64_t kTimeGridUs = 100'000;
inline constexpr int64_t kWindowGridUs = 500'000;

SimWorld RandomWorld(std::mt19937_64* random);

// `world.sql`, from everything else in it.
std::string WriteSql(const SimWorld& world);

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_GRAMMAR_H_
