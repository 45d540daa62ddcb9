// One entry a goal, as loadtest's JSON has them.
#ifndef TIDEGATE_LOADTEST_BENCH_REPORT_H_
#define TIDEGATE_LOADTEST_BENCH_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

// What the result of an entry is to be.
struct BenchGoal {
  enum class Kind : uint8_t { kAtMost, kAtLeast };
  Kind kind = Kind::kAtMost;
  double bound = 0;
};

// A measure of ours beside the limit or peer taken in the same run.
struct BenchEntry {
  std::string name;
  std::string unit;
  std::string against;
  bool is_ratio = true;  // else a difference
  // The result is the median of each round's own, not that of the medians: for
  // sides that ran at the same time, over the same events. Needs as many
  // samples of each.
  bool paired = false;
  std::optional<BenchGoal> goal;
  std::vector<double> ours_samples;
  std::vector<double> against_samples;

  double ours() const;           // median
  double value_against() const;  // median
  double result() const;
  // Nothing without a goal.
  std::optional<bool> met() const;
};

double Median(std::vector<double> samples);
// By nearest rank; `percent` in (0, 100]; 0 for no samples. Sorts.
double Percentile(std::vector<double>* samples, double percent);

// A latency in milliseconds, beside a bare producer and consumer at the same
// time: it may take so much longer.
BenchEntry LatencyEntry(std::string name, double most_ms);
// Adds one round's percentiles. Sorts.
void AddRound(std::vector<double>* ours_ms, std::vector<double>* bare_ms,
              BenchEntry* p50, BenchEntry* p99);

// {"name","ours","unit","against","value_against","kind","result","goal",
// "met","samples"}; goal as "<= 4" or ">= 0.3", it and met null without one.
std::string ToJsonLine(const BenchEntry& entry);
// For people: one line.
std::string ToText(const BenchEntry& entry);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_REPORT_H_
