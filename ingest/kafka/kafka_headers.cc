#include "ingest/kafka/kafka_headers.h"

#include <librdkafka/rdkafka.h>

namespace tidegate {
namespace {

const rd_kafka_headers_t* ListOf(const void* list) {
  return static_cast<const rd_kafka_headers_t*>(list);
}

HeaderView::Value ValueOf(const void* value, size_t size) {
  if (value == nullptr) return std::nullopt;
  return absl::string_view(static_cast<const char*>(value), size);
}

bool Last(const void* list, const std::string& name, HeaderView::Value* out) {
  const void* value = nullptr;
  size_t size = 0;
  if (rd_kafka_header_get_last(ListOf(list), name.c_str(), &value, &size) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  *out = ValueOf(value, size);
  return true;
}

void Each(const void* list, HeaderView::Sink sink) {
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(ListOf(list), i, &name, &value, &size) ==
       RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    sink(name, ValueOf(value, size));
  }
}

}  // namespace

const HeaderView::Access kKafkaHeaders = {.last = &Last, .each = &Each};

rd_kafka_headers_s* MakeKafkaHeaders(const RecordHeaders& headers) {
  rd_kafka_headers_t* const list = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(
        list, name.data(), static_cast<ssize_t>(name.size()),
        value.has_value() ? value->data() : nullptr,
        value.has_value() ? static_cast<ssize_t>(value->size()) : 0);
  }
  return list;
}

RecordHeaders HeadersOf(const rd_kafka_message_s& message) {
  rd_kafka_headers_t* list = nullptr;
  if (rd_kafka_message_headers(&message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return CopyOf(HeaderView(list, &kKafkaHeaders));
}

}  // namespace tidegate
