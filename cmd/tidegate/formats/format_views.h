// The source and the view that `tidegate bench formats` reads its events with.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_VIEWS_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_VIEWS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "views/plan/plan.h"

namespace tidegate {

// One source, whose columns begin as in FormatColumn, and one view over it:
// count, sum and last value per driver. `encode` stands behind ENCODE.
absl::StatusOr<PlanSet> CompileFormatViews(absl::string_view encode);
enum FormatColumn { kOrderIdColumn, kDriverIdColumn };

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_VIEWS_H_
