// The batch answer of a view's SQL over the events that were not diverted,
// computed without the product's plans and folds.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_BATCH_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/event_time_world.h"

namespace tidegate::simulation {

// An event that a view took.
struct TakenEvent {
  const SimRecord* record = nullptr;
  // Windows that it counts in, by start, and whether they had closed.
  std::map<int64_t, bool> windows;
  std::optional<Values> table;  // the joined row
};

struct BatchRow {
  Values values;  // by output column
  bool corrected = false;
};
// By the key's columns as text, which is the order of nothing.
using BatchRows = std::map<std::string, BatchRow>;

int64_t FloorTo(int64_t time, int64_t offset, int64_t step);
// The starts of the windows (TUMBLE, HOP) that hold a time.
std::vector<int64_t> WindowStarts(const SimView& view, int64_t time);
// SLIDING: the least pane that counts at a watermark.
int64_t FirstPane(const SimView& view, int64_t watermark);

// The rows at `watermark`; `windows_closed` counts those that have closed by
// then, retention aside.
BatchRows ComputeRows(const SimView& view, const std::vector<TakenEvent>& taken,
                      std::optional<int64_t> watermark,
                      int64_t* windows_closed);

// Positions of the key's columns.
std::vector<size_t> KeyColumns(const SimView& view);
// Where a row tells the end of its window: a column and what to add.
struct SimWindowEnd {
  size_t column = 0;
  int64_t add_us = 0;
};
std::optional<SimWindowEnd> WindowEndOf(const SimView& view);
std::string KeyText(const std::vector<size_t>& columns, const Values& values);
// True for columns whose rounding depends on the order of folding.
std::vector<bool> RoundedColumns(const SimView& view);

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_BATCH_H_
