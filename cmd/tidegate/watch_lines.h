// What `watch --format json` prints: one JSON object a line, a history that
// history_checker can read.
//
//   {"marker":"connect","view":"v","keys":[…],"key_prefix":{…},"where":"…",
//       "resume":"…"|null,"position":…}
//       at the start of every stream; with "resume":null, forget everything
//   {"op":"upsert","key":{…},"row":{…},"finality":"provisional"}
//       or "final" or "corrected"; without it the view has no windows. As of
//       the watermark that the server judged by, which the batch's marker has:
//       a later one makes rows final without a line.
//   {"op":"deleted"|"left","key":{…}}
//   {"marker":"snapshot_end","position":{"incarnation":"…","partitions":[
//       {"partition":0,"seq":12}]},"token":"…"}
//   {"marker":"progress","ranges":[{"partition":0,"from":12,"to":14}],
//       "position":…,"token":"…"}
//       after every batch of changes, also an empty one
//   {"marker":"progress","snapshot":true,"token":"…"}
//       after a part of a snapshot that can be resumed after
//   {"marker":"reset","cause":"…","detail":"…","position":…}
//       forget everything; a snapshot follows
//   {"marker":"drain","retry_after_ms":250,"position":…,"token":"…"}
//   {"marker":"error","detail":"…"}
//       the server broke a promise; the last line
//
// Where several views are watched, each line begins with its "view", and the
// lines of one view are a history.
//
// Tokens are base64, incarnations hexadecimal. "watermark", "committed_at" and
// "sent_at" stand in markers where the server sent them.
#ifndef TIDEGATE_CMD_TIDEGATE_WATCH_LINES_H_
#define TIDEGATE_CMD_TIDEGATE_WATCH_LINES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/dynamic_rows.h"
#include "clients/cpp/finality.h"
#include "clients/cpp/stream_cursor.h"

namespace tidegate {

class JsonWriter;

// What one watch is of.
struct WatchSubject {
  std::string view;
  std::vector<std::string> keys;  // <View>Key messages; none: all rows
  std::string key_prefix;         // <View>Key with its leading columns set
  std::string where;
  bool one_of_several = false;  // its lines name the view
};

// Thread-compatible.
class WatchLines {
 public:
  // `rows` must outlive this.
  WatchLines(WatchSubject subject, const client::DynamicRows* rows)
      : subject_(std::move(subject)), rows_(rows) {}

  // Appends the event's lines; a kDisconnected has none. DataLoss if a row or
  // key cannot be read.
  absl::Status Append(const client::Event& event, std::string* out) const;

 private:
  absl::Status AppendChange(const client::Change& change,
                            std::string* out) const;
  absl::Status AppendConnect(const client::Event& event,
                             std::string* out) const;
  void AppendMarker(const client::Event& event, std::string* out) const;
  // The start of every line but a connect's, which has the view in any case.
  void Begin(std::string* out) const;

  const WatchSubject subject_;
  const client::DynamicRows* const rows_;
};

// {"key":{…},"row":{…},"finality":"…"}: a line of `scan` and `get`.
absl::StatusOr<std::string> RowLine(const client::DynamicRows& rows,
                                    absl::string_view row,
                                    client::Finality finality);
// {"incarnation":"…","partitions":[…]}
void WritePosition(const client::StreamPosition& position, JsonWriter* json);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_WATCH_LINES_H_
