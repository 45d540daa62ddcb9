#include "ingest/kafka/topic_scan.h"

#include <librdkafka/rdkafka.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/kafka/broker_wake.h"
#include "ingest/kafka/kafka_headers.h"
#include "ingest/kafka/kafka_probe.h"

namespace tidegate {
namespace {

using Message =
    std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;

absl::StatusOr<KafkaHandle> MakeConsumer(KafkaProperties properties) {
  properties["fetch.wait.max.ms"] = kAwakeFetchWaitMs;
  ASSIGN_OR_RETURN(KafkaConf conf,
                   MakeKafkaConf({{"isolation.level", "read_committed"},
                                  {"reconnect.backoff.max.ms", "1000"}},
                                 properties,
                                 {{"auto.offset.reset", "error"},
                                  {"enable.auto.commit", "false"},
                                  {"enable.auto.offset.store", "false"},
                                  {"enable.partition.eof", "true"},
                                  {"group.id", "tidegate-scan"}}));
  ASSIGN_OR_RETURN(KafkaHandle handle,
                   MakeKafkaHandle(KafkaRole::kConsumer, std::move(conf)));
  rd_kafka_poll_set_consumer(handle.get());
  return handle;
}

StoredRecord ToStored(const rd_kafka_message_t& message) {
  const RawRecord raw = ToRawRecord(0, message);
  StoredRecord record;
  record.partition = raw.partition;
  record.offset = raw.offset;
  record.timestamp_ms = raw.timestamp_ms;
  record.headers = HeadersOf(message);
  if (raw.has_key) record.key = std::string(raw.key);
  if (raw.has_value) record.value = std::string(raw.value);
  return record;
}

}  // namespace

struct TopicScan::Impl {
  KafkaHandle consumer;
  KafkaProbe probe;
  int timeout_ms;

  absl::Status ReadAssigned(const std::string& topic,
                            const PartitionBounds& bounds,
                            absl::FunctionRef<absl::Status(StoredRecord)> sink);
};

absl::StatusOr<std::unique_ptr<TopicScan>> TopicScan::Create(
    const KafkaProperties& properties, int timeout_ms) {
  ASSIGN_OR_RETURN(KafkaHandle consumer, MakeConsumer(properties));
  ASSIGN_OR_RETURN(KafkaHandle probe, MakeConsumer(properties));
  return std::unique_ptr<TopicScan>(new TopicScan(std::unique_ptr<Impl>(
      new Impl{std::move(consumer), KafkaProbe(std::move(probe), timeout_ms),
               timeout_ms})));
}

TopicScan::TopicScan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TopicScan::~TopicScan() = default;

absl::StatusOr<std::vector<PartitionBounds>> TopicScan::Bounds(
    const std::string& topic) {
  return impl_->probe.Bounds(topic);
}

absl::StatusOr<bool> TopicScan::IsCompacted(const std::string& topic) {
  return impl_->probe.IsCompacted(topic);
}

absl::Status TopicScan::Read(
    const std::string& topic, const PartitionBounds& bounds,
    absl::FunctionRef<absl::Status(StoredRecord)> sink) {
  if (bounds.low >= bounds.high) return absl::OkStatus();
  rd_kafka_topic_partition_list_t* const list =
      rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(),
                                    bounds.partition.value())
      ->offset = bounds.low.value();
  const rd_kafka_resp_err_t error =
      rd_kafka_assign(impl_->consumer.get(), list);
  rd_kafka_topic_partition_list_destroy(list);
  absl::Status status = error == RD_KAFKA_RESP_ERR_NO_ERROR
                            ? impl_->ReadAssigned(topic, bounds, sink)
                            : absl::UnavailableError(rd_kafka_err2str(error));
  rd_kafka_assign(impl_->consumer.get(), nullptr);
  return status;
}

absl::Status TopicScan::Impl::ReadAssigned(
    const std::string& topic, const PartitionBounds& bounds,
    absl::FunctionRef<absl::Status(StoredRecord)> sink) {
  const std::string where =
      absl::StrCat("topic=", topic, " partition=", bounds.partition.value());
  while (true) {
    const Message message(PollAwake(consumer.get(), topic.c_str(),
                                    bounds.partition.value(), timeout_ms),
                          &rd_kafka_message_destroy);
    if (message == nullptr) {
      return absl::UnavailableError(
          absl::StrCat(where, ": nothing came within ", timeout_ms, " ms"));
    }
    // What is left of the partition before.
    if (message->rkt == nullptr ||
        message->partition != bounds.partition.value())
      continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      return absl::OkStatus();
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return absl::UnavailableError(
          absl::StrCat(where, ": ", rd_kafka_message_errstr(message.get())));
    }
    if (message->offset >= bounds.high.value()) return absl::OkStatus();
    RETURN_IF_ERROR(sink(ToStored(*message)));
    if (message->offset + 1 >= bounds.high.value()) return absl::OkStatus();
  }
}

}  // namespace tidegate
