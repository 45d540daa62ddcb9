#include "gateway/core/scan_page.h"

#include <memory>

#include "absl/strings/match.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// What a page has taken so far.
struct Taken {
  size_t rows = 0;
  size_t bytes = 0;
  size_t read_rows = 0;
  size_t read_bytes = 0;
};

bool WorkDone(const Taken& taken, const PageLimits& limits) {
  return taken.read_rows >= limits.max_read_rows ||
         taken.read_bytes >= limits.max_read_bytes;
}

bool HasRoom(const Taken& taken, const PageLimits& limits, size_t row_bytes) {
  return taken.rows == 0 || (taken.rows < limits.max_rows &&
                             taken.bytes + row_bytes <= limits.max_bytes);
}

}  // namespace

absl::StatusOr<PageEnd> ReadPage(
    const ReadView& rows, const SubscriptionFilter& filter,
    const WindowEnd& window, absl::string_view last_key,
    const PageLimits& limits, absl::FunctionRef<ProcessingTime()> now,
    absl::FunctionRef<void(absl::string_view row, Finality finality)> sink) {
  const std::unique_ptr<ViewIterator> at = rows.NewIterator(filter.view);
  std::string start = filter.prefix;
  if (!last_key.empty()) {  // the least key behind it
    start.assign(last_key.data(), last_key.size());
    start.push_back('\0');
  }
  at->Seek(start);
  PageEnd end;
  Taken taken;
  for (; at->Valid() && absl::StartsWith(at->key(), filter.prefix);
       at->Next()) {
    const StoredEntry& entry = at->entry();
    if (taken.read_rows > 0 &&
        (WorkDone(taken, limits) || taken.rows >= limits.max_rows ||
         (filter.where != nullptr && now() >= limits.until))) {
      end.more = true;
      break;
    }
    ASSIGN_OR_RETURN(const bool matches, filter.Matches(entry.row));
    if (matches) {
      if (!HasRoom(taken, limits, entry.row.size())) {
        end.more = true;
        break;
      }
      sink(entry.row,
           FinalityOf(window, entry.row, entry.corrected, rows.watermark()));
      ++taken.rows;
      taken.bytes += entry.row.size();
    }
    ++taken.read_rows;
    taken.read_bytes += at->key().size() + entry.row.size();
    end.last_key.assign(at->key().data(), at->key().size());
  }
  RETURN_IF_ERROR(at->status());
  return end;
}

}  // namespace tidegate
