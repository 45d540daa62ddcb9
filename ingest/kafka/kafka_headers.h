// A record's headers as librdkafka has them and as we do. Private to this
// folder.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_

#include "ingest/kafka/dead_letter_headers.h"

extern "C" {
struct rd_kafka_headers_s;
struct rd_kafka_message_s;
}

namespace tidegate {

// The caller's to destroy, or producev's to take.
rd_kafka_headers_s* MakeKafkaHeaders(const RecordHeaders& headers);

// A null value is an empty text.
RecordHeaders HeadersOf(const rd_kafka_message_s& message);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_
