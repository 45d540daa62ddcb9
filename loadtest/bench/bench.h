// `tidegate bench`: figures beside their limit, taken in the same run.
#ifndef TIDEGATE_LOADTEST_BENCH_BENCH_H_
#define TIDEGATE_LOADTEST_BENCH_BENCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "loadtest/bench/report.h"
#include "loadtest/nexmark/generator.h"

namespace tidegate {

struct BenchOptions {
  std::string bootstrap_servers;
  int rounds = 5;
  int partitions = 4;
  int64_t events = 5'000'000;  // catchup, nexmark, produce, formats
  // catchup, produce, formats
  int64_t keys = 100'000;
  // live
  int rate = 10'000;  // events a second
  int64_t live_keys = 1'000;
  int64_t subscribers = 100;  // which share the keys
  std::string distribution;   // a file to write it to; empty: none
  int seconds = 20;           // a round, after the warm-up
  int warm_up_seconds = 3;
  int64_t window_keys = 100;  // window-close
  std::string topic;          // live-streams, produce
  std::string rows_topic;     // live-streams
  int burst_ms = 0;           // produce: from one burst to the next; 0: at once
  // nexmark
  std::vector<std::string> queries;  // none: all
  NexmarkOptions nexmark;
};

// Reading a topic from its start: `serve` with its defaults beside librdkafka's
// batch API alone, each a process of its own, interleaved. Entries:
// catchup.rate (events/s) and catchup.cpu (microseconds of user + system time
// of the whole process per event, final checkpoint included).
absl::StatusOr<std::vector<BenchEntry>> BenchCatchup(
    const BenchOptions& options);

// From before produce() to the change in a subscriber's hands, beside the same
// events consumed from Kafka directly at the same time. The keys are shared out
// among subscribers on connections of their own. Entries: live.p50 and live.p99
// (milliseconds), every event timed.
absl::StatusOr<std::vector<BenchEntry>> BenchLive(const BenchOptions& options);

// From before produce() to the row in a subscriber's hands, beside the row that
// another program, which reads options.topic already, writes to
// options.rows_topic. Both topics are there and empty; so there is one round.
// Entries: live.streams.p50 and live.streams.p99 (milliseconds), every event
// timed.
absl::StatusOr<std::vector<BenchEntry>> BenchLiveStreams(
    const BenchOptions& options);

// Fills options.topic, made if it is not there, with options.events orders from
// number `first` on, and leaves it: at once, or with burst_ms options.rate a
// second. Writes the views that catchup has of them into `views_dir`, unless
// that is empty.
absl::Status ProduceForBench(const BenchOptions& options, int64_t first,
                             const std::string& views_dir);

// From before producing the event that completes the watermark of a one-second
// window to each of the window's rows in a subscriber's hands, beside the same
// event consumed from Kafka directly at the same time. Entries:
// window-close.p50 and window-close.p99 (milliseconds).
absl::StatusOr<std::vector<BenchEntry>> BenchWindowClose(
    const BenchOptions& options);

// Nexmark's queries, each alone in a server that reads the bids from the start,
// beside librdkafka reading them. Entries for each query: nexmark.QUERY.rate
// (bids/s) and nexmark.QUERY.cpu (as catchup.cpu, a bid).
absl::StatusOr<std::vector<BenchEntry>> BenchNexmark(
    const BenchOptions& options);

// Nexmark's topics, named after `prefix`, filled and left there: the bids in
// the file `csv` too (see NexmarkLoad), the views of the queries and
// nexmark.proto in `views_dir`; both may be empty.
absl::Status GenerateNexmark(const BenchOptions& options,
                             const std::string& prefix, const std::string& csv,
                             const std::string& views_dir);

// The child process of BenchCatchup's other side; prints "start" and "done".
int RunBareConsumer(const std::string& bootstrap_servers,
                    const std::string& topic, int partitions, int64_t events);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_BENCH_H_
