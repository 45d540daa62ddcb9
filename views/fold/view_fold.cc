#include "views/fold/view_fold.h"

#include <utility>

#include "views/fold/grouped_fold.h"
#include "views/fold/keyed_fold.h"
#include "views/fold/session_fold.h"
#include "views/fold/sliding_fold.h"
#include "views/fold/table_fold.h"
#include "views/fold/windowed_fold.h"

namespace tidegate {
namespace {

std::unique_ptr<ViewFold> CreateGrouped(
    const ViewPlan* plan, const SourcePlan* source, const SourcePlan* joined,
    const RowSchema* schema, FoldSources sources, size_t max_cached_keys) {
  if (!plan->window) {
    return std::make_unique<GroupedFold>(plan, source, joined, schema,
                                         std::move(sources), max_cached_keys);
  }
  switch (plan->window->kind) {
    case WindowKind::kTumble:
    case WindowKind::kHop:
      break;
    case WindowKind::kSession:
      return std::make_unique<SessionFold>(plan, source, joined, schema,
                                           std::move(sources), max_cached_keys);
    case WindowKind::kSliding:
      return std::make_unique<SlidingFold>(plan, source, joined, schema,
                                           std::move(sources), max_cached_keys);
  }
  return std::make_unique<WindowedFold>(plan, source, joined, schema,
                                        std::move(sources), max_cached_keys);
}

}  // namespace

std::unique_ptr<ViewFold> ViewFold::Create(
    const ViewPlan* plan, const SourcePlan* source, const SourcePlan* joined,
    const RowSchema* schema, FoldSources sources, size_t max_cached_keys) {
  if (plan->is_table) {
    return std::make_unique<TableFold>(
        plan, source, schema, std::move(sources.stored), max_cached_keys);
  }
  if (plan->grouped) {
    return CreateGrouped(plan, source, joined, schema, std::move(sources),
                         max_cached_keys);
  }
  return std::make_unique<KeyedFold>(plan, source, joined, schema,
                                     std::move(sources), max_cached_keys);
}

absl::Status ViewFold::Open(EventTime /*watermark*/) {
  return absl::OkStatus();
}

absl::StatusOr<bool> ViewFold::Admits(const Event& /*event*/) { return true; }

absl::Status ViewFold::Advance(EventTime /*watermark*/) {
  return absl::OkStatus();
}

absl::Status ViewFold::DrainState(
    absl::FunctionRef<void(const FoldedChange&)> /*sink*/) {
  return absl::OkStatus();
}

}  // namespace tidegate
