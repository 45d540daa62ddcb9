#include "views/fold/view_fold.h"

#include <utility>

#include "views/fold/grouped_fold.h"
#include "views/fold/keyed_fold.h"
#include "views/fold/table_fold.h"

namespace tidegate {

std::unique_ptr<ViewFold> ViewFold::Create(
    const ViewPlan* plan, const SourcePlan* source, const SourcePlan* joined,
    const RowSchema* schema, StoredLookup stored, TableLookup table,
    size_t max_cached_keys) {
  if (plan->is_table) {
    return std::make_unique<TableFold>(plan, source, schema, std::move(stored),
                                       max_cached_keys);
  }
  if (plan->grouped) {
    return std::make_unique<GroupedFold>(plan, source, joined, schema,
                                         std::move(stored), std::move(table),
                                         max_cached_keys);
  }
  return std::make_unique<KeyedFold>(plan, source, joined, schema,
                                     std::move(stored), std::move(table),
                                     max_cached_keys);
}

}  // namespace tidegate
