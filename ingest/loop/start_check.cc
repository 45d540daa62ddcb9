#include "ingest/loop/start_check.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

std::string Where(absl::string_view topic, PartitionId partition) {
  return absl::StrCat("topic=", topic, " partition=", partition.value());
}

// One topic under check.
struct Topic {
  RecordReader* reader;
  int number;
  const std::string& name;
  const StartCheckOptions& options;
};

// That the last record consumed is still where it was.
absl::Status CheckLastRecord(const Topic& topic, PartitionId partition,
                             const PartitionPosition& stored) {
  ASSIGN_OR_RETURN(
      const std::optional<RecordReader::Probe> probe,
      topic.reader->ProbeAt(topic.number, partition, stored.last_offset));
  const std::string offset = absl::StrCat(stored.last_offset.value());
  if (!probe.has_value() || probe->offset != stored.last_offset) {
    ASSIGN_OR_RETURN(const bool compacted,
                     topic.reader->IsCompacted(topic.number));
    if (compacted) return absl::OkStatus();
    return Recreated(topic.name, partition,
                     absl::StrCat("the record read at offset ", offset,
                                  " is no longer there"),
                     topic.options.rebuild);
  }
  if (probe->hash != stored.last_hash ||
      probe->timestamp_ms != stored.last_timestamp_ms) {
    return Recreated(topic.name, partition,
                     absl::StrCat("the record at offset ", offset,
                                  " is another one than was read there"),
                     topic.options.rebuild);
  }
  return absl::OkStatus();
}

absl::StatusOr<Offset> Resume(const Topic& topic, const PartitionBounds& bounds,
                              const PartitionPosition& stored) {
  const int64_t next = stored.replay_from.value();
  if (bounds.high < stored.next_offset) {
    return Recreated(topic.name, bounds.partition,
                     absl::StrCat("it ends at offset ", bounds.high.value(),
                                  ", below the next one to read, ",
                                  stored.next_offset.value()),
                     topic.options.rebuild);
  }
  if (stored.last_offset >= bounds.low) {
    RETURN_IF_ERROR(CheckLastRecord(topic, bounds.partition, stored));
  }
  if (bounds.low.value() <= next) return stored.replay_from;
  const int64_t lost = bounds.low.value() - next;
  if (!topic.options.accept_truncated_history) {
    return Truncated(absl::StrCat(Where(topic.name, bounds.partition),
                                  ": retention removed ", lost,
                                  " offsets that were still to be read: next=",
                                  next, " log start=", bounds.low.value()),
                     topic.options.rebuild);
  }
  Log(LogLevel::kWarning, "records lost to retention are skipped",
      {{"topic", topic.name},
       {"partition", bounds.partition.value()},
       {"offsets", lost},
       {"next", bounds.low.value()}});
  return bounds.low;
}

void LogBeginning(const std::string& topic, const PartitionBounds& bounds,
                  bool added) {
  if (added) {
    Log(LogLevel::kInfo, "new partition",
        {{"topic", topic},
         {"partition", bounds.partition.value()},
         {"offset", bounds.low.value()}});
  } else if (bounds.low.value() > 0) {
    Log(LogLevel::kWarning, "history begins above offset 0",
        {{"topic", topic},
         {"partition", bounds.partition.value()},
         {"offset", bounds.low.value()}});
  }
}

}  // namespace

absl::Status Recreated(absl::string_view topic, PartitionId partition,
                       absl::string_view evidence, absl::string_view rebuild) {
  return absl::FailedPreconditionError(absl::StrCat(
      Where(topic, partition),
      ": the topic was re-created since it was last read (", evidence,
      "): run `serve ", rebuild,
      "` to build the views from the topic as it is now, or start with a new "
      "--data-dir"));
}

absl::Status Truncated(absl::string_view what, absl::string_view rebuild) {
  return absl::FailedPreconditionError(absl::StrCat(
      what, ": run `serve ", rebuild,
      " --accept-truncated-history` to build the views from what the topic "
      "still holds"));
}

absl::StatusOr<std::vector<PartitionBounds>> OrderedBounds(
    RecordReader* reader, int topic, const std::string& name) {
  absl::StatusOr<std::vector<PartitionBounds>> bounds = reader->Bounds(topic);
  if (absl::IsNotFound(bounds.status())) {
    return absl::NotFoundError(
        absl::StrCat("no such topic on the broker: topic=", name, " (",
                     bounds.status().message(), ")"));
  }
  if (!bounds.ok()) {
    return Annotate(bounds.status(), absl::StrCat("topic=", name));
  }
  std::sort(bounds->begin(), bounds->end(),
            [](const PartitionBounds& a, const PartitionBounds& b) {
              return a.partition < b.partition;
            });
  for (size_t i = 0; i < bounds->size(); ++i) {
    if ((*bounds)[i].partition.value() != static_cast<int32_t>(i)) {
      return absl::UnavailableError(
          absl::StrCat("the broker does not know all partitions: topic=", name,
                       " partition=", i));
    }
  }
  return bounds;
}

absl::StatusOr<std::vector<StartPoint>> FindStartPoints(
    RecordReader* reader, int topic, const std::string& name,
    const Positions& stored, const StartCheckOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<PartitionBounds> bounds,
                   OrderedBounds(reader, topic, name));
  const Topic checked{reader, topic, name, options};
  auto it = stored.partitions.lower_bound({name, PartitionId(0)});
  bool known = false;
  for (; it != stored.partitions.end() && it->first.first == name; ++it) {
    known = true;
    const PartitionId partition = it->first.second;
    if (partition.value() < static_cast<int32_t>(bounds.size())) continue;
    return Recreated(name, partition,
                     absl::StrCat("it has ", bounds.size(),
                                  " partitions, fewer than before"),
                     options.rebuild);
  }
  std::vector<StartPoint> points;
  for (const PartitionBounds& partition : bounds) {
    const auto at = stored.partitions.find({name, partition.partition});
    StartPoint point{partition.partition, partition.low, partition.high};
    if (at == stored.partitions.end()) {
      LogBeginning(name, partition, known);
    } else {
      ASSIGN_OR_RETURN(point.offset, Resume(checked, partition, at->second));
    }
    points.push_back(point);
  }
  return points;
}

}  // namespace tidegate
