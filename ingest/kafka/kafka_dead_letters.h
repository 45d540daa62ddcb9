// Writes diverted records to dead-letter topics, at least once.
//
// Key and value are the record's own; the headers say the rest, see
// dead_letter_headers.h. The letter's Kafka timestamp is when it was written:
// with the record's, retention would remove what was diverted from an old topic
// at once.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_DEAD_LETTERS_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_DEAD_LETTERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/record.h"

namespace tidegate {

// How long Write waits for room when kMaxPendingDeadLetters wait, before it
// answers ResourceExhausted.
inline constexpr int kDeadLetterRoomWaitMs = 1'000;

// The writer produces with acks=all and idempotence, and refuses properties
// that say otherwise. A letter that the broker refuses (too large, no such
// topic, no right to write) is kept and sent again at the next Flush, which
// says why it failed.
absl::StatusOr<std::unique_ptr<DeadLetterWriter>> MakeKafkaDeadLetterWriter(
    const KafkaProperties& properties);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_DEAD_LETTERS_H_
