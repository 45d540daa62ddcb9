#include "ingest/kafka/dead_letter_headers.h"

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

constexpr char kReason[] = "tidegate.reason";
constexpr char kDetail[] = "tidegate.detail";
constexpr char kViews[] = "tidegate.views";
constexpr char kTopic[] = "tidegate.topic";
constexpr char kPartition[] = "tidegate.partition";
constexpr char kOffset[] = "tidegate.offset";
constexpr char kTimestamp[] = "tidegate.timestamp";
constexpr char kWatermark[] = "tidegate.watermark";
constexpr char kPipeline[] = "tidegate.pipeline";
constexpr char kFirstOrigin[] = "tidegate.first.origin";
constexpr char kKept[] = "tidegate.kept.";

using ByName = std::map<std::string, std::string, std::less<>>;

std::string TextOf(const ByName& headers, absl::string_view name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

template <typename T>
absl::Status NumberOf(const ByName& headers, const char* name, T* number) {
  const std::string text = TextOf(headers, name);
  if (absl::SimpleAtoi(text, number) && *number >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("header ", name, " is not a whole number: \"", text, "\""));
}

}  // namespace

RecordHeaders DeadLetterHeaders(const DeadLetter& letter) {
  RecordHeaders headers;
  for (const auto& [name, value] : letter.headers) {
    const bool ours = absl::StartsWith(name, kOwnHeaderPrefix);
    headers.emplace_back(absl::StrCat(ours ? kKept : "", name), value);
  }
  const RecordHeaders own = {
      {kReason, letter.reason},
      {kDetail, letter.detail.substr(0, kMaxDeadLetterDetailBytes)},
      {kViews, absl::StrJoin(letter.views, ",")},
      {kTopic, letter.source_topic},
      {kPartition, absl::StrCat(letter.partition.value())},
      {kOffset, absl::StrCat(letter.offset.value())},
      {kTimestamp, absl::StrCat(letter.timestamp_ms)},
      {kReplayViewsHeader, letter.replay_views},
      {kWatermark, letter.watermark == kNoEventTime
                       ? ""
                       : FormatTimestamp(letter.watermark.value())},
      {kPipeline, letter.pipeline},
  };
  headers.insert(headers.end(), own.begin(), own.end());
  if (!letter.replay_origin.empty()) {
    headers.emplace_back(kFirstOrigin, letter.replay_origin);
  }
  return headers;
}

absl::StatusOr<DeadLetter> ParseDeadLetter(const RecordHeaders& headers) {
  ByName by_name;
  for (const auto& [name, value] : headers) by_name[name] = value.value_or("");
  std::vector<std::string> missing;
  for (const char* name : {kReason, kTopic, kPartition, kOffset, kTimestamp}) {
    if (TextOf(by_name, name).empty()) missing.emplace_back(name);
  }
  if (by_name.count(kReason) == 0 && by_name.count(kTopic) == 0) {
    return absl::NotFoundError("not a dead letter: no tidegate headers");
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "dead letter without header ", absl::StrJoin(missing, ", ")));
  }
  DeadLetter letter;
  letter.reason = TextOf(by_name, kReason);
  letter.detail = TextOf(by_name, kDetail);
  letter.views =
      absl::StrSplit(TextOf(by_name, kViews), ',', absl::SkipEmpty());
  letter.source_topic = TextOf(by_name, kTopic);
  int32_t partition = 0;
  int64_t offset = 0;
  RETURN_IF_ERROR(NumberOf(by_name, kPartition, &partition));
  RETURN_IF_ERROR(NumberOf(by_name, kOffset, &offset));
  RETURN_IF_ERROR(NumberOf(by_name, kTimestamp, &letter.timestamp_ms));
  letter.partition = PartitionId(partition);
  letter.offset = Offset(offset);
  letter.replay_views = TextOf(by_name, kReplayViewsHeader);
  if (const std::string text = TextOf(by_name, kWatermark); !text.empty()) {
    ASSIGN_OR_RETURN(const int64_t micros, ParseTimestamp(text));
    letter.watermark = EventTime(micros);
  }
  letter.pipeline = TextOf(by_name, kPipeline);
  letter.replay_origin = TextOf(by_name, kFirstOrigin);
  for (const auto& [name, value] : headers) {
    absl::string_view kept = name;
    if (!absl::ConsumePrefix(&kept, kKept) &&
        absl::StartsWith(kept, kOwnHeaderPrefix)) {
      continue;
    }
    letter.headers.emplace_back(kept, value);
  }
  return letter;
}

}  // namespace tidegate
