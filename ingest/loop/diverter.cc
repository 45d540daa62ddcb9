#include "ingest/loop/diverter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace tidegate {

void AddTo(std::atomic<int64_t>* counter, int64_t n) {
  counter->store(counter->load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
}

absl::Status Diverter::Undecodable(const SourcePlan& source,
                                   const RawRecord& record,
                                   const absl::Status& why) {
  AddTo(&stats_->bad_records, 1);
  LogRecord("bad record", source, record, why.message());
  return Write(source, record, "undecodable", std::string(why.message()), {});
}

absl::Status Diverter::FailedExpressions(
    const SourcePlan& source, const RawRecord& record,
    const std::vector<Diverted>& diverted) {
  AddTo(&stats_->diverted, 1);
  std::vector<std::string> views;
  std::vector<std::string> reasons;
  for (const Diverted& one : diverted) {
    views.push_back(one.view);
    reasons.push_back(absl::StrCat("view=", one.view, ": ", one.detail));
  }
  std::string detail = absl::StrJoin(reasons, "; ");
  LogRecord("record diverted", source, record, detail);
  return Write(source, record, "expression", std::move(detail),
               std::move(views));
}

absl::StatusOr<bool> Diverter::Acknowledged(int timeout_ms) {
  if (!pending_) return true;
  const absl::Status flushed = writer_->Flush(timeout_ms);
  if (flushed.ok()) {
    pending_ = false;
    return true;
  }
  if (!absl::IsUnavailable(flushed)) return Annotate(flushed, "dead letters");
  int64_t suppressed = 0;
  if (wait_log_.Allow(clock_->Now(), &suppressed)) {
    Log(LogLevel::kWarning, "waiting for dead letters to be acknowledged",
        {{"error", flushed.message()}});
  }
  return false;
}

void Diverter::LogRecord(absl::string_view message, const SourcePlan& source,
                         const RawRecord& record, absl::string_view error) {
  int64_t suppressed = 0;
  if (!record_log_.Allow(clock_->Now(), &suppressed)) return;
  Log(LogLevel::kWarning, message,
      {{"topic", source.topic},
       {"partition", record.partition.value()},
       {"offset", record.offset.value()},
       {"error", error},
       {"suppressed", suppressed}});
}

absl::Status Diverter::Write(const SourcePlan& source, const RawRecord& record,
                             std::string reason, std::string detail,
                             std::vector<std::string> views) {
  if (source.dead_letter_topic.empty()) return absl::OkStatus();
  DeadLetter letter;
  letter.topic = source.dead_letter_topic;
  letter.source_topic = source.topic;
  letter.partition = record.partition;
  letter.offset = record.offset;
  letter.timestamp_ms = record.timestamp_ms;
  letter.reason = std::move(reason);
  letter.detail = std::move(detail);
  letter.views = std::move(views);
  if (record.has_key) letter.key = std::string(record.key);
  if (record.has_value) letter.value = std::string(record.value);
  pending_ = true;
  return Annotate(writer_->Write(std::move(letter)),
                  absl::StrCat("dead.letter.topic=", source.dead_letter_topic));
}

}  // namespace tidegate
