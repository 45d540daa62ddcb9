#include "ingest/loop/fake_kafka.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

std::string Where(const std::string& topic, PartitionId partition) {
  return absl::StrCat("topic=", topic, " partition=", partition.value());
}

}  // namespace

// Copies what it hands over, and frees it at the next Poll, so that a sanitizer
// sees who keeps a record too long.
class FakeKafka::Reader final : public RecordReader {
 public:
  Reader(FakeKafka* kafka, std::vector<std::string> topics)
      : kafka_(kafka), topics_(std::move(topics)) {}

  absl::StatusOr<std::vector<PartitionBounds>> Bounds(int topic) override {
    MutexLock lock(&kafka_->mutex_);
    if (kafka_->away_) return absl::UnavailableError("no broker answers");
    const auto found = kafka_->topics_.find(topics_[topic]);
    if (kafka_->denied_ || found == kafka_->topics_.end()) {
      return absl::NotFoundError("unknown topic");
    }
    std::vector<PartitionBounds> bounds;
    for (const Partition& partition : found->second.partitions) {
      bounds.push_back(
          PartitionBounds{PartitionId(static_cast<int32_t>(bounds.size())),
                          partition.low, partition.high});
    }
    return bounds;
  }

  absl::StatusOr<std::optional<Probe>> ProbeAt(int topic, PartitionId partition,
                                               Offset offset) override {
    MutexLock lock(&kafka_->mutex_);
    if (kafka_->away_) return absl::UnavailableError("no broker answers");
    const Partition& log = kafka_->At(topics_[topic], partition.value());
    const auto found = log.Find(offset);
    if (found == log.records.end()) return std::optional<Probe>();
    const RawRecord record = Borrow(*found, topic, partition);
    return std::optional<Probe>(
        Probe{record.offset, record.timestamp_ms, RecordHash(record)});
  }

  absl::StatusOr<bool> IsCompacted(int topic) override {
    MutexLock lock(&kafka_->mutex_);
    if (kafka_->away_) return absl::UnavailableError("no broker answers");
    return kafka_->topics_[topics_[topic]].compacted;
  }

  absl::Status Start(int topic, PartitionId partition, Offset offset) override {
    MutexLock lock(&kafka_->mutex_);
    reading_.push_back(Cursor{topic, partition, offset});
    return absl::OkStatus();
  }

  absl::StatusOr<int> Poll(
      Wanted wanted, int max_records, int timeout_ms,
      absl::FunctionRef<void(const RawRecord&)> sink) override {
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::milliseconds(timeout_ms);
    batch_.clear();
    {
      MutexLock lock(&kafka_->mutex_);
      while (true) {
        const absl::Status status = Collect(wanted, max_records);
        if (!status.ok()) return status;
        const auto now = std::chrono::steady_clock::now();
        if (!batch_.empty() || woken_ || now >= deadline) break;
        kafka_->changed_.WaitFor(
            &kafka_->mutex_,
            std::chrono::duration_cast<std::chrono::microseconds>(deadline -
                                                                  now));
      }
      woken_ = false;
    }
    for (const Taken& taken : batch_) {
      sink(Borrow(taken.record, taken.topic, taken.partition));
    }
    return static_cast<int>(batch_.size());
  }

  bool AtEnd(int topic, PartitionId partition) const override {
    MutexLock lock(&kafka_->mutex_);
    for (const Cursor& cursor : reading_) {
      if (cursor.topic != topic || cursor.partition != partition) continue;
      const auto found = kafka_->topics_.find(topics_[topic]);
      if (kafka_->away_ || found == kafka_->topics_.end()) return false;
      const Partition& log = found->second.partitions[partition.value()];
      if (log.down) return cursor.at_end;
      return log.Find(cursor.next) == log.records.end();
    }
    return false;
  }

  bool Answering(int topic, PartitionId partition) const override {
    MutexLock lock(&kafka_->mutex_);
    const auto found = kafka_->topics_.find(topics_[topic]);
    return !kafka_->away_ && found != kafka_->topics_.end() &&
           !found->second.partitions[partition.value()].down;
  }

  void Wake() override {
    MutexLock lock(&kafka_->mutex_);
    woken_ = true;
    kafka_->changed_.SignalAll();
  }

  void ReportOffsets(const Positions& positions) override {
    MutexLock lock(&kafka_->mutex_);
    kafka_->reported_ = positions;
    ++kafka_->report_count_;
  }

 private:
  struct Cursor {
    int topic;
    PartitionId partition;
    Offset next;
    bool at_end = false;  // as the last Poll left it
  };
  struct Taken {
    int topic;
    PartitionId partition;
    Record record;
  };

  static RawRecord Borrow(const Record& record, int topic,
                          PartitionId partition) {
    RawRecord raw;
    raw.topic = topic;
    raw.partition = partition;
    raw.offset = record.offset;
    raw.timestamp_ms = record.timestamp_ms;
    raw.has_key = record.key.has_value();
    if (raw.has_key) raw.key = *record.key;
    raw.has_value = record.value.has_value();
    if (raw.has_value) raw.value = *record.value;
    raw.is_replay = record.replay_views.has_value();
    raw.headers = ViewOf(record.headers);
    if (!raw.is_replay) return raw;
    raw.replay_views = *record.replay_views;
    HeaderView::Value origin;
    if (raw.headers.Last(kReplayOriginHeader, &origin)) {
      raw.replay_origin = origin.value_or("");
    }
    return raw;
  }

  // Moves what is ready into batch_, a record at a time from any partition.
  absl::Status Collect(Wanted wanted, int max_records)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(kafka_->mutex_) {
    if (kafka_->away_) return absl::OkStatus();
    std::vector<Cursor*> ready;
    for (Cursor& cursor : reading_) {
      if (!wanted(cursor.topic, cursor.partition)) continue;
      const std::string& name = topics_[cursor.topic];
      const auto found = kafka_->topics_.find(name);
      if (found == kafka_->topics_.end()) {
        return absl::NotFoundError(
            absl::StrCat(Where(name, cursor.partition), ": unknown topic"));
      }
      const Partition& log = found->second.partitions[cursor.partition.value()];
      if (log.down) continue;
      if (cursor.next < log.low) {
        return absl::OutOfRangeError(absl::StrCat(
            Where(name, cursor.partition), " offset=", cursor.next.value(),
            ": below the log's start, ", log.low.value()));
      }
      if (log.Find(cursor.next) != log.records.end()) {
        ready.push_back(&cursor);
      }
    }
    while (!ready.empty() && static_cast<int>(batch_.size()) < max_records) {
      const size_t at = kafka_->Random(ready.size());
      Cursor& cursor = *ready[at];
      const Partition& log =
          kafka_->At(topics_[cursor.topic], cursor.partition.value());
      const auto found = log.Find(cursor.next);
      if (found == log.records.end()) {
        ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      batch_.push_back(Taken{cursor.topic, cursor.partition, *found});
      cursor.next = found->offset.next();
    }
    for (Cursor& cursor : reading_) {
      const Partition& log =
          kafka_->At(topics_[cursor.topic], cursor.partition.value());
      if (!log.down) cursor.at_end = log.Find(cursor.next) == log.records.end();
    }
    return absl::OkStatus();
  }

  FakeKafka* const kafka_;
  const std::vector<std::string> topics_;
  std::vector<Cursor> reading_ ABSL_GUARDED_BY(kafka_->mutex_);
  bool woken_ ABSL_GUARDED_BY(kafka_->mutex_) = false;
  std::vector<Taken> batch_;  // the fold thread's
};

class FakeKafka::Writer final : public DeadLetterWriter {
 public:
  explicit Writer(FakeKafka* kafka) : kafka_(kafka) {}

  absl::Status Write(DeadLetter letter) override {
    if (pending_.size() >= kMaxPendingDeadLetters) {
      return absl::ResourceExhaustedError("too many dead letters wait");
    }
    pending_.push_back(std::move(letter));
    return absl::OkStatus();
  }

  absl::Status Flush(int /*timeout_ms*/) override {
    MutexLock lock(&kafka_->mutex_);
    if (kafka_->away_ || kafka_->held_) {
      return absl::UnavailableError("no broker acknowledges");
    }
    for (DeadLetter& letter : pending_) {
      kafka_->letters_.push_back(std::move(letter));
    }
    pending_.clear();
    return absl::OkStatus();
  }

 private:
  FakeKafka* const kafka_;
  std::vector<DeadLetter> pending_;
};

FakeKafka::FakeKafka(uint64_t seed) : random_(seed) {}
FakeKafka::~FakeKafka() = default;

std::vector<FakeKafka::Record>::const_iterator FakeKafka::Partition::Find(
    Offset offset) const {
  return std::lower_bound(
      records.begin(), records.end(), offset,
      [](const Record& record, Offset at) { return record.offset < at; });
}

FakeKafka::Partition& FakeKafka::At(const std::string& topic, int partition) {
  const auto found = topics_.find(topic);
  // A test's own mistake.
  if (found == topics_.end() ||
      partition >= static_cast<int>(found->second.partitions.size())) {
    std::abort();
  }
  return found->second.partitions[partition];
}

uint64_t FakeKafka::Random(uint64_t bound) {
  if (random_ == 0) return 0;
  // xorshift64*
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return ((random_ * 0x2545F4914F6CDD1DULL) >> 32) % bound;
}

void FakeKafka::CreateTopic(const std::string& topic, int partitions,
                            bool compacted) {
  MutexLock lock(&mutex_);
  Topic created;
  created.compacted = compacted;
  created.partitions.resize(partitions);
  topics_[topic] = std::move(created);
}

void FakeKafka::DeleteTopic(const std::string& topic) {
  MutexLock lock(&mutex_);
  topics_.erase(topic);
}

void FakeKafka::AddPartitions(const std::string& topic, int count) {
  MutexLock lock(&mutex_);
  std::vector<Partition>& partitions = topics_[topic].partitions;
  partitions.resize(partitions.size() + count);
}

Offset FakeKafka::Produce(const std::string& topic, int partition,
                          int64_t timestamp_ms, std::optional<std::string> key,
                          std::optional<std::string> value,
                          std::optional<std::string> replay_views,
                          RecordHeaders headers) {
  MutexLock lock(&mutex_);
  Partition& log = At(topic, partition);
  const Offset offset = log.high;
  log.high = offset.next();
  log.records.push_back(Record{offset, timestamp_ms, std::move(key),
                               std::move(value), std::move(replay_views),
                               std::move(headers)});
  changed_.SignalAll();
  return offset;
}

void FakeKafka::SetDown(const std::string& topic, int partition, bool down) {
  MutexLock lock(&mutex_);
  At(topic, partition).down = down;
  changed_.SignalAll();
}

void FakeKafka::RemoveRecord(const std::string& topic, int partition,
                             Offset offset) {
  MutexLock lock(&mutex_);
  Partition& log = At(topic, partition);
  const auto found = log.Find(offset);
  if (found != log.records.end() && found->offset == offset) {
    log.records.erase(found);
  }
}

void FakeKafka::RemoveBelow(const std::string& topic, int partition,
                            Offset low) {
  MutexLock lock(&mutex_);
  Partition& log = At(topic, partition);
  log.records.erase(log.records.cbegin(), log.Find(low));
  log.low = std::max(log.low, low);
  log.high = std::max(log.high, low);
}

void FakeKafka::SetAway(bool away) {
  MutexLock lock(&mutex_);
  away_ = away;
  changed_.SignalAll();
}

void FakeKafka::SetTopicsDenied(bool denied) {
  MutexLock lock(&mutex_);
  denied_ = denied;
}

void FakeKafka::HoldAcknowledgements(bool held) {
  MutexLock lock(&mutex_);
  held_ = held;
}

std::vector<DeadLetter> FakeKafka::dead_letters() const {
  MutexLock lock(&mutex_);
  return letters_;
}

Positions FakeKafka::reported() const {
  MutexLock lock(&mutex_);
  return reported_;
}

int FakeKafka::report_count() const {
  MutexLock lock(&mutex_);
  return report_count_;
}

std::unique_ptr<RecordReader> FakeKafka::NewReader(
    std::vector<std::string> topics) {
  return std::make_unique<Reader>(this, std::move(topics));
}

std::unique_ptr<DeadLetterWriter> FakeKafka::NewWriter() {
  return std::make_unique<Writer>(this);
}

}  // namespace tidegate
