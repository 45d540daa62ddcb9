#include "cmd/tidegate/replay.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/kafka/kafka_producer.h"
#include "ingest/kafka/topic_scan.h"

namespace tidegate {
namespace {

constexpr int kRoomPollMs = 50;

class Replayer {
 public:
  using OnLetter = absl::FunctionRef<void(const ReplayedLetter&)>;
  using OnSkipped =
      absl::FunctionRef<void(PartitionId, Offset, const absl::Status&)>;

  Replayer(const ReplayOptions& options, OnLetter on_letter,
           OnSkipped on_skipped)
      : options_(options),
        selection_(options.filter),
        on_letter_(on_letter),
        on_skipped_(on_skipped) {}

  absl::StatusOr<ReplayReport> Run();

 private:
  absl::Status Open();
  absl::Status CheckPartition(const std::vector<PartitionBounds>& bounds) const;
  absl::Status Take(StoredRecord stored);
  absl::Status CheckTarget(const std::string& topic);
  // Aborted if one of them was not acknowledged: the report says where.
  absl::Status SendBatch();
  void Produce(ReplayedLetter* one);
  void NoteFailure();

  const ReplayOptions& options_;
  ReplaySelection selection_;
  const OnLetter on_letter_;
  const OnSkipped on_skipped_;
  ReplayReport report_;
  std::unique_ptr<TopicScan> scan_;
  std::map<std::string, bool> compacted_;
  std::vector<ReplayedLetter> batch_;  // does not grow while it is sent
  size_t batch_bytes_ = 0;
  std::unique_ptr<KafkaProducer> producer_;  // calls into batch_: dies first
};

absl::Status Replayer::Open() {
  ASSIGN_OR_RETURN(scan_,
                   TopicScan::Create(options_.kafka, options_.timeout_ms));
  if (options_.dry_run) return absl::OkStatus();
  KafkaProperties properties = options_.kafka;
  // The broker is the judge of what is too large.
  properties.emplace("message.max.bytes", "1000000000");
  properties.emplace("reconnect.backoff.max.ms", "1000");
  properties["message.timeout.ms"] = absl::StrCat(options_.timeout_ms);
  ASSIGN_OR_RETURN(
      producer_,
      KafkaProducer::Create(properties,
                            {{"acks", "all"}, {"enable.idempotence", "true"}}));
  return absl::OkStatus();
}

// An offset alone says nothing where there are several partitions.
absl::Status Replayer::CheckPartition(
    const std::vector<PartitionBounds>& bounds) const {
  const ReplayFilter& filter = options_.filter;
  if (filter.partition.has_value()) {
    for (const PartitionBounds& b : bounds) {
      if (b.partition == *filter.partition) return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("no such partition: topic=", options_.dead_letter_topic,
                     " partition=", filter.partition->value()));
  }
  if ((filter.from_offset.has_value() || filter.to_offset.has_value()) &&
      bounds.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an offset needs its partition: topic=", options_.dead_letter_topic,
        " partitions=", bounds.size()));
  }
  return absl::OkStatus();
}

absl::Status Replayer::CheckTarget(const std::string& topic) {
  if (options_.allow_compacted) return absl::OkStatus();
  auto known = compacted_.find(topic);
  if (known == compacted_.end()) {
    ASSIGN_OR_RETURN(const bool compacted, scan_->IsCompacted(topic));
    known = compacted_.emplace(topic, compacted).first;
  }
  if (!known->second) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the topic is compacted, and a record that is sent back would replace "
      "newer ones of its key: topic=",
      topic));
}

absl::Status Replayer::Take(StoredRecord stored) {
  ++report_.read;
  auto letter = ParseDeadLetter(stored.headers);
  if (absl::IsNotFound(letter.status())) {
    ++report_.foreign;
    on_skipped_(stored.partition, stored.offset, letter.status());
    return absl::OkStatus();
  }
  using Selected = absl::StatusOr<std::optional<ReplayRecord>>;
  const Selected record =
      letter.ok() ? selection_.Take(*letter, stored.partition, stored.offset)
                  : Selected(letter.status());
  if (absl::IsInvalidArgument(record.status())) {
    ++report_.refused;
    on_skipped_(stored.partition, stored.offset, record.status());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(record.status());
  if (!record->has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckTarget((*record)->topic));
  ++report_.selected;
  letter->key = std::move(stored.key);
  letter->value = std::move(stored.value);
  batch_.push_back({stored.partition, stored.offset, *std::move(letter),
                    **record, std::nullopt});
  batch_bytes_ += batch_.back().bytes();
  if (batch_.size() < kReplayBatchLetters && batch_bytes_ < kReplayBatchBytes) {
    return absl::OkStatus();
  }
  return SendBatch();
}

void Replayer::Produce(ReplayedLetter* one) {
  KafkaMessage message;
  message.topic = one->record.topic;
  message.partition = one->record.partition.value();
  message.key = one->letter.key;
  message.value = one->letter.value;
  message.timestamp_ms = one->letter.timestamp_ms;
  message.headers = one->letter.headers;
  message.headers.emplace_back(kReplayViewsHeader, one->record.views);
  message.headers.emplace_back(kReplayOriginHeader, one->record.origin);
  message.done = [one](const absl::Status& status) { one->sent = status; };
  absl::Status queued = producer_->Produce(message);
  while (absl::IsResourceExhausted(queued)) {
    producer_->Poll(kRoomPollMs);
    queued = producer_->Produce(message);
  }
  if (!queued.ok()) one->sent = queued;
}

absl::Status Replayer::SendBatch() {
  bool failed = false;
  if (!options_.dry_run) {
    for (ReplayedLetter& one : batch_) Produce(&one);
    // Every message has had its answer by then: message.timeout.ms.
    const absl::Status flushed = producer_->Flush(2 * options_.timeout_ms);
    for (ReplayedLetter& one : batch_) {
      if (!one.sent.has_value()) one.sent = flushed;
      report_.acknowledged += one.sent->ok() ? 1 : 0;
      failed |= !one.sent->ok();
    }
  }
  for (const ReplayedLetter& one : batch_) on_letter_(one);
  if (failed) NoteFailure();
  // A message that had no answer yet would call into what is gone.
  if (failed) producer_.reset();
  batch_.clear();
  batch_bytes_ = 0;
  return failed ? absl::AbortedError("not acknowledged") : absl::OkStatus();
}

void Replayer::NoteFailure() {
  for (const ReplayedLetter& one : batch_) {
    if (!report_.go_on.has_value()) {
      if (one.sent->ok()) continue;
      report_.go_on.emplace();
      report_.go_on->partition = one.partition;
      report_.go_on->offset = one.offset;
    } else if (one.sent->ok()) {
      report_.go_on->acknowledged.push_back(one.offset);
    }
  }
}

absl::StatusOr<ReplayReport> Replayer::Run() {
  RETURN_IF_ERROR(Open());
  ASSIGN_OR_RETURN(const std::vector<PartitionBounds> bounds,
                   scan_->Bounds(options_.dead_letter_topic));
  RETURN_IF_ERROR(CheckPartition(bounds));
  const auto& only = options_.filter.partition;
  for (const PartitionBounds& partition : bounds) {
    if (report_.go_on.has_value()) {
      report_.go_on->later.push_back(partition.partition);
      continue;
    }
    // What comes before is read, to know what is there twice.
    if (only.has_value() && partition.partition > *only) break;
    absl::Status status = scan_->Read(
        options_.dead_letter_topic, partition,
        [this](StoredRecord stored) { return Take(std::move(stored)); });
    // A batch is of one partition, so that it is clear where to go on.
    if (status.ok()) status = SendBatch();
    if (!absl::IsAborted(status)) RETURN_IF_ERROR(status);
  }
  if (only.has_value() && report_.go_on.has_value()) {
    report_.go_on->later.clear();
  }
  report_.duplicates = selection_.duplicates();
  report_.views_seen = selection_.views_seen();
  return std::move(report_);
}

}  // namespace

absl::StatusOr<ReplayReport> Replay(
    const ReplayOptions& options,
    absl::FunctionRef<void(const ReplayedLetter&)> on_letter,
    absl::FunctionRef<void(PartitionId, Offset, const absl::Status&)>
        on_skipped) {
  return Replayer(options, on_letter, on_skipped).Run();
}

}  // namespace tidegate
