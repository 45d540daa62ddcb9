#include "cmd/tidegate/view_lines.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/timestamp.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::PartitionProgress;
using client::ViewDescription;

constexpr double kMicrosPerSecond = 1e6;

std::string Seconds(int64_t micros) {
  return absl::StrFormat("%.1f s",
                         static_cast<double>(micros) / kMicrosPerSecond);
}

// "watermark", and its lag as `lag_name`.
void WriteWatermark(const std::optional<int64_t>& watermark_us,
                    absl::string_view lag_name, ProcessingTime now,
                    JsonWriter* json) {
  json->Key("watermark");
  if (!watermark_us.has_value()) {
    json->Null();
    return;
  }
  json->String(FormatTimestamp(*watermark_us));
  json->Key(lag_name).Int((now.value() - *watermark_us) / 1000);
}

void WritePartitions(const ViewDescription& view, ProcessingTime now,
                     JsonWriter* json) {
  json->Key("partitions").BeginArray();
  for (const PartitionProgress& partition : view.partitions) {
    json->BeginObject();
    json->Key("topic").String(partition.topic);
    json->Key("partition").Uint(partition.partition);
    WriteWatermark(partition.watermark_us, "lag_ms", now, json);
    json->Key("state").String(partition.state);
    json->Key("holds_back").Bool(partition.holds_back);
    json->EndObject();
  }
  json->EndArray();
}

// As WATERMARK FOR has it.
std::string EventTimeText(const ViewDescription& view) {
  if (view.event_time_column.empty()) return "-";
  return absl::StrCat(view.event_time_column, " - ",
                      view.watermark_delay_ms.value_or(0), " ms");
}

}  // namespace

std::string ViewLine(const ViewDescription& view, ProcessingTime now) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("name").String(view.name);
  json.Key("pipeline").String(view.pipeline);
  json.Key("key_columns").BeginArray();
  for (const std::string& column : view.key_columns) json.String(column);
  json.EndArray();
  json.Key("version").Uint(view.version);
  json.Key("row_count_estimate").Uint(view.row_count_estimate);
  json.Key("position");
  WritePosition(view.position, &json);
  WriteWatermark(view.watermark_us, "watermark_lag_ms", now, &json);
  WritePartitions(view, now, &json);
  if (!view.event_time_column.empty()) {
    json.Key("event_time_column").String(view.event_time_column);
  }
  if (view.watermark_delay_ms.has_value()) {
    json.Key("watermark_delay_ms").Int(*view.watermark_delay_ms);
  }
  json.Key("definition").String(view.definition);
  json.EndObject();
  return text + "\n";
}

std::string HeldBackBy(const ViewDescription& view, ProcessingTime now) {
  std::vector<const PartitionProgress*> holders;
  for (const PartitionProgress& partition : view.partitions) {
    if (partition.holds_back) holders.push_back(&partition);
  }
  if (holders.empty()) return "-";
  // Those that have none first, then the furthest behind: nullopt is least.
  std::stable_sort(holders.begin(), holders.end(),
                   [](const auto* a, const auto* b) {
                     return a->watermark_us < b->watermark_us;
                   });
  std::vector<std::string> texts;
  for (const PartitionProgress* partition : holders) {
    if (texts.size() == kMaxNamedHolders) break;
    texts.push_back(absl::StrCat(partition->topic, "/", partition->partition,
                                 " ", partition->state));
    if (!partition->watermark_us.has_value()) continue;
    absl::StrAppend(&texts.back(), ", ",
                    Seconds(now.value() - *partition->watermark_us), " behind");
  }
  std::string text = absl::StrJoin(texts, "; ");
  if (holders.size() > texts.size()) {
    absl::StrAppend(&text, "; ", holders.size() - texts.size(), " more");
  }
  return text;
}

std::vector<std::string> ViewHeader() {
  return {"view",      "key", "pipeline",     "rows (about)", "position",
          "watermark", "lag", "held back by", "event time"};
}

std::vector<std::string> ViewCells(const ViewDescription& view,
                                   ProcessingTime now) {
  std::vector<std::string> seqs;
  for (const auto& [partition, seq] : view.position.seqs) {
    seqs.push_back(absl::StrCat(seq));
  }
  const std::optional<int64_t>& watermark = view.watermark_us;
  return {view.name,
          absl::StrJoin(view.key_columns, ","),
          view.pipeline,
          absl::StrCat(view.row_count_estimate),
          absl::StrJoin(seqs, ","),
          watermark.has_value() ? FormatTimestamp(*watermark) : "-",
          watermark.has_value() ? Seconds(now.value() - *watermark) : "-",
          HeldBackBy(view, now),
          EventTimeText(view)};
}

}  // namespace tidegate
