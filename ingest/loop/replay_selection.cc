#include "ingest/loop/replay_selection.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "ingest/loop/replay_target.h"
#include "views/pipeline/pipeline.h"

namespace tidegate {
namespace {

template <typename T>
bool Has(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> ReasonNames() {
  std::vector<std::string> names;
  names.reserve(kDivertReasons);
  for (int i = 0; i < kDivertReasons; ++i) {
    names.emplace_back(DivertReasonName(static_cast<DivertReason>(i)));
  }
  return names;
}

}  // namespace

absl::StatusOr<std::optional<std::string>> ReplaySelection::Narrow(
    const DeadLetter& letter) {
  const std::string text = letter.replay_views.empty()
                               ? absl::StrJoin(letter.views, ",")
                               : letter.replay_views;
  if (text.empty()) return absl::StrJoin(filter_.views, ",");
  ASSIGN_OR_RETURN(const ReplayTarget target, ParseReplayTarget(text));
  std::vector<Diverted> left;
  for (const auto& [view, windows] : target) {
    views_seen_.insert(view);
    if (!filter_.views.empty() && !Has(filter_.views, view)) continue;
    left.push_back({view, DivertReason::kLate, "", windows});
  }
  if (left.empty()) return std::nullopt;
  return FormatReplayTarget(left);
}

absl::StatusOr<std::optional<ReplayRecord>> ReplaySelection::Take(
    const DeadLetter& letter, PartitionId partition, Offset offset) {
  if (const auto reasons = ReasonNames(); !Has(reasons, letter.reason)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown reason \"", letter.reason, "\"",
                     DidYouMean(letter.reason, reasons)));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> views, Narrow(letter));
  if (!views.has_value() ||
      (!filter_.reasons.empty() && !Has(filter_.reasons, letter.reason)) ||
      (!filter_.origin_topic.empty() &&
       letter.source_topic != filter_.origin_topic) ||
      letter.timestamp_ms < filter_.since_ms.value_or(letter.timestamp_ms) ||
      (filter_.until_ms.has_value() &&
       letter.timestamp_ms >= *filter_.until_ms)) {
    return std::nullopt;
  }
  ReplayRecord record;
  record.topic = letter.source_topic;
  record.partition = letter.partition;
  record.views = *views;
  record.origin =
      letter.replay_origin.empty()
          ? absl::StrCat(letter.source_topic, "/", letter.partition.value(),
                         "/", letter.offset.value())
          : letter.replay_origin;
  if (!seen_
           .insert(absl::StrCat(record.origin, " ", letter.reason, " ", *views))
           .second) {
    ++duplicates_;
    return std::nullopt;
  }
  if (seen_.size() > kMaxReplayLetters) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "more letters than can be told apart, narrow the selection: ",
        kMaxReplayLetters));
  }
  if (partition != filter_.partition.value_or(partition) ||
      offset < filter_.from_offset.value_or(offset) ||
      (filter_.to_offset.has_value() && offset >= *filter_.to_offset)) {
    return std::nullopt;
  }
  return record;
}

}  // namespace tidegate
