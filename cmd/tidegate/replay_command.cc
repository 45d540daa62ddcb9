// replay.
#include <algorithm>
#include <iostream>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/timestamp.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/kafka_settings.h"
#include "cmd/tidegate/replay.h"
#include "cmd/tidegate/table.h"

namespace tidegate {
namespace {

// A table is formatted as a whole; beyond this many rows in parts.
constexpr size_t kMaxTableRows = kReplayBatchLetters;
constexpr int64_t kMaxSkippedLines = 20;
constexpr int64_t kMicrosPerMilli = 1'000;
constexpr int kMaxTimeoutMs = 3'600'000;

int ToInt(int64_t number) {
  return static_cast<int>(
      std::min<int64_t>(number, std::numeric_limits<int>::max()));
}

absl::StatusOr<std::optional<int64_t>> TimeMs(const Arguments& arguments,
                                              const char* flag) {
  if (!arguments.has(flag)) return std::nullopt;
  const auto micros = ParseTimestamp(arguments.text(flag));
  if (!micros.ok()) {
    return Annotate(micros.status(), absl::StrCat("--", flag));
  }
  // The first millisecond at or behind it.
  const int64_t floor = *micros / kMicrosPerMilli;
  return floor + (floor * kMicrosPerMilli < *micros ? 1 : 0);
}

std::optional<Offset> OffsetOf(const Arguments& arguments, const char* flag) {
  if (!arguments.has(flag)) return std::nullopt;
  return Offset(arguments.number(flag));
}

absl::StatusOr<ReplayOptions> MakeOptions(const Arguments& arguments) {
  ReplayOptions options;
  ASSIGN_OR_RETURN(options.kafka, KafkaSettings(arguments));
  options.dead_letter_topic = arguments.text("dead-letter-topic");
  options.filter.views = arguments.list("view");
  options.filter.reasons = arguments.list("reason");
  options.filter.origin_topic = arguments.text("origin-topic");
  ASSIGN_OR_RETURN(options.filter.since_ms, TimeMs(arguments, "since"));
  ASSIGN_OR_RETURN(options.filter.until_ms, TimeMs(arguments, "until"));
  if (arguments.has("partition")) {
    options.filter.partition =
        PartitionId(ToInt(arguments.number("partition")));
  }
  options.filter.from_offset = OffsetOf(arguments, "from-offset");
  options.filter.to_offset = OffsetOf(arguments, "to-offset");
  options.dry_run = arguments.is_set("dry-run");
  options.allow_compacted = arguments.is_set("allow-compacted");
  options.timeout_ms =
      std::min(kMaxTimeoutMs, ToInt(arguments.number("timeout")));
  return options;
}

std::string Watermark(const DeadLetter& letter) {
  return letter.watermark == kNoEventTime
             ? ""
             : FormatTimestamp(letter.watermark.value());
}

std::string Outcome(const ReplayedLetter& one) {
  if (!one.sent.has_value()) return "would be sent";
  return one.sent->ok() ? "sent" : "not acknowledged";
}

std::vector<std::string> Cells(const ReplayedLetter& one) {
  const std::string watermark = Watermark(one.letter);
  return {absl::StrCat(one.partition.value(), "/", one.offset.value()),
          one.record.origin,
          one.letter.reason,
          one.record.views.empty() ? "(all)" : one.record.views,
          watermark.empty() ? "-" : watermark,
          absl::StrCat(one.bytes()),
          Outcome(one)};
}

std::string Line(const ReplayedLetter& one) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("partition").Int(one.partition.value());
  json.Key("offset").Int(one.offset.value());
  json.Key("origin").String(one.record.origin);
  json.Key("to_topic").String(one.record.topic);
  json.Key("to_partition").Int(one.record.partition.value());
  json.Key("timestamp_ms").Int(one.letter.timestamp_ms);
  json.Key("reason").String(one.letter.reason);
  json.Key("detail").String(one.letter.detail);
  json.Key("views").String(one.record.views);
  json.Key("watermark");
  const std::string watermark = Watermark(one.letter);
  watermark.empty() ? json.Null() : json.String(watermark);
  json.Key("pipeline").String(one.letter.pipeline);
  json.Key("bytes").Uint(one.bytes());
  json.Key("outcome").String(Outcome(one));
  json.EndObject();
  return text + "\n";
}

// Prints what a replay tells, as it tells it.
class Printer {
 public:
  explicit Printer(bool json) : json_(json) {}

  void Letter(const ReplayedLetter& one) {
    if (one.sent.has_value() && !one.sent->ok()) {
      PrintError(absl::StrCat(Where(one.partition, one.offset), ": ",
                              one.sent->message()));
    }
    if (json_) {
      std::cout << Line(one);
      return;
    }
    table_.push_back(Cells(one));
    if (table_.size() >= kMaxTableRows) Flush();
  }

  void Skipped(PartitionId partition, Offset offset,
               const absl::Status& status) {
    if (++skipped_ > kMaxSkippedLines) return;
    PrintError(absl::StrCat(Where(partition, offset), ": skipped, ",
                            status.message()));
  }

  void Flush() {
    if (!table_.empty()) {
      std::cout << FormatTable({"letter", "origin", "reason", "views",
                                "watermark", "bytes", "outcome"},
                               table_)
                << std::flush;
    }
    table_.clear();
  }

  void Total(const ReplayReport& report, bool dry_run) {
    Flush();
    if (skipped_ > kMaxSkippedLines) {
      PrintError(
          absl::StrCat("skipped besides: ", skipped_ - kMaxSkippedLines));
    }
    if (!json_) {
      std::cout << absl::StrCat(
          "records: ", report.read, ", not dead letters: ", report.foreign,
          ", refused: ", report.refused, ", there twice: ", report.duplicates,
          ", selected: ", report.selected, ", sent: ", report.acknowledged,
          dry_run ? " (dry run)\n" : "\n");
      return;
    }
    std::string text;
    JsonWriter json(&text);
    json.BeginObject();
    json.Key("records").Int(report.read);
    json.Key("not_dead_letters").Int(report.foreign);
    json.Key("refused").Int(report.refused);
    json.Key("there_twice").Int(report.duplicates);
    json.Key("selected").Int(report.selected);
    json.Key("sent").Int(report.acknowledged);
    json.Key("dry_run").Bool(dry_run);
    json.EndObject();
    std::cout << text << "\n";
  }

 private:
  static std::string Where(PartitionId partition, Offset offset) {
    return absl::StrCat("partition=", partition.value(),
                        " offset=", offset.value());
  }

  const bool json_;
  std::vector<std::vector<std::string>> table_;
  int64_t skipped_ = 0;
};

void PrintGoOn(const ReplayReport::GoOn& at) {
  const auto value = [](std::string* out, const auto& id) {
    absl::StrAppend(out, id.value());
  };
  std::string text = absl::StrCat(
      "not everything was acknowledged, and nothing behind that was tried. "
      "What was not may have been written all the same: look into the topic "
      "first. To go on, the same command with --partition ",
      at.partition.value(), " --from-offset ", at.offset.value());
  if (!at.later.empty()) {
    absl::StrAppend(&text, ", then, without --from-offset, with --partition ",
                    absl::StrJoin(at.later, ", ", value));
  }
  if (!at.acknowledged.empty()) {
    absl::StrAppend(
        &text, "; these were acknowledged, go round them with ",
        "--to-offset: ", absl::StrJoin(at.acknowledged, ", ", value));
  }
  PrintError(text);
}

// A view that no letter names may be a typing error.
void WarnOfUnknownViews(const ReplayFilter& filter,
                        const ReplayReport& report) {
  const std::vector<std::string> seen(report.views_seen.begin(),
                                      report.views_seen.end());
  for (const std::string& view : filter.views) {
    if (report.views_seen.count(view) > 0 || seen.empty()) continue;
    PrintError(absl::StrCat("no dead letter names view \"", view, "\"",
                            DidYouMean(view, seen)));
  }
}

int Failure(const absl::Status& status) {
  std::string text(status.message());
  if (absl::IsFailedPrecondition(status)) {
    absl::StrAppend(&text, "; --allow-compacted sends it all the same");
  }
  PrintError(text);
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
      return kExitUnavailable;
    default:
      return kExitNegative;
  }
}

}  // namespace

int RunReplay(const Arguments& arguments) {
  SetLogLevel(LogLevel::kError);
  const auto options = MakeOptions(arguments);
  if (!options.ok()) {
    PrintError(options.status().message());
    return kExitUsage;
  }
  Printer printer(arguments.text("format") == "json");
  const auto report = Replay(
      *options, [&](const ReplayedLetter& one) { printer.Letter(one); },
      [&](PartitionId partition, Offset offset, const absl::Status& status) {
        printer.Skipped(partition, offset, status);
      });
  printer.Flush();
  if (!report.ok()) return Failure(report.status());
  printer.Total(*report, options->dry_run);
  WarnOfUnknownViews(options->filter, *report);
  if (report->go_on.has_value()) PrintGoOn(*report->go_on);
  return report->go_on.has_value() || report->refused > 0 ? kExitNegative
                                                          : kExitOk;
}

}  // namespace tidegate
