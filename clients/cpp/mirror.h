// A local copy of the rows that a subscription, or a watch of a session, is of.
#ifndef TIDEGATE_CLIENTS_CPP_MIRROR_H_
#define TIDEGATE_CLIENTS_CPP_MIRROR_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "clients/cpp/event.h"
#include "clients/cpp/key_order.h"
#include "clients/cpp/row_map.h"

namespace tidegate::client {

// A mirror that would pass one of them ends with ResourceExhausted. While a
// snapshot replaces the rows, old and new are each held to them.
struct MirrorLimits {
  size_t max_rows = 1'000'000;
  size_t max_bytes = size_t{1} << 30;  // what holds the rows included
};

enum class MirrorState : uint8_t {
  kLoading,       // a snapshot is under way, or none has begun yet
  kLive,          // connected: every change comes as it happens
  kDisconnected,  // the rows are as of the position; they stay and grow old
  kEnded,         // for good
};
// "loading", "live", "disconnected", "ended".
absl::string_view MirrorStateName(MirrorState state);

// `before` is null if no such row was held, `after` if there is none now.
struct RowChange {
  Change::Kind kind = Change::Kind::kUpsert;
  RowRef before;
  RowRef after;
};

// A mirror as of one position. Immutable, cheap to copy, and may outlive it.
struct MirrorSnapshot {
  RowMap rows;                             // in the order of their keys
  std::optional<StreamPosition> position;  // none before the first snapshot
  std::optional<int64_t> watermark_us;     // the last one told
  MirrorState state = MirrorState::kLoading;
  std::shared_ptr<const KeyOrder> order;  // null before the first snapshot

  // The row of a <View>Key; null if there is none, or those bytes are no key.
  RowRef Find(absl::string_view key) const;
  // Every partition of `least` is there, at its number or a later one. Of a
  // history that has been lost since, numbers are compared all the same.
  bool Reached(const StreamPosition& least) const;
};

// Its readers are thread-safe. They see whole commits only: until the first
// snapshot has ended, no rows; while a later one is under way (after a reset,
// or after a connection whose token was of no use), the rows from before it,
// with the state kLoading; at its end, the new ones, at once.
//
// A mirror is kept by one thread, which calls the methods that are not const.
class Mirror {
 public:
  explicit Mirror(MirrorLimits limits = {}) : limits_(limits) {}

  MirrorSnapshot Read() const;
  RowRef Find(absl::string_view key) const;
  size_t size() const;
  MirrorState state() const;

  // Waits until `condition`, which is called on this thread, holds. If that is
  // not before the timeout: DeadlineExceeded; if it cannot be any more, because
  // the mirror has ended: why it has, or Cancelled.
  absl::Status WaitUntil(
      absl::FunctionRef<bool(const MirrorSnapshot& now)> condition,
      std::chrono::milliseconds timeout) const;
  absl::Status WaitUntilLive(std::chrono::milliseconds timeout) const;
  // So that what was read elsewhere, at that position, is here as well.
  absl::Status WaitUntilAt(const StreamPosition& position,
                           std::chrono::milliseconds timeout) const;

  // How keys are to be read from the next kConnected without a token, or the
  // next kReset, on: due before the first event.
  void SetOrder(KeyOrder order);
  // Appends to `changes` (which may be null) what readers see change, in order:
  // a snapshot's end tells how it differs from what was held. What changes
  // nothing is not told. After an error readers see what they saw before it.
  absl::Status Apply(const Event& event, std::vector<RowChange>* changes);
  // Forgets rows by their <View>Key: they are not watched any more.
  absl::Status Forget(const std::vector<std::string>& keys,
                      std::vector<RowChange>* changes);
  // Has those who wait test their conditions again.
  void Nudge();
  // The last call.
  void End(absl::Status why);

 private:
  struct Step;
  static absl::StatusOr<std::vector<Step>> Prepare(const Event& event,
                                                   const KeyOrder* order);
  static void Run(std::vector<Step> steps, RowMap* rows,
                  std::vector<RowChange>* changes);
  absl::Status CheckLimits(const RowMap& rows) const;
  absl::Status ApplyConnected(const Event& event);
  void KeepStaged(const Event& event);
  absl::Status ApplySnapshot(const Event& event);
  absl::Status ApplySnapshotEnd(const Event& event,
                                std::vector<RowChange>* changes);
  absl::Status ApplyChanges(const Event& event,
                            std::vector<RowChange>* changes);
  void StartOver();
  void SetState(MirrorState state);
  void Tell(const Event& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MirrorLimits limits_;

  // Of the keeper's thread: of the rows that are staged, and of those shown.
  std::shared_ptr<const KeyOrder> next_order_;
  std::shared_ptr<const KeyOrder> order_;
  bool in_snapshot_ = false;
  RowMap staged_;
  // As of the last token that came in the snapshot: where a new stream goes on.
  RowMap staged_at_token_;
  std::string staged_token_;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  MirrorSnapshot now_ ABSL_GUARDED_BY(mutex_);
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_MIRROR_H_
