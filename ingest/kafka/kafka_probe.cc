#include "ingest/kafka/kafka_probe.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/kafka/broker_wake.h"
#include "ingest/kafka/kafka_headers.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;

template <typename T, void (*Destroy)(T*)>
struct Destroyer {
  void operator()(T* object) const { Destroy(object); }
};
using Topic =
    std::unique_ptr<rd_kafka_topic_t,
                    Destroyer<rd_kafka_topic_t, rd_kafka_topic_destroy>>;
using TopicPartitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t,
                    Destroyer<rd_kafka_topic_partition_list_t,
                              rd_kafka_topic_partition_list_destroy>>;
using Message =
    std::unique_ptr<rd_kafka_message_t,
                    Destroyer<rd_kafka_message_t, rd_kafka_message_destroy>>;
using Queue =
    std::unique_ptr<rd_kafka_queue_t,
                    Destroyer<rd_kafka_queue_t, rd_kafka_queue_destroy>>;
using Event =
    std::unique_ptr<rd_kafka_event_t,
                    Destroyer<rd_kafka_event_t, rd_kafka_event_destroy>>;
using ConfigResource = std::unique_ptr<
    rd_kafka_ConfigResource_t,
    Destroyer<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>>;
using AdminOptions = std::unique_ptr<
    rd_kafka_AdminOptions_t,
    Destroyer<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>>;

// The broker's answer about a topic or partition as a status.
absl::Status FromKafka(rd_kafka_resp_err_t error, absl::string_view context) {
  const std::string text = absl::StrCat(context, ": ", rd_kafka_err2str(error));
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return absl::OkStatus();
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return absl::NotFoundError(text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

std::string Describe(const std::string& topic, PartitionId partition) {
  return absl::StrCat("topic=", topic, " partition=", partition.value());
}

}  // namespace

namespace {

// The headers, and what `tidegate replay` added to them if the record was sent
// back. Without headers this costs a look at a pointer; otherwise librdkafka
// takes them apart.
void TakeHeaders(const rd_kafka_message_t& message, RawRecord* record) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  record->headers = HeaderView(headers, &kKafkaHeaders);
  const auto take = [headers](const char* name, absl::string_view* text) {
    const void* value = nullptr;
    size_t size = 0;
    if (rd_kafka_header_get_last(headers, name, &value, &size) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      return false;
    }
    *text = absl::string_view(static_cast<const char*>(value), size);
    return true;
  };
  if (!take(kReplayOriginHeader, &record->replay_origin)) return;
  record->is_replay = take(kReplayViewsHeader, &record->replay_views);
  if (!record->is_replay) record->replay_origin = {};
}

}  // namespace

RawRecord ToRawRecord(int topic, const rd_kafka_message_t& message) {
  RawRecord record;
  record.topic = topic;
  record.partition = PartitionId(message.partition);
  record.offset = Offset(message.offset);
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp_ms = timestamp;
  record.has_key = message.key != nullptr;
  if (record.has_key) {
    record.key = absl::string_view(static_cast<const char*>(message.key),
                                   message.key_len);
  }
  record.has_value = message.payload != nullptr;
  if (record.has_value) {
    record.value = absl::string_view(static_cast<const char*>(message.payload),
                                     message.len);
  }
  TakeHeaders(message, &record);
  return record;
}

absl::StatusOr<std::vector<PartitionId>> KafkaProbe::Partitions(
    const std::string& topic) {
  const Topic handle(
      rd_kafka_topic_new(consumer_.get(), topic.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  RETURN_IF_ERROR(FromKafka(rd_kafka_metadata(consumer_.get(), 0, handle.get(),
                                              &metadata, timeout_ms_),
                            absl::StrCat("topic=", topic)));
  absl::Status status = absl::NotFoundError(
      absl::StrCat("topic=", topic, ": the broker does not list it"));
  std::vector<PartitionId> partitions;
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    const rd_kafka_metadata_topic& found = metadata->topics[t];
    if (topic != found.topic) continue;
    status = FromKafka(found.err, absl::StrCat("topic=", topic));
    for (int p = 0; p < found.partition_cnt; ++p) {
      partitions.emplace_back(found.partitions[p].id);
    }
  }
  rd_kafka_metadata_destroy(metadata);
  RETURN_IF_ERROR(status);
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

absl::StatusOr<PartitionBounds> KafkaProbe::BoundsOf(const std::string& topic,
                                                     PartitionId partition) {
  int64_t low = 0;
  int64_t high = 0;
  RETURN_IF_ERROR(FromKafka(rd_kafka_query_watermark_offsets(
                                consumer_.get(), topic.c_str(),
                                partition.value(), &low, &high, timeout_ms_),
                            Describe(topic, partition)));
  return PartitionBounds{partition, Offset(low), Offset(high)};
}

absl::StatusOr<std::vector<PartitionBounds>> KafkaProbe::Bounds(
    const std::string& topic) {
  ASSIGN_OR_RETURN(const std::vector<PartitionId> partitions,
                   Partitions(topic));
  std::vector<PartitionBounds> bounds;
  for (const PartitionId partition : partitions) {
    ASSIGN_OR_RETURN(bounds.emplace_back(), BoundsOf(topic, partition));
  }
  return bounds;
}

absl::StatusOr<std::optional<RecordReader::Probe>> KafkaProbe::ProbeAt(
    const std::string& topic, PartitionId partition, Offset offset) {
  ASSIGN_OR_RETURN(const PartitionBounds bounds, BoundsOf(topic, partition));
  if (offset >= bounds.high) return std::nullopt;
  const TopicPartitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(),
                                    partition.value())
      ->offset = std::max(offset, bounds.low).value();
  RETURN_IF_ERROR(FromKafka(rd_kafka_assign(consumer_.get(), list.get()),
                            Describe(topic, partition)));
  auto probe = ReadOne(topic, partition, bounds.high);
  rd_kafka_assign(consumer_.get(), nullptr);
  return probe;
}

absl::StatusOr<std::optional<RecordReader::Probe>> KafkaProbe::ReadOne(
    const std::string& topic, PartitionId partition, Offset end) {
  const auto deadline =
      SteadyClock::now() + std::chrono::milliseconds(timeout_ms_);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - SteadyClock::now());
    if (left.count() <= 0) break;
    const Message message(PollAwake(consumer_.get(), topic.c_str(),
                                    partition.value(),
                                    static_cast<int>(left.count())));
    if (message == nullptr) break;
    // An answer to an earlier question.
    if (message->rkt == nullptr || topic != rd_kafka_topic_name(message->rkt) ||
        message->partition != partition.value()) {
      continue;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return std::nullopt;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return FromKafka(message->err, Describe(topic, partition));
    }
    if (message->offset >= end.value()) return std::nullopt;
    const RawRecord record = ToRawRecord(0, *message);
    return RecordReader::Probe{record.offset, record.timestamp_ms,
                               RecordHash(record)};
  }
  return absl::UnavailableError(absl::StrCat(Describe(topic, partition),
                                             ": no record came within ",
                                             timeout_ms_, " ms"));
}

// librdkafka waits for the controller to answer DescribeConfigs; the embedded
// broker names one that is not in its list of brokers.
absl::StatusOr<bool> KafkaProbe::HasController() {
  constexpr int kAllTopics = 1;
  const struct rd_kafka_metadata* metadata = nullptr;
  RETURN_IF_ERROR(FromKafka(rd_kafka_metadata(consumer_.get(), kAllTopics,
                                              nullptr, &metadata, timeout_ms_),
                            "cluster metadata"));
  const int32_t controller =
      rd_kafka_controllerid(consumer_.get(), timeout_ms_);
  bool found = controller < 0;  // not known: the question itself will tell
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    found |= metadata->brokers[i].id == controller;
  }
  rd_kafka_metadata_destroy(metadata);
  return found;
}

absl::StatusOr<bool> KafkaProbe::IsCompacted(const std::string& topic) {
  ASSIGN_OR_RETURN(const bool has_controller, HasController());
  if (!has_controller) return false;
  const Queue queue(rd_kafka_queue_new(consumer_.get()));
  const ConfigResource resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  const AdminOptions options(rd_kafka_AdminOptions_new(
      consumer_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  char error[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms_, error,
                                            sizeof(error));
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  rd_kafka_DescribeConfigs(consumer_.get(), resources, 1, options.get(),
                           queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), timeout_ms_));
  const std::string context = absl::StrCat("topic=", topic);
  if (event == nullptr) {
    return FromKafka(RD_KAFKA_RESP_ERR__TIMED_OUT, context);
  }
  const rd_kafka_resp_err_t failed = rd_kafka_event_error(event.get());
  if (failed == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) return false;
  RETURN_IF_ERROR(FromKafka(failed, context));
  size_t count = 0;
  const auto* const found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count == 0) return false;
  RETURN_IF_ERROR(FromKafka(rd_kafka_ConfigResource_error(found[0]), context));
  const auto* const entries = rd_kafka_ConfigResource_configs(found[0], &count);
  for (size_t i = 0; i < count; ++i) {
    const char* const value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value != nullptr && absl::string_view("cleanup.policy") ==
                                rd_kafka_ConfigEntry_name(entries[i])) {
      return absl::StrContains(value, "compact");
    }
  }
  return false;
}

}  // namespace tidegate
