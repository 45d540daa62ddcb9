// A subscriber of one view in the simulation: reads, is cut, resumes; what it
// saw goes through the history checker.
#ifndef TIDEGATE_TESTS_SIMULATION_SIMULATED_SUBSCRIBER_H_
#define TIDEGATE_TESTS_SIMULATION_SIMULATED_SUBSCRIBER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "clients/history/checker.h"
#include "gateway/core/subscription.h"
#include "tests/simulation/event_time_batch.h"
#include "views/pipeline/catalog.h"
#include "views/store/materialized_store.h"

namespace tidegate::simulation {

// Runs on one thread.
class SimulatedSubscriber {
 public:
  // `view` and `book` must outlive it. `window`: of the view, if it has any.
  SimulatedSubscriber(const CatalogView* view,
                      std::optional<SimWindowEnd> window, StateBook* book);

  // Reads at most `messages`, connecting first if need be.
  absl::Status Read(MaterializedStore* store, ProcessingTime now, int messages);
  // The connection is gone; before the store goes.
  void Cut();
  // The server says goodbye, if it may now.
  void Drain(ProcessingTime now);
  // Reads to the end: what it holds must be `store`'s rows at the head.
  absl::Status Finish(MaterializedStore* store, ProcessingTime now);

  const CheckerCounts& counts() const { return checker_.counts(); }

 private:
  absl::Status Take(absl::string_view message);
  void TakeChange(absl::string_view change,
                  std::optional<int64_t> judged_by_us);
  void JudgeFinality(const std::vector<Datum>& row, RowFinality said,
                     std::optional<int64_t> judged_by_us);
  absl::Status Verdict() const;

  const CatalogView& view_;
  const std::optional<SimWindowEnd> window_;
  Checker checker_;
  std::unique_ptr<Subscription> subscription_;
  bool first_response_ = false;
  std::string token_;
  std::string incarnation_;
  std::optional<uint64_t> seq_;
  int messages_ = 0;
  std::string misjudged_;  // the first row of a wrong finality
};

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_SIMULATED_SUBSCRIBER_H_
