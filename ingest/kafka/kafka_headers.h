// A record's headers as librdkafka has them and as we do. Private to this
// folder.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_

#include "ingest/record.h"

extern "C" {
struct rd_kafka_headers_s;
struct rd_kafka_message_s;
}

namespace tidegate {

// The caller's to destroy, or producev's to take.
rd_kafka_headers_s* MakeKafkaHeaders(const RecordHeaders& headers);

RecordHeaders HeadersOf(const rd_kafka_message_s& message);

// Over an rd_kafka_headers_t, which the message owns.
extern const HeaderView::Access kKafkaHeaders;

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_HEADERS_H_
