// The fold of a grouped view over SESSION.
#ifndef TIDEGATE_VIEWS_FOLD_SESSION_FOLD_H_
#define TIDEGATE_VIEWS_FOLD_SESSION_FOLD_H_

#include <set>
#include <string>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "views/fold/closing_fold.h"

namespace tidegate {

// Events come in EventOrder. Of every group the last session is kept in memory
// until the watermark closes it: the next event joins it or begins another. A
// session's end is part of its state.
class SessionFold : public ClosingFold {
 public:
  // As ViewFold::Create.
  SessionFold(const ViewPlan* plan, const SourcePlan* source,
              const SourcePlan* joined, const RowSchema* schema,
              FoldSources sources, size_t max_cached_keys);

  absl::Status Open(EventTime watermark) override;
  absl::Status Apply(const Event& event, LateEvent* late) override;
  absl::Status Advance(EventTime watermark) override;
  EventTime next_timer() const override;
  size_t cached_bytes() const override;

 private:
  struct Session {
    EventTime start;
    EventTime end;
    std::string key;  // of its row
  };
  using Sessions = absl::node_hash_map<std::string, Session>;  // by group
  // Open sessions by their ends. The strings are the groups, in Sessions.
  using Ends = std::set<std::pair<EventTime, const std::string*>>;

  // Makes `session` the last one of its group; the one before is scheduled.
  void Begin(absl::string_view group, Session session);
  void Extend(Sessions::iterator at, EventTime end);
  static size_t BytesOf(const Sessions::value_type& entry);

  void EncodeEnd(EventTime end, std::string* out) const override;
  absl::Status DecodeEnd(absl::string_view key, absl::string_view* in,
                         EventTime* end) override;

  const int64_t gap_us_;
  const StoredScan scan_;
  Sessions sessions_;
  Ends ends_;
  size_t session_bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_SESSION_FOLD_H_
