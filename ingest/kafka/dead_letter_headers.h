// What a dead letter says in its headers, all of it text. Pure.
//
//   tidegate.reason        a DivertReasonName()
//   tidegate.detail        the message, at most kMaxDeadLetterDetailBytes
//   tidegate.views         comma-separated; empty: all that read the source
//   tidegate.replay.views  the same with the windows it was late for
//   tidegate.topic, tidegate.partition, tidegate.offset
//                          where the record stands; together they identify it,
//                          for who removes duplicates
//   tidegate.timestamp     the record's, in milliseconds since 1970
//   tidegate.watermark     RFC 3339; empty: there was none
//   tidegate.pipeline      whose verdict it was
//   tidegate.first.origin  only if the record had been sent back: where it
//                          stood first, as "topic/partition/offset"
// The record's own headers stand before them, but those of its replay; where
// the name of one begins with "tidegate.", "tidegate.kept." is put before it.
#ifndef TIDEGATE_INGEST_KAFKA_DEAD_LETTER_HEADERS_H_
#define TIDEGATE_INGEST_KAFKA_DEAD_LETTER_HEADERS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/record.h"

namespace tidegate {

// What a header carries of a letter's detail.
inline constexpr size_t kMaxDeadLetterDetailBytes = 4'096;

RecordHeaders DeadLetterHeaders(const DeadLetter& letter);

// The letter of these headers, without its topic, key and value; of a name that
// comes more than once the last counts. NotFound if they are not a letter's at
// all, InvalidArgument if one is missing or cannot be read. Letters of older
// versions, without watermark, pipeline and replay.views, are read. The
// letter's headers are those that the record had.
absl::StatusOr<DeadLetter> ParseDeadLetter(const RecordHeaders& headers);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_DEAD_LETTER_HEADERS_H_
