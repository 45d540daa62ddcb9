// What a pipeline's store was built for: kept in the store, compared at every
// start, so that old rows are never folded on by a changed definition.
#ifndef TIDEGATE_VIEWS_PIPELINE_CATALOG_H_
#define TIDEGATE_VIEWS_PIPELINE_CATALOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "views/fold/row_codec.h"
#include "views/plan/plan.h"

namespace tidegate {

// One view's or table's entry.
struct CatalogView {
  ViewId id;
  // State beside the rows (what lags look back at, a table's versions); 0 if
  // there is none. Comes after the ids of all rows.
  ViewId state_id;
  std::string name;
  // A table that only joins read (in a pipeline other than `default`, or one
  // that is not served): not visible to clients.
  bool is_private = false;
  bool is_table = false;
  uint64_t version = 1;    // grows with every rebuild; part of resume tokens
  std::string definition;  // as written
  std::string canonical;   // what decides whether it changed
  // As in ViewPlan; known of a catalog that was made, not kept in the store.
  std::vector<std::string> canonical_before;
  uint64_t fingerprint = 0;  // Fnv1a64 of `canonical`
  RowSchema schema;          // with the field numbers given out
  // Field numbers of columns that are gone; never given out again.
  std::vector<RowSchema::Field> retired;
  // Its source's WATERMARK FOR; empty and 0 if there is none.
  std::string event_time_column;
  int64_t watermark_delay_us = 0;
  // As in ViewPlan: where a row's window ends.
  int window_column = -1;
  int64_t window_add_us = 0;
};

struct Catalog {
  std::string pipeline;
  uint64_t build = 1;  // grows with every rebuild of the pipeline
  uint32_t next_view_id = 1;
  std::vector<CatalogView> views;
};

void EncodeCatalog(const Catalog& catalog, std::string* out);
absl::StatusOr<Catalog> DecodeCatalog(absl::string_view bytes);

// The catalog for the views and tables of `pipeline` in `plans` (tables that
// its views join are in it, private unless the pipeline is `default`). Field
// numbers and versions continue from `previous` (may be null), as a rebuild
// needs.
Catalog MakeCatalog(const PlanSet& plans, absl::string_view pipeline,
                    const Catalog* previous);

// OK if `wanted` goes on from what `stored` was built for: it means the same,
// or reads one encoding more. FailedPrecondition with
// a readable difference (view by view: changed with the old and new text, new,
// gone) that names the way out: --rebuild VIEW.
absl::Status CheckUnchanged(const Catalog& stored, const Catalog& wanted);

// The pipelines that `plans` names, sorted; `default` if a table is served.
std::vector<std::string> PipelineNames(const PlanSet& plans);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PIPELINE_CATALOG_H_
