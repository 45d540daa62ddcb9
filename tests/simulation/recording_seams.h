// The seams around a fold loop, written down for the model, and able to die at
// each of their steps.
#ifndef TIDEGATE_TESTS_SIMULATION_RECORDING_SEAMS_H_
#define TIDEGATE_TESTS_SIMULATION_RECORDING_SEAMS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "ingest/loop/spill_files.h"
#include "ingest/record.h"
#include "tests/simulation/dying_store.h"
#include "tests/simulation/event_time_model.h"
#include "views/store/commit.h"

namespace tidegate::simulation {

// Asked before and after each step; once it says yes, it always does.
using Dies = DyingStore::Dies;

inline absl::Status Crashed() { return absl::AbortedError("crashed"); }

// Runs on one thread, as all here.
class RecordingStore final : public DyingStore {
 public:
  RecordingStore(Store* disk, Dies dies, Journal* journal)
      : DyingStore(disk, std::move(dies)), journal_(journal) {}

  absl::Status AppendLog(Seq seq, absl::string_view record) override {
    ASSIGN_OR_RETURN(const auto commit, Commit::Parse(std::string(record)));
    JournalEntry entry;
    entry.kind = JournalEntry::Kind::kCommit;
    entry.seq = seq.value();
    if (commit->watermark() != kNoEventTime) {
      entry.watermark = commit->watermark().value();
    }
    journal_->push_back(std::move(entry));
    return DyingStore::AppendLog(seq, record);
  }

 private:
  Journal* const journal_;
};

class RecordingReader final : public RecordReader {
 public:
  // Topic i of `reader` is source sources[i].
  RecordingReader(std::unique_ptr<RecordReader> reader,
                  std::vector<int> sources, std::vector<bool> is_table,
                  const Clock* clock, Dies dies, Journal* journal)
      : reader_(std::move(reader)),
        sources_(std::move(sources)),
        is_table_(std::move(is_table)),
        clock_(clock),
        dies_(std::move(dies)),
        journal_(journal) {}

  absl::StatusOr<std::vector<PartitionBounds>> Bounds(int topic) override {
    auto bounds = reader_->Bounds(topic);
    if (bounds.ok()) bounds_[topic] = *bounds;
    return bounds;
  }
  absl::StatusOr<std::optional<Probe>> ProbeAt(int topic, PartitionId partition,
                                               Offset offset) override {
    return reader_->ProbeAt(topic, partition, offset);
  }
  absl::StatusOr<bool> IsCompacted(int topic) override {
    return reader_->IsCompacted(topic);
  }
  absl::Status Start(int topic, PartitionId partition, Offset offset) override {
    Note(JournalEntry::Kind::kStart).place = {
        sources_[topic], partition.value(), offset.value()};
    Partition& started = partitions_[{topic, partition}];
    started.next = offset;
    // Streams wait for the ends of tables as they were at the start.
    for (const PartitionBounds& bounds : bounds_[topic]) {
      if (bounds.partition == partition) started.end = bounds.high;
    }
    return reader_->Start(topic, partition, offset);
  }

  absl::StatusOr<int> Poll(
      Wanted wanted, int max_records, int timeout_ms,
      absl::FunctionRef<void(const RawRecord&)> sink) override {
    if (dies_("before poll")) return Crashed();
    Note(JournalEntry::Kind::kPoll).now_us = clock_->Now().value();
    if (std::exchange(first_poll_, false)) tables_read_ = TablesRead();
    absl::StatusOr<int> taken = reader_->Poll(
        wanted, max_records, timeout_ms, [&](const RawRecord& record) {
          Note(JournalEntry::Kind::kRecord).place = {sources_[record.topic],
                                                     record.partition.value(),
                                                     record.offset.value()};
          partitions_[{record.topic, record.partition}].next =
              record.offset.next();
          sink(record);
        });
    const bool tables_just_read = !tables_read_ && TablesRead();
    tables_read_ = tables_read_ || tables_just_read;
    JournalEntry& look = Note(JournalEntry::Kind::kLook);
    for (const auto& [place, partition] : partitions_) {
      Sight sight;
      sight.source = sources_[place.first];
      sight.partition = place.second.value();
      sight.at_end = reader_->AtEnd(place.first, place.second);
      sight.answering = reader_->Answering(place.first, place.second);
      sight.wanted = wanted(place.first, place.second) || tables_just_read;
      if (!sight.wanted) ++unread_;
      look.sights.push_back(sight);
    }
    if (dies_("after poll")) return Crashed();
    return taken;
  }
  bool AtEnd(int topic, PartitionId partition) const override {
    return reader_->AtEnd(topic, partition);
  }
  bool Answering(int topic, PartitionId partition) const override {
    return reader_->Answering(topic, partition);
  }
  void Wake() override { reader_->Wake(); }
  void ReportOffsets(const Positions& positions) override {
    reader_->ReportOffsets(positions);
  }

  // Partitions being read of source `source`.
  int started(int source) const {
    int count = 0;
    for (const auto& [place, partition] : partitions_) {
      if (sources_[place.first] == source) ++count;
    }
    return count;
  }
  // Looks at partitions that were left alone.
  int64_t unread() const { return unread_; }

 private:
  struct Partition {
    Offset next;
    Offset end;
  };

  bool TablesRead() const {
    for (const auto& [place, partition] : partitions_) {
      if (is_table_[place.first] && partition.next < partition.end &&
          !reader_->AtEnd(place.first, place.second)) {
        return false;
      }
    }
    return true;
  }
  JournalEntry& Note(JournalEntry::Kind kind) {
    journal_->emplace_back().kind = kind;
    return journal_->back();
  }

  const std::unique_ptr<RecordReader> reader_;
  const std::vector<int> sources_;
  const std::vector<bool> is_table_;  // by topic
  const Clock* const clock_;
  const Dies dies_;
  Journal* const journal_;
  std::map<int, std::vector<PartitionBounds>> bounds_;
  std::map<std::pair<int, PartitionId>, Partition> partitions_;
  bool first_poll_ = true;
  bool tables_read_ = false;
  int64_t unread_ = 0;
};

class DyingWriter final : public DeadLetterWriter {
 public:
  DyingWriter(std::unique_ptr<DeadLetterWriter> writer, Dies dies)
      : writer_(std::move(writer)), dies_(std::move(dies)) {}

  absl::Status Write(DeadLetter letter) override {
    if (dies_("before letter")) return Crashed();
    return writer_->Write(std::move(letter));
  }
  absl::Status Flush(int timeout_ms) override {
    if (dies_("before flush")) return Crashed();
    const absl::Status flushed = writer_->Flush(timeout_ms);
    return dies_("after flush") ? Crashed() : flushed;
  }

 private:
  const std::unique_ptr<DeadLetterWriter> writer_;
  const Dies dies_;
};

// Counts what is spilled.
class DyingSpill final : public SpillFiles {
 public:
  DyingSpill(Dies dies, int64_t* files)
      : spill_(MakeMemorySpill()), dies_(std::move(dies)), files_(files) {}

  absl::StatusOr<std::unique_ptr<SpillFile>> Create() override {
    if (dies_("before spill")) return Crashed();
    ++*files_;
    ASSIGN_OR_RETURN(std::unique_ptr<SpillFile> file, spill_->Create());
    return std::unique_ptr<SpillFile>(
        std::make_unique<File>(std::move(file), dies_));
  }

 private:
  class File final : public SpillFile {
   public:
    File(std::unique_ptr<SpillFile> file, Dies dies)
        : file_(std::move(file)), dies_(std::move(dies)) {}
    absl::Status Append(absl::string_view bytes) override {
      return file_->Append(bytes);
    }
    absl::Status Finish() override {
      return dies_("within spill") ? Crashed() : file_->Finish();
    }
    absl::Status Read(size_t size, std::string* out) override {
      return dies_("reading spill") ? Crashed() : file_->Read(size, out);
    }

   private:
    const std::unique_ptr<SpillFile> file_;
    const Dies dies_;
  };

  const std::unique_ptr<SpillFiles> spill_;
  const Dies dies_;
  int64_t* const files_;
};

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_RECORDING_SEAMS_H_
