#include "ingest/kafka/kafka_headers.h"

#include <librdkafka/rdkafka.h>

namespace tidegate {

rd_kafka_headers_s* MakeKafkaHeaders(const RecordHeaders& headers) {
  rd_kafka_headers_t* const list = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(list, name.data(), static_cast<ssize_t>(name.size()),
                        value.data(), static_cast<ssize_t>(value.size()));
  }
  return list;
}

RecordHeaders HeadersOf(const rd_kafka_message_s& message) {
  RecordHeaders headers;
  rd_kafka_headers_t* list = nullptr;
  if (rd_kafka_message_headers(&message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return headers;
  }
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value, &size) ==
                     RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    headers.emplace_back(
        name, value == nullptr
                  ? std::string()
                  : std::string(static_cast<const char*>(value), size));
  }
  return headers;
}

}  // namespace tidegate
