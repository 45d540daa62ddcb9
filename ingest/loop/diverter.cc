#include "ingest/loop/diverter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "ingest/loop/replay_target.h"

namespace tidegate {

void AddTo(std::atomic<int64_t>* counter, int64_t n) {
  counter->store(counter->load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
}

namespace {

// What a letter for all of `views` is to be sent back for: for these alone,
// since other pipelines write letters of their own. Of a record that was sent
// back before, only for those it was sent to.
std::string TargetOf(const std::vector<std::string>& views,
                     const RawRecord& record) {
  std::vector<Diverted> for_views;
  auto sent_to = ParseReplayTarget(record.replay_views);
  const bool narrowed = record.is_replay && sent_to.ok();
  for (const std::string& view : views) {
    Diverted one;
    one.view = view;
    if (narrowed) {
      const auto found = sent_to->find(view);
      if (found == sent_to->end()) continue;
      one.windows = found->second;
    }
    for_views.push_back(std::move(one));
  }
  return FormatReplayTarget(for_views);
}

}  // namespace

absl::Status Diverter::ForAll(const SourcePlan& source, const RawRecord& record,
                              const std::vector<std::string>& views,
                              DivertReason reason, const absl::Status& why,
                              EventTime watermark) {
  const bool bad = reason == DivertReason::kUndecodable ||
                   reason == DivertReason::kIncompatibleSchema;
  AddTo(bad ? &stats_->bad_records : &stats_->diverted, 1);
  Count(source, "", reason);
  LogRecord(bad ? "bad record" : "record diverted", source, record,
            why.message());
  return Write(source, record, reason, std::string(why.message()), watermark,
               {}, TargetOf(views, record));
}

absl::Status Diverter::ForSome(const SourcePlan& source,
                               const RawRecord& record,
                               const std::vector<Diverted>& diverted,
                               EventTime watermark) {
  AddTo(&stats_->diverted, 1);
  for (int r = 0; r < kDivertReasons; ++r) {
    const auto reason = static_cast<DivertReason>(r);
    std::vector<Diverted> for_views;
    std::vector<std::string> views;
    std::vector<std::string> details;
    for (const Diverted& one : diverted) {
      if (one.reason != reason) continue;
      Count(source, one.view, reason);
      for_views.push_back(one);
      views.push_back(one.view);
      details.push_back(absl::StrCat("view=", one.view, ": ", one.detail));
    }
    if (views.empty()) continue;
    std::string detail = absl::StrJoin(details, "; ");
    LogRecord("record diverted", source, record, detail);
    RETURN_IF_ERROR(Write(source, record, reason, std::move(detail), watermark,
                          std::move(views), FormatReplayTarget(for_views)));
  }
  return absl::OkStatus();
}

void Diverter::Count(const SourcePlan& source, const std::string& view,
                     DivertReason reason) {
  MutexLock lock(&mutex_);
  ++counts_[{source.name, view, reason}];
}

std::vector<DivertedCount> Diverter::Counts() const {
  std::vector<DivertedCount> counts;
  MutexLock lock(&mutex_);
  for (const auto& [what, events] : counts_) {
    const auto& [source, view, reason] = what;
    counts.push_back({source, view, reason, events});
  }
  return counts;
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
                             DivertReason reason, std::string detail,
                             EventTime watermark,
                             std::vector<std::string> views,
                             std::string replay_views) {
  if (source.dead_letter_topic.empty()) return absl::OkStatus();
  DeadLetter letter;
  letter.topic = source.dead_letter_topic;
  letter.source_topic = source.topic;
  letter.partition = record.partition;
  letter.offset = record.offset;
  letter.timestamp_ms = record.timestamp_ms;
  letter.reason = std::string(DivertReasonName(reason));
  letter.detail = std::move(detail);
  letter.views = std::move(views);
  letter.replay_views = std::move(replay_views);
  letter.replay_origin = std::string(record.replay_origin);
  letter.watermark = watermark;
  letter.pipeline = pipeline_;
  if (record.has_key) letter.key = std::string(record.key);
  if (record.has_value) letter.value = std::string(record.value);
  letter.headers = CopyOf(record.headers);
  std::erase_if(letter.headers, [](const auto& header) {
    return header.first == kReplayViewsHeader ||
           header.first == kReplayOriginHeader;
  });
  pending_ = true;
  return Annotate(writer_->Write(std::move(letter)),
                  absl::StrCat("dead.letter.topic=", source.dead_letter_topic));
}

}  // namespace tidegate
