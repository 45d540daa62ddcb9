// An independent model of a pipeline in event time: from the recorded order of
// reading it computes watermarks, which events each view takes and which are
// diverted, and every view's rows. Uses nothing of the product.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_MODEL_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_MODEL_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tests/simulation/event_time_batch.h"
#include "tests/simulation/event_time_watermark_model.h"
#include "tests/simulation/event_time_world.h"

namespace tidegate::simulation {

// What happened at the seams of the fold loop, in order.
struct JournalEntry {
  enum class Kind : uint8_t {
    kRestart,  // a life of the process begins
    kStart,    // a partition is read from `place` on
    kPoll,     // a turn reads, at `now_us`
    kRecord,   // `place` was handed over
    kLook,     // the turn's reading is over; `sights`
    kCommit,   // commit `seq` is appended, with `watermark`
  };
  Kind kind = Kind::kRestart;
  Place place;
  int64_t now_us = 0;
  std::vector<Sight> sights;
  uint64_t seq = 0;
  std::optional<int64_t> watermark;
};
using Journal = std::vector<JournalEntry>;

// One view's refusal of one event; `view` is empty where all of a source's are
// meant.
struct Refusal {
  Place place;
  std::string view;
  std::string reason;
  std::set<int64_t> windows;         // starts
  std::optional<int64_t> watermark;  // when the verdict was taken
  friend auto operator<=>(const Refusal&, const Refusal&) = default;
};

// Thread-compatible.
class EventTimeModel {
 public:
  // Both must outlive it.
  EventTimeModel(const SimWorld* world, const RecordBook* records);

  // Plays what comes next. Internal if a commit's watermark is not the one that
  // follows from what was read.
  absl::Status Play(absl::Span<const JournalEntry> journal);
  // As if everything that was read were committed now: its refusals too.
  void PlayUncommitted();

  std::optional<int64_t> watermark() const { return watermarks_.watermark(); }
  const std::set<Refusal>& refusals() const { return refusals_; }
  // Records that were taken, each once.
  int64_t records() const { return records_taken_; }
  int64_t late_table_rows() const { return late_table_rows_; }
  std::optional<int64_t> next_watermark() const { return next_watermark_; }
  // One past the last record read.
  int64_t next(int source, int partition) const;

  BatchRows Rows(size_t view, int64_t* windows_closed) const;
  // Of a table, as it is served: by its key's text.
  BatchRows TableRows(int source) const;

 private:
  using Order = std::tuple<int64_t, int, int64_t>;
  struct ViewState {
    std::vector<TakenEvent> taken;
    std::map<Order, const SimRecord*> waiting;  // for the watermark
  };
  struct Version {
    int64_t from = 0;
    Order order;
    std::optional<Values> row;  // nullopt: deleted
  };
  struct PartitionState {
    int64_t next = 0;
  };

  void Read(const Place& place);
  void Judge(const SimRecord& record);
  void TakeTableRow(const SimRecord& record);
  void ForgetDeletion(std::vector<Version>* versions) const;
  void Offer(size_t view, const SimRecord& record);
  void OfferOrdered(size_t view, const SimRecord& record);
  void FoldInto(size_t view, const SimRecord& record);
  // True if the join passes; fills `event->table`.
  bool Join(const SimView& view, TakenEvent* event) const;
  // False if the event is not for this view, or was refused.
  bool Filter(const SimView& view, const TakenEvent& event);
  bool SortIntoWindows(const SimView& view, TakenEvent* event, bool* any_open,
                       std::set<int64_t>* late) const;
  bool IsTooOld(const SimView& view, const SimRecord& record) const;
  bool Computes(const SimView& view, const TakenEvent& event) const;
  bool Below(int64_t time) const;
  void Refuse(const SimRecord& record, const std::string& view,
              const std::string& reason, std::set<int64_t> windows = {});
  bool IsOnTheWay(std::optional<int64_t> to) const;
  void Release(std::optional<int64_t> watermark);
  absl::Status Commit(const JournalEntry& entry);

  const SimWorld& world_;
  const RecordBook& book_;
  WatermarkModel watermarks_;
  std::map<std::pair<int, int>, PartitionState> partitions_;
  std::vector<ViewState> views_;
  std::map<int, std::map<Value, std::vector<Version>>> versions_;  // by table
  // As served: the newest record of each key counts.
  std::map<int, std::map<Value, std::optional<Values>>> tables_;
  std::set<Refusal> refusals_;
  int64_t now_us_ = 0;
  int64_t records_taken_ = 0;
  int64_t late_table_rows_ = 0;
  // What the watermark may move to, as of the last look.
  std::optional<int64_t> next_watermark_;
};

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_MODEL_H_
