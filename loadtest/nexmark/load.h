// Nexmark's events into Kafka.
#ifndef TIDEGATE_LOADTEST_NEXMARK_LOAD_H_
#define TIDEGATE_LOADTEST_NEXMARK_LOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "loadtest/nexmark/generator.h"

namespace tidegate {

// Rows of q13's table, with the keys from 0.
inline constexpr int64_t kNexmarkSideRows = 10'000;

struct NexmarkLoad {
  std::string bootstrap_servers;
  std::string prefix;  // of the topics PREFIX-person, -auction, -bid and -side
  int partitions = 4;  // records are dealt out in turn; -side has one
  int64_t events = 0;
  NexmarkOptions options;
  // Where the bids go too, one a line: partition, offset, auction, bidder,
  // price, channel, url, date_time in microseconds, extra. Empty: nowhere.
  std::string csv;
};

// Makes the topics and fills them; returns when everything is acknowledged.
absl::Status LoadNexmark(const NexmarkLoad& load);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_NEXMARK_LOAD_H_
