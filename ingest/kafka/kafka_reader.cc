#include "ingest/kafka/kafka_reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "ingest/kafka/broker_answers.h"
#include "ingest/kafka/broker_wake.h"
#include "ingest/kafka/kafka_probe.h"
#include "ingest/kafka/poll_waker.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long a topic must have been reported missing before the broker is asked
// whether it is; metadata may lag behind for a moment.
constexpr milliseconds kMissingTopicGrace(3'000);

// On a thread of librdkafka's: must be short, and call nothing of the handle.
void OnQueueNotEmpty(rd_kafka_t*, void* waker) {
  static_cast<PollWaker*>(waker)->Signal();
}

// The clock of librdkafka's statistics: both are CLOCK_MONOTONIC.
int64_t StatisticsNowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             SteadyClock::now().time_since_epoch())
      .count();
}

int64_t NumberOf(const KafkaConf& conf, const char* property) {
  char text[64];
  size_t size = sizeof(text);
  int64_t number = 0;
  if (rd_kafka_conf_get(conf.get(), property, text, &size) ==
      RD_KAFKA_CONF_OK) {
    (void)absl::SimpleAtoi(text, &number);
  }
  return number;
}

bool SaysMissing(int error) {
  return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const {
    rd_kafka_queue_cb_event_enable(queue, nullptr, nullptr);
    rd_kafka_queue_destroy(queue);
  }
};

struct ReadPartition {
  int topic = 0;
  PartitionId id;
  Offset next;  // one past the last record handed over
  bool at_end = false;
  // When the broker first said that there is no such partition.
  std::optional<SteadyClock::time_point> missing_since;
  // Of the last error that came instead of a record.
  std::optional<SteadyClock::time_point> trouble_at;
  std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue;
};

class KafkaReader : public RecordReader {
 public:
  KafkaReader(KafkaReaderOptions options, KafkaHandle probe)
      : options_(std::move(options)),
        probe_(std::move(probe), options_.request_timeout_ms) {}

  ~KafkaReader() override {
    ReleaseHeld();
    if (consumer_ == nullptr) return;
    rd_kafka_assign(consumer_.get(), nullptr);
    partitions_.clear();
    // librdkafka 2.0.2 never ends the destruction of a consumer from under
    // which a topic vanished: a broker thread waits for the partition, closed
    // or not. Its idle threads are left to the end of the process, which
    // follows on such a loss.
    if (topic_vanished_) (void)consumer_.release();
  }

  static KafkaProperties Defaults() {
    return {{"fetch.wait.max.ms", "100"},
            {"isolation.level", "read_committed"},
            {"queued.min.messages", "1000000"},
            {"reconnect.backoff.max.ms", "1000"},
            {"socket.nagle.disable", "true"}};
  }
  static KafkaProperties Fixed(const std::string& group_id, int queued_kbytes,
                               int statistics_interval_ms) {
    return {{"auto.offset.reset", "error"},
            {"enable.auto.commit", "false"},
            {"enable.auto.offset.store", "false"},
            {"enable.partition.eof", "true"},
            {"group.id", group_id},
            {"queued.max.messages.kbytes", absl::StrCat(queued_kbytes)},
            {"statistics.interval.ms", absl::StrCat(statistics_interval_ms)}};
  }

  absl::StatusOr<std::vector<PartitionBounds>> Bounds(int topic) override {
    ASSIGN_OR_RETURN(auto bounds, probe_.Bounds(options_.topics[topic]));
    known_partitions_[topic] = static_cast<int>(bounds.size());
    return bounds;
  }
  absl::StatusOr<std::optional<Probe>> ProbeAt(int topic, PartitionId partition,
                                               Offset offset) override {
    return probe_.ProbeAt(options_.topics[topic], partition, offset);
  }
  absl::StatusOr<bool> IsCompacted(int topic) override {
    return probe_.IsCompacted(options_.topics[topic]);
  }

  absl::Status Start(int topic, PartitionId id, Offset offset) override;
  absl::StatusOr<int> Poll(
      Wanted wanted, int max_records, int timeout_ms,
      absl::FunctionRef<void(const RawRecord&)> sink) override;
  bool AtEnd(int topic, PartitionId partition) const override {
    const ReadPartition* const found = Find(topic, partition);
    return found != nullptr && found->at_end;
  }
  bool Answering(int topic, PartitionId partition) const override;
  void Wake() override { waker_.Interrupt(); }
  void ReportOffsets(const Positions& positions) override;

 private:
  absl::Status MakeConsumer();
  void ReleaseHeld();
  void ServeClient();
  int Drain(Wanted wanted, int max_records,
            absl::FunctionRef<void(const RawRecord&)> sink);
  int Take(ReadPartition& partition, int most,
           absl::FunctionRef<void(const RawRecord&)> sink);
  void HandleError(ReadPartition& partition, const rd_kafka_message_t& message);
  static void OnError(rd_kafka_t*, int error, const char* reason, void* self);
  static int OnStatistics(rd_kafka_t*, char* json, size_t size, void* self);
  const ReadPartition* Find(int topic, PartitionId partition) const {
    const auto found = places_.find({topic, partition});
    return found == places_.end() ? nullptr : &partitions_[found->second];
  }
  void NoteMissing(ReadPartition& partition) {
    topic_vanished_ = true;
    if (!partition.missing_since.has_value()) {
      partition.missing_since = SteadyClock::now();
    }
  }
  absl::Status ConfirmMissing();
  std::string Describe(const ReadPartition& partition) const {
    return absl::StrCat("topic=", options_.topics[partition.topic],
                        " partition=", partition.id.value(),
                        " offset=", partition.next.value());
  }

  const KafkaReaderOptions options_;
  KafkaProbe probe_;
  std::map<int, int> known_partitions_;  // per topic, from Bounds
  PollWaker waker_;                      // outlives the queues that signal it
  KafkaHandle consumer_;
  std::vector<ReadPartition> partitions_;  // their queues die before consumer_
  std::map<std::pair<int, PartitionId>, size_t> places_;  // in partitions_
  std::optional<BrokerAnswers> answers_;                  // with consumer_
  milliseconds trouble_counts_{0};   // for how long after the last one
  size_t first_ = 0;                 // whose turn it is to be read first
  ReadPartition* taking_ = nullptr;  // while its queue is being read
  bool topic_vanished_ = false;      // ever; see the destructor
  bool news_ = false;   // an end or an error came in the last Drain
  absl::Status fatal_;  // returned once what came before it was taken
  std::vector<rd_kafka_message_t*> batch_;  // scratch of Take
  std::vector<rd_kafka_message_t*> held_;   // borrowed by the caller's records
};

absl::Status KafkaReader::MakeConsumer() {
  int partitions = 0;
  for (const auto& [topic, count] : known_partitions_) partitions += count;
  const int share = kMaxQueuedKbytes / std::max(partitions, 1);
  ASSIGN_OR_RETURN(
      KafkaConf conf,
      MakeKafkaConf(Defaults(), options_.properties,
                    Fixed(options_.group_id, std::max(share, kMinQueuedKbytes),
                          kStatisticsIntervalMs)));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  rd_kafka_conf_set_stats_cb(conf.get(), OnStatistics);
  const int64_t bound_ms = NumberOf(conf, "fetch.wait.max.ms") + kAnswerSlackMs;
  answers_.emplace(options_.topics, bound_ms * 1000);
  trouble_counts_ =
      milliseconds(NumberOf(conf, "fetch.error.backoff.ms") + bound_ms);
  ASSIGN_OR_RETURN(consumer_,
                   MakeKafkaHandle(KafkaRole::kConsumer, std::move(conf)));
  rd_kafka_poll_set_consumer(consumer_.get());
  return absl::OkStatus();
}

absl::Status KafkaReader::Start(int topic, PartitionId id, Offset offset) {
  if (consumer_ == nullptr) RETURN_IF_ERROR(MakeConsumer());
  const char* const name = options_.topics[topic].c_str();
  ReadPartition partition;
  partition.topic = topic;
  partition.id = id;
  partition.next = offset;
  // The queue must stop forwarding before the first fetch fills it.
  partition.queue.reset(
      rd_kafka_queue_get_partition(consumer_.get(), name, id.value()));
  if (partition.queue == nullptr) {
    return absl::InternalError(
        absl::StrCat("no queue for ", Describe(partition)));
  }
  rd_kafka_queue_forward(partition.queue.get(), nullptr);
  rd_kafka_queue_cb_event_enable(partition.queue.get(), OnQueueNotEmpty,
                                 &waker_);
  rd_kafka_topic_partition_list_t* const list =
      rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, name, id.value())->offset =
      offset.value();
  rd_kafka_error_t* const error =
      rd_kafka_incremental_assign(consumer_.get(), list);
  rd_kafka_topic_partition_list_destroy(list);
  if (error != nullptr) {
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    return absl::UnavailableError(
        absl::StrCat("cannot read ", Describe(partition), ": ", text));
  }
  places_[{topic, id}] = partitions_.size();
  partitions_.push_back(std::move(partition));
  return absl::OkStatus();
}

void KafkaReader::ReleaseHeld() {
  for (rd_kafka_message_t* message : held_) rd_kafka_message_destroy(message);
  held_.clear();
}

// Callbacks of the client run in here; what comes out is trouble that passes.
void KafkaReader::ServeClient() {
  if (consumer_ == nullptr) return;
  while (rd_kafka_message_t* const message =
             rd_kafka_consumer_poll(consumer_.get(), 0)) {
    Log(LogLevel::kDebug, "kafka consumer",
        {{"detail", rd_kafka_message_errstr(message)}});
    rd_kafka_message_destroy(message);
  }
}

absl::StatusOr<int> KafkaReader::Poll(
    Wanted wanted, int max_records, int timeout_ms,
    absl::FunctionRef<void(const RawRecord&)> sink) {
  ReleaseHeld();
  const auto deadline = SteadyClock::now() + milliseconds(timeout_ms);
  do {
    waker_.Reset();
    ServeClient();
    const int taken = Drain(wanted, max_records, sink);
    if (taken > 0) return taken;
    RETURN_IF_ERROR(fatal_);
    RETURN_IF_ERROR(ConfirmMissing());
    if (news_) return 0;
  } while (waker_.Wait(deadline));
  return 0;
}

// An equal share to every wanted partition first, then what is left over to
// whoever has more; who begins changes from turn to turn.
int KafkaReader::Drain(Wanted wanted, int max_records,
                       absl::FunctionRef<void(const RawRecord&)> sink) {
  news_ = false;
  std::vector<ReadPartition*> order;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    ReadPartition& partition = partitions_[(first_ + i) % partitions_.size()];
    if (wanted(partition.topic, partition.id)) order.push_back(&partition);
  }
  if (order.empty() || max_records <= 0) return 0;
  first_ = (first_ + 1) % partitions_.size();
  const int share = std::max(1, max_records / static_cast<int>(order.size()));
  int taken = 0;
  for (ReadPartition* partition : order) {
    taken += Take(*partition, std::min(share, max_records - taken), sink);
  }
  for (ReadPartition* partition : order) {
    taken += Take(*partition, max_records - taken, sink);
  }
  return taken;
}

int KafkaReader::Take(ReadPartition& partition, int most,
                      absl::FunctionRef<void(const RawRecord&)> sink) {
  if (most <= 0) return 0;
  batch_.resize(most);
  taking_ = &partition;
  const ssize_t count = rd_kafka_consume_batch_queue(
      partition.queue.get(), 0, batch_.data(), batch_.size());
  taking_ = nullptr;
  int taken = 0;
  for (ssize_t i = 0; i < count; ++i) {
    rd_kafka_message_t* const message = batch_[i];
    held_.push_back(message);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      HandleError(partition, *message);
      continue;
    }
    partition.missing_since.reset();
    partition.at_end = false;
    partition.next = Offset(message->offset + 1);
    sink(ToRawRecord(partition.topic, *message));
    ++taken;
  }
  return taken;
}

// Called within rd_kafka_consumer_poll and rd_kafka_consume_batch_queue: that a
// topic is gone comes here, not as a message, when its queue is read.
void KafkaReader::OnError(rd_kafka_t*, int error, const char* reason,
                          void* self) {
  auto* const reader = static_cast<KafkaReader*>(self);
  if (reader->taking_ != nullptr && SaysMissing(error)) {
    reader->NoteMissing(*reader->taking_);
  }
  LogKafkaTrouble(error, reason);
}

// Called within rd_kafka_consumer_poll, by ServeClient.
int KafkaReader::OnStatistics(rd_kafka_t*, char* json, size_t size,
                              void* self) {
  auto* const reader = static_cast<KafkaReader*>(self);
  const absl::Status status = reader->answers_->Update({json, size});
  if (!status.ok()) {
    Log(LogLevel::kDebug, "kafka consumer", {{"detail", status.message()}});
  }
  return 0;  // the text is librdkafka's to free
}

bool KafkaReader::Answering(int topic, PartitionId partition) const {
  const ReadPartition* const found = Find(topic, partition);
  if (found == nullptr || found->missing_since.has_value()) return false;
  // While the error lasts, every attempt brings it again.
  if (found->trouble_at.has_value() &&
      SteadyClock::now() - *found->trouble_at < trouble_counts_) {
    return false;
  }
  return answers_->Answering(topic, partition, StatisticsNowUs());
}

void KafkaReader::HandleError(ReadPartition& partition,
                              const rd_kafka_message_t& message) {
  news_ = true;
  if (SaysMissing(message.err)) {
    NoteMissing(partition);
    return;
  }
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      partition.at_end = true;
      partition.missing_since.reset();
      return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      if (fatal_.ok()) {
        fatal_ = absl::OutOfRangeError(absl::StrCat(
            "the record to read next is gone: ", Describe(partition), ": ",
            rd_kafka_message_errstr(&message)));
      }
      return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      if (fatal_.ok()) {
        fatal_ = absl::PermissionDeniedError(
            absl::StrCat("cannot read ", Describe(partition), ": ",
                         rd_kafka_message_errstr(&message)));
      }
      return;
    default:
      partition.trouble_at = SteadyClock::now();
      Log(LogLevel::kWarning, "kafka partition trouble",
          {{"partition", Describe(partition)},
           {"detail", rd_kafka_message_errstr(&message)}});
  }
}

absl::Status KafkaReader::ConfirmMissing() {
  const auto now = SteadyClock::now();
  for (ReadPartition& partition : partitions_) {
    if (!partition.missing_since.has_value() ||
        now - *partition.missing_since < kMissingTopicGrace) {
      continue;
    }
    const auto bounds = Bounds(partition.topic);
    bool found = false;
    if (bounds.ok()) {
      for (const PartitionBounds& b : *bounds)
        found |= b.partition == partition.id;
    } else if (!absl::IsNotFound(bounds.status())) {
      partition.missing_since = now;  // ask again later
      continue;
    }
    if (!found) {
      return absl::NotFoundError(absl::StrCat(
          "the topic or partition is gone: ", Describe(partition)));
    }
    partition.missing_since.reset();
  }
  return absl::OkStatus();
}

void KafkaReader::ReportOffsets(const Positions& positions) {
  if (consumer_ == nullptr || positions.partitions.empty()) return;
  rd_kafka_topic_partition_list_t* const list =
      rd_kafka_topic_partition_list_new(
          static_cast<int>(positions.partitions.size()));
  for (const auto& [where, position] : positions.partitions) {
    rd_kafka_topic_partition_list_add(list, where.first.c_str(),
                                      where.second.value())
        ->offset = position.next_offset.value();
  }
  constexpr int kAsync = 1;
  const rd_kafka_resp_err_t error =
      rd_kafka_commit(consumer_.get(), list, kAsync);
  rd_kafka_topic_partition_list_destroy(list);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Log(LogLevel::kDebug, "offsets not reported",
        {{"detail", rd_kafka_err2str(error)}});
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordReader>> MakeKafkaReader(
    KafkaReaderOptions options) {
  const auto make_conf = [&options](const KafkaProperties& properties) {
    return MakeKafkaConf(KafkaReader::Defaults(), properties,
                         KafkaReader::Fixed(options.group_id, kMinQueuedKbytes,
                                            /*statistics_interval_ms=*/0));
  };
  // What the consumer will be made of is judged now.
  RETURN_IF_ERROR(make_conf(options.properties).status());
  // The probe reads a record at a time: it needs no deep queue.
  KafkaProperties properties = options.properties;
  properties["queued.min.messages"] = "1";
  properties["fetch.wait.max.ms"] = kAwakeFetchWaitMs;
  ASSIGN_OR_RETURN(KafkaConf conf, make_conf(properties));
  ASSIGN_OR_RETURN(KafkaHandle probe,
                   MakeKafkaHandle(KafkaRole::kConsumer, std::move(conf)));
  rd_kafka_poll_set_consumer(probe.get());
  return std::make_unique<KafkaReader>(std::move(options), std::move(probe));
}

}  // namespace tidegate
