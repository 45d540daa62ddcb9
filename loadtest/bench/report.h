// One entry a goal, as loadtest's JSON has them.
#ifndef TIDEGATE_LOADTEST_BENCH_REPORT_H_
#define TIDEGATE_LOADTEST_BENCH_REPORT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

// A measure of ours beside the limit or peer taken in the same run.
struct BenchEntry {
  std::string name;
  std::string unit;
  std::string against;
  bool is_ratio = true;  // else a difference
  std::vector<double> ours_samples;
  std::vector<double> against_samples;

  double ours() const;           // median
  double value_against() const;  // median
  double result() const;         // of the medians
};

double Median(std::vector<double> samples);
// By nearest rank; `percent` in (0, 100]; 0 for no samples. Sorts.
double Percentile(std::vector<double>* samples, double percent);

// A latency in milliseconds, beside a bare producer and consumer.
BenchEntry LatencyEntry(std::string name);
// Adds one round's percentiles. Sorts.
void AddRound(std::vector<double>* ours_ms, std::vector<double>* bare_ms,
              BenchEntry* p50, BenchEntry* p99);

// {"name","ours","unit","against","value_against","kind","result","samples"}
std::string ToJsonLine(const BenchEntry& entry);
// For people: one line.
std::string ToText(const BenchEntry& entry);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_REPORT_H_
