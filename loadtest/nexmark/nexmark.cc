#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/bench/bench.h"
#include "loadtest/bench/catchup_round.h"
#include "loadtest/nexmark/load.h"
#include "loadtest/nexmark/queries.h"

namespace tidegate {
namespace {

struct Query {
  std::string name;
  BenchFiles files;
  int64_t records = 0;  // that its server reads
  BenchEntry rate;
  BenchEntry cpu;
};

absl::StatusOr<Query> MakeQuery(const std::string& name,
                                const std::string& prefix, int64_t bids) {
  Query query;
  query.name = name;
  ASSIGN_OR_RETURN(query.files, NexmarkFiles({name}, prefix));
  query.records = bids + (name == "q13" ? kNexmarkSideRows : 0);
  query.rate = {.name = absl::StrCat("nexmark.", name, ".rate"),
                .unit = "events/s",
                .against = "bare librdkafka"};
  query.cpu = {.name = absl::StrCat("nexmark.", name, ".cpu"),
               .unit = "us/event",
               .against = "bare librdkafka"};
  return query;
}

absl::Status RunQuery(const BenchOptions& options, int64_t bids,
                      const CatchupResult& bare, Query* query) {
  ASSIGN_OR_RETURN(const CatchupResult ours,
                   CatchUpServer(options, query->files, query->records, bids));
  query->rate.against_samples.push_back(bare.rate);
  query->cpu.against_samples.push_back(bare.cpu_us);
  query->rate.ours_samples.push_back(ours.rate);
  query->cpu.ours_samples.push_back(ours.cpu_us);
  std::fprintf(stderr, "  %s %.0f events/s %.3f us\n", query->name.c_str(),
               ours.rate, ours.cpu_us);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<BenchEntry>> BenchNexmark(
    const BenchOptions& options) {
  const std::string prefix = absl::StrCat("bench-nexmark-", getpid());
  const int64_t bids = NexmarkBids(options.events);
  if (bids == 0) return absl::InvalidArgumentError("no bids: too few --events");
  std::vector<Query> queries;
  for (const std::string& name :
       options.queries.empty() ? NexmarkQueries() : options.queries) {
    ASSIGN_OR_RETURN(Query query, MakeQuery(name, prefix, bids));
    queries.push_back(std::move(query));
  }
  RETURN_IF_ERROR(LoadNexmark({.bootstrap_servers = options.bootstrap_servers,
                               .prefix = prefix,
                               .partitions = options.partitions,
                               .events = options.events,
                               .options = options.nexmark}));
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const CatchupResult bare,
                     CatchUpBare(options, prefix + "-bid", bids));
    std::fprintf(stderr, "round %d: bare %.0f events/s %.3f us\n", round + 1,
                 bare.rate, bare.cpu_us);
    for (Query& query : queries) {
      RETURN_IF_ERROR(RunQuery(options, bids, bare, &query));
    }
  }
  std::vector<BenchEntry> entries;
  for (Query& query : queries) {
    entries.push_back(std::move(query.rate));
    entries.push_back(std::move(query.cpu));
  }
  return entries;
}

absl::Status GenerateNexmark(const BenchOptions& options,
                             const std::string& prefix, const std::string& csv,
                             const std::string& views_dir) {
  if (!views_dir.empty()) {
    ASSIGN_OR_RETURN(const BenchFiles files,
                     NexmarkFiles(options.queries, prefix));
    RETURN_IF_ERROR(WriteBenchFiles(views_dir, files));
  }
  return LoadNexmark({.bootstrap_servers = options.bootstrap_servers,
                      .prefix = prefix,
                      .partitions = options.partitions,
                      .events = options.events,
                      .options = options.nexmark,
                      .csv = csv});
}

}  // namespace tidegate
