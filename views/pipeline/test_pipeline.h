// For tests: a pipeline compiled from SQL over a store in memory, that can
// crash and open again.
#ifndef TIDEGATE_VIEWS_PIPELINE_TEST_PIPELINE_H_
#define TIDEGATE_VIEWS_PIPELINE_TEST_PIPELINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/pipeline.h"
#include "views/plan/plan.h"
#include "views/store/materialized_store.h"
#include "views/store/simulated_store.h"

namespace tidegate {

// The values of a row joined by '|', NULL as such, times in microseconds.
std::string RowText(const RowSchema& schema, absl::string_view row);

// Thread-compatible. Aborts on errors that are a test's own mistake.
class TestPipeline {
 public:
  // Compiles `sql` and opens the pipeline `name`.
  explicit TestPipeline(absl::string_view sql,
                        absl::string_view name = "default",
                        MaterializedStoreOptions options = {});
  // The same of plans that are compiled already.
  explicit TestPipeline(PlanSet plans, absl::string_view name = "default",
                        MaterializedStoreOptions options = {});

  // Drops folds and overlay and recovers from the store.
  void Reopen();
  // The same after a crash of the process or the machine.
  void CrashAndReopen(CrashKind kind, size_t kept_unsynced);

  const PlanSet& plans() const { return plans_; }
  const Catalog& catalog() const { return catalog_; }
  const CatalogView& view(absl::string_view name) const;
  SimulatedStore& disk() { return disk_; }
  MaterializedStore& store() { return *store_; }
  Pipeline& pipeline() { return *pipeline_; }
  // The rows of a view at the head, in key order, as RowText.
  std::vector<std::string> Rows(absl::string_view view) const;

 private:
  PlanSet plans_;
  Catalog catalog_;
  const MaterializedStoreOptions options_;
  SimulatedStore disk_;
  uint64_t opened_ = 0;
  std::unique_ptr<MaterializedStore> store_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_TEST_PIPELINE_H_
