// In event time, whatever the order of reading and wherever it crashes, views,
// verdicts and subscribers are what an independent model says.
//
// TIDEGATE_SEED=N runs one seed; TIDEGATE_SIMULATION_SEEDS=N so many (1,000).
#include "tests/simulation/event_time_simulation.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tests/simulation/event_time_grammar.h"

namespace tidegate::simulation {
namespace {

constexpr uint64_t kSeeds = 1000;

void Print(const EventTimeCounts& counts) {
  const auto table = [](const char* name, const auto& numbers) {
    for (const auto& [what, count] : numbers) {
      std::printf("%-10s %-20s %ld\n", name, what.c_str(),
                  static_cast<long>(count));
    }
  };
  table("crashes", counts.crashes);
  table("diverted", counts.refusals);
  table("runs with", counts.features);
  std::printf(
      "%s\n",
      absl::StrCat(
          "runs ", counts.runs, " (", counts.orderly_runs,
          " within the bound), crashes of the process ", counts.process_crashes,
          ", of the machine ", counts.machine_crashes, ", starts in vain ",
          counts.vain_starts, "\nrecords ", counts.records, ", sent back ",
          counts.replays, ", diverted/total ", counts.diverted, "/",
          counts.records, "\ncommits ", counts.commits, " (",
          counts.lost_commits, " lost, turns of several ", counts.split_turns,
          "), checkpoints ", counts.checkpoints, ", comparisons ",
          counts.comparisons, "\nwindows closed ", counts.windows_closed,
          ", rows compared ", counts.rows, ", corrected ", counts.corrected,
          "\nresumes ", counts.resumes, ", resets ", counts.resets,
          "\npartitions added ", counts.partitions_added, ", down ",
          counts.partitions_down, ", unread ", counts.unread,
          ", spilled files ", counts.spilled, ", late table rows ",
          counts.late_table_rows, "\nbroker away ", counts.broker_away,
          ", letters held ", counts.letters_held, ", repeated ",
          counts.repeated_letters)
          .c_str());
}

void ExpectAllHappened(EventTimeCounts counts) {
  for (const char* step :
       {"between turns",    "before poll",       "after poll",
        "before letter",    "before flush",      "after flush",
        "before append",    "after append",      "before sync",
        "after sync",       "inside checkpoint", "before checkpoint",
        "after checkpoint", "before trim",       "after trim",
        "before meta",      "after meta",        "before spill",
        "within spill",     "reading spill"}) {
    EXPECT_GT(counts.crashes[step], 0) << step;
  }
  for (const char* reason :
       {"undecodable", "future", "late", "expression", "no_event_time"}) {
    EXPECT_GT(counts.refusals[reason], 0) << reason;
  }
  for (const char* feature :
       {"grouped", "tumble", "hop", "session", "sliding", "keyed", "keyless",
        "join", "lag", "emit on close", "allowed lateness", "retention"}) {
    EXPECT_GT(counts.features[feature], 0) << feature;
  }
  for (const int64_t count : {counts.orderly_runs,     counts.process_crashes,
                              counts.machine_crashes,  counts.vain_starts,
                              counts.commits,          counts.lost_commits,
                              counts.split_turns,      counts.checkpoints,
                              counts.replays,          counts.windows_closed,
                              counts.corrected,        counts.resumes,
                              counts.resets,           counts.unread,
                              counts.spilled,          counts.late_table_rows,
                              counts.partitions_added, counts.partitions_down,
                              counts.broker_away,      counts.letters_held,
                              counts.repeated_letters}) {
    EXPECT_GT(count, 0);
  }
}

TEST(EventTimeSimulationTest, EverySeedEqualsTheModel) {
  SetLogLevel(LogLevel::kError);
  EventTimeCounts counts;
  const Mutant product;
  uint64_t first = 1;
  uint64_t seeds = kSeeds;
  const char* only = std::getenv("TIDEGATE_SEED");
  const char* many = std::getenv("TIDEGATE_SIMULATION_SEEDS");
  if (many != nullptr && *many != '\0') {
    ASSERT_TRUE(absl::SimpleAtoi(many, &seeds)) << many;
  }
  if (only != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(only, &first)) << only;
    seeds = 1;
    SetLogLevel(LogLevel::kDebug);
  }
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    EventTimeSimulation simulation(seed, &product, &counts);
    const absl::Status status = simulation.Run();
    ASSERT_TRUE(status.ok()) << simulation.sql() << "\nseed=" << seed
                             << " (TIDEGATE_SEED=" << seed << " replays it)\n"
                             << status;
  }
  Print(counts);
  if (only == nullptr) ExpectAllHappened(counts);
}

}  // namespace
}  // namespace tidegate::simulation
