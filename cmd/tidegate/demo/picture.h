// What the demo shows. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_DEMO_PICTURE_H_
#define TIDEGATE_CMD_TIDEGATE_DEMO_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// What the measuring client reports, as a line of JSON.
struct DemoReport {
  int64_t updates = 0;
  int64_t violations = 0;
  int64_t resumes = 0;
  int64_t subscribers = 0;
  int64_t p50_us = 0;
  int64_t p99_us = 0;
  bool final_report = false;
  std::vector<std::string> columns;            // of `zones`
  std::vector<std::vector<std::string>> rows;  // in key order
  std::vector<std::string> problems;           // texts of violations
};

std::string FormatReport(const DemoReport& report);
absl::StatusOr<DemoReport> ParseReport(absl::string_view line);

struct DemoState {
  double seconds = 0;
  int64_t events = 0;
  int64_t events_per_second = 0;
  int64_t updates_per_second = 0;
  int64_t server_subscribers = 0;
  DemoReport client;
  DemoReport before;  // the report shown last: rows that differ stand out
};

// How to look for oneself: two commands.
std::vector<std::string> DemoHints(const std::string& binary,
                                   const std::string& server);

// A frame for a terminal of `width` columns, with ANSI colours.
std::string DemoFrame(const DemoState& state,
                      const std::vector<std::string>& hints, size_t width);
// A line a second for a pipe.
std::string DemoLine(const DemoState& state);
// "events=N updates=N p50=X ms p99=Y ms, 0 violations"
std::string DemoLastLine(int64_t events, const DemoReport& report);
// The exit status that goes with it.
int DemoExitCode(int64_t events, const DemoReport& report);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_DEMO_PICTURE_H_
