// What a swarm has seen, and its report.
#ifndef TIDEGATE_LOADTEST_SWARM_TALLY_H_
#define TIDEGATE_LOADTEST_SWARM_TALLY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "loadtest/swarm/histogram.h"

namespace tidegate::swarm {

inline constexpr size_t kMaxViolationExamples = 10;

// Counts are of the whole run, latencies and rates of what was measured. Plain
// data.
struct Tally {
  int64_t streams = 0;
  int64_t chosen_streams = 0;  // to stall or to disconnect; the rest is healthy
  int64_t connections = 0;
  double all_live_s = -1;  // from the start; -1: never
  double measured_s = 0;

  int64_t connects = 0;
  int64_t lost_connections = 0;
  int64_t opened = 0;   // streams, again and again
  int64_t resumes = 0;  // of them with a token
  int64_t snapshot_rows = 0;
  int64_t snapshot_messages = 0;  // with what came along
  int64_t snapshot_bytes = 0;
  int64_t live_at_end = 0;
  std::map<std::string, int64_t> ended;   // by gRPC code; not by us
  std::map<std::string, int64_t> resets;  // by cause
  int64_t drains = 0;
  int64_t violations = 0;
  std::vector<std::string> violation_examples;

  // While it was measured.
  int64_t messages = 0;
  int64_t updates = 0;
  int64_t bytes = 0;
  Histogram all;
  Histogram healthy;
  Histogram burst_last;  // from an update's stamp until every stream has it

  int64_t stalls = 0;
  int64_t disconnects = 0;
  double storm_live_s = -1;  // from the storm until every stream is live again

  double cpu_s = 0;  // the swarm's own
  double max_rss_mb = 0;
};

// One JSON object on one line. `latency` says where it was taken from.
std::string ToJson(const Tally& tally, absl::string_view latency,
                   uint64_t seed);

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_TALLY_H_
