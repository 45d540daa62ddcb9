// Checks what a subscriber saw against the promises of the contract. Pure.
//
//   ordered        ranges go forward, and positions say the same as ranges
//   unique         no range twice; a key at most once in a batch or snapshot
//   reliable       no range is left out
//   atomic         changes always end in the progress of their own range
//   resumable      a resumed stream goes on exactly at its token's position
//   snapshot-end   exactly once per snapshot, before any delta
//   state          snapshot + deltas give one state per position, whoever saw
//                  it, and in the end what `scan` shows
//   no-resurrection  nothing held after an absence that is gone in truth
//   explicit-reset   after a resume, history is never replaced in silence
//   watermark      never moves back in a stream and across resumes
//   final          a row called final changes by correction only, stays final,
//                  and needs a watermark; a corrected one stays corrected
//   drain          the next stream starts at the drain's token, which is where
//                  this one stood
#ifndef TIDEGATE_CLIENTS_HISTORY_CHECKER_H_
#define TIDEGATE_CLIENTS_HISTORY_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "clients/history/history.h"

namespace tidegate {

// Which state was seen at which position of which subject, by several
// histories: they must agree. Thread-compatible.
class StateBook {
 public:
  // When it holds this many positions, it forgets them all.
  static constexpr size_t kMaxPositions = 1 << 20;

  // "" if the state agrees with what was seen before; else who saw another.
  std::string Note(const std::string& subject, const HistoryPosition& position,
                   uint64_t state_hash, const std::string& where);

 private:
  struct Seen {
    uint64_t state_hash = 0;
    std::string where;
  };
  std::unordered_map<std::string, Seen> seen_;
};

struct CheckerCounts {
  int64_t deltas = 0;     // changes outside snapshots
  int64_t resumes = 0;    // streams that went on from a token
  int64_t resets = 0;     // by the server
  int64_t snapshots = 0;  // complete ones
  int64_t violations = 0;
};

// One history. Thread-compatible.
class Checker {
 public:
  // `name` is for messages; `book` may be null, else it must outlive this.
  Checker(std::string name, StateBook* book);

  void Add(const HistoryEvent& event);
  // Parses and adds; a line that cannot be read counts as a violation.
  void AddLine(absl::string_view line, int number);
  // The view's rows as `scan` shows them once nothing moves any more and the
  // subscriber has caught up: by key, both canonical JSON text.
  void CompareFinal(const std::map<std::string, std::string>& rows);

  const CheckerCounts& counts() const { return counts_; }
  // "NAME:LINE: INVARIANT: what happened"; the first kMaxViolationTexts.
  const std::vector<std::string>& violations() const { return violations_; }
  // The rows held after the last complete batch or snapshot.
  const std::map<std::string, std::string>& rows() const { return rows_; }
  // Where the subscriber stands; nullopt before the first snapshot's end.
  const std::optional<HistoryPosition>& position() const { return position_; }

  static constexpr size_t kMaxViolationTexts = 100;
  // Tokens whose positions are remembered; a resume from an older one is not
  // checked for its position.
  static constexpr size_t kMaxTokens = 1 << 16;
  // A client with keys that was further behind is told of its keys as they
  // are: also that rows are gone which it never had.
  static constexpr uint64_t kKeyedCatchUpCommits = 256;

 private:
  void Violation(int line, absl::string_view invariant, absl::string_view what);
  void OnConnect(const HistoryEvent& event);
  void OnChange(const HistoryEvent& event);
  void OnSnapshotEnd(const HistoryEvent& event);
  void OnProgress(const HistoryEvent& event);
  void OnReset(const HistoryEvent& event);
  void OnDrain(const HistoryEvent& event);
  void CheckWatermark(const HistoryEvent& event);
  // What an upsert says of its row, against what was said of it before.
  void CheckFinality(const HistoryEvent& change);
  // After CheckWatermark of the event that completes the rows.
  void CheckFinalHasWatermark(int line);
  void CheckRanges(const HistoryEvent& event);
  // Pending changes without their range: they must not be there.
  void CheckNothingPending(int line, absl::string_view what);
  void StartOver();
  void ApplyBatch(const HistoryEvent& progress);
  // Null: there is no such row.
  void SetRow(const std::string& key, const HistoryEvent* upsert);
  void NoteState(int line);
  void Remember(const std::string& token);

  const std::string name_;
  StateBook* const book_;
  CheckerCounts counts_;
  std::vector<std::string> violations_;

  std::string subject_;
  bool keyed_ = false;
  bool connected_ = false;
  bool in_snapshot_ = false;
  // Where the snapshot began, if known. One that ends elsewhere has moved on
  // meanwhile, and may amend what it had sent.
  std::optional<HistoryPosition> snapshot_start_;
  bool snapshot_was_cut_ = false;
  struct Repeat {
    int line = 0;
    std::string invariant;
    std::string what;
  };
  std::vector<Repeat> snapshot_repeats_;  // at most kMaxViolationTexts
  bool was_away_ = false;  // a stream ended since the history's start
  // The present stream was resumed, and has neither moved nor been reset.
  bool just_resumed_ = false;
  std::optional<HistoryPosition> position_;
  std::map<std::string, std::string> rows_;
  uint64_t state_hash_ = 0;                      // order-free sum over rows_
  std::map<std::string, RowFinality> finality_;  // of rows_, but for kNone
  bool final_seen_ = false;  // a row called final awaits CheckFinalHas…
  std::vector<HistoryEvent> pending_;
  std::set<std::string> pending_keys_;
  std::optional<int64_t> watermark_us_;
  std::string last_token_;
  std::optional<std::string> drained_token_;
  // Positions by token; nullopt for a token within a snapshot.
  std::unordered_map<std::string, std::optional<HistoryPosition>> tokens_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CLIENTS_HISTORY_CHECKER_H_
