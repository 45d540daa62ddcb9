#include "views/fold/versioned_table.h"

namespace tidegate {

std::unique_ptr<VersionedTable> VersionedTable::Create(
    const SourcePlan* /*source*/, const RowSchema* /*schema*/,
    StoredLookup /*stored*/, size_t /*max_cached_keys*/) {
  return nullptr;
}

}  // namespace tidegate
