// The fold of a grouped view over TUMBLE or HOP.
#ifndef TIDEGATE_VIEWS_FOLD_WINDOWED_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_WINDOWED_FOLD_H_

#include <string>
#include <vector>

#include "views/fold/closing_fold.h"
#include "views/fold/window_math.h"

namespace tidegate {

// A window's end is told by its key. The result does not depend on the order in
// which events come, floating-point rounding and lateness aside. Folding an
// event into windows in the cache allocates nothing, longer text aside.
class WindowedFold : public ClosingFold {
 public:
  // As ViewFold::Create.
  WindowedFold(const ViewPlan* plan, const SourcePlan* source,
               const SourcePlan* joined, const RowSchema* schema,
               FoldSources sources, size_t max_cached_keys);

  absl::Status Open(EventTime watermark) override;
  // InvalidArgument too if a replay names a window that does not hold the
  // event.
  absl::Status Apply(const Event& event, LateEvent* late) override;

 private:
  // Which windows an event is for: those of its span, or of them those named.
  struct Target {
    WindowSpan span;
    bool replay = false;
    const std::vector<EventTime>* named = nullptr;  // null: all
    bool Has(int64_t start) const;
  };

  absl::Status TargetOf(const Event& event, Target* target) const;
  EventTime EndOf(int64_t start) const;
  // Whether a window is closed for good.
  bool IsLate(int64_t start, bool replay) const;

  void EncodeEnd(EventTime end, std::string* out) const override;
  absl::Status DecodeEnd(absl::string_view key, absl::string_view* in,
                         EventTime* end) override;

  const WindowPlan window_;
  const StoredScan scan_;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_WINDOWED_FOLD_H_
