#include "cmd/tidegate/watch_lines.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

using client::Change;
using client::Event;

void WriteTime(absl::string_view name, const std::optional<int64_t>& micros,
               JsonWriter* json) {
  if (micros.has_value()) json->Key(name).String(FormatTimestamp(*micros));
}

// The members that most markers share.
void WriteCommon(const Event& event, JsonWriter* json) {
  if (event.position.has_value()) {
    json->Key("position");
    WritePosition(*event.position, json);
  }
  if (!event.token.empty()) {
    json->Key("token").String(absl::Base64Escape(event.token));
  }
  WriteTime("watermark", event.watermark_us, json);
  WriteTime("committed_at", event.committed_us, json);
  WriteTime("sent_at", event.sent_us, json);
}

void WriteRanges(const Event& event, JsonWriter* json) {
  json->Key("ranges").BeginArray();
  for (const client::Range& range : event.ranges) {
    json->BeginObject();
    json->Key("partition").Uint(range.partition);
    json->Key("from").Uint(range.from);
    json->Key("to").Uint(range.to);
    json->EndObject();
  }
  json->EndArray();
}

// "key":{…},"row":{…}, and "finality":"…" if there is one.
absl::StatusOr<std::string> RowMembers(const client::DynamicRows& rows,
                                       absl::string_view row,
                                       client::Finality finality) {
  ASSIGN_OR_RETURN(const std::string key, rows.KeyJsonOfRow(row));
  ASSIGN_OR_RETURN(const std::string text, rows.RowJson(row));
  std::string members = absl::StrCat("\"key\":", key, ",\"row\":", text);
  if (finality != client::Finality::kNone) {
    absl::StrAppend(&members, ",\"finality\":\"",
                    client::FinalityName(finality), "\"");
  }
  return members;
}

}  // namespace

void WritePosition(const client::StreamPosition& position, JsonWriter* json) {
  json->BeginObject();
  json->Key("incarnation").String(absl::BytesToHexString(position.incarnation));
  json->Key("partitions").BeginArray();
  for (const auto& [partition, seq] : position.seqs) {
    json->BeginObject();
    json->Key("partition").Uint(partition);
    json->Key("seq").Uint(seq);
    json->EndObject();
  }
  json->EndArray().EndObject();
}

absl::StatusOr<std::string> RowLine(const client::DynamicRows& rows,
                                    absl::string_view row,
                                    client::Finality finality) {
  ASSIGN_OR_RETURN(const std::string members, RowMembers(rows, row, finality));
  return absl::StrCat("{", members, "}\n");
}

void WatchLines::Begin(std::string* out) const {
  absl::StrAppend(out, "{");
  if (!subject_.one_of_several) return;
  absl::StrAppend(out, "\"view\":");
  JsonWriter(out).String(subject_.view);
  absl::StrAppend(out, ",");
}

void WatchLines::AppendMarker(const Event& event, std::string* out) const {
  JsonWriter json(out);
  json.BeginObject();
  if (subject_.one_of_several) json.Key("view").String(subject_.view);
  json.Key("marker");
  switch (event.kind) {
    case Event::Kind::kSnapshot:
      json.String("progress").Key("snapshot").Bool(true);
      break;
    case Event::Kind::kSnapshotEnd:
      json.String("snapshot_end");
      break;
    case Event::Kind::kReset:
      json.String("reset").Key("cause").String(event.cause);
      json.Key("detail").String(event.detail);
      break;
    case Event::Kind::kDrain:
      json.String("drain").Key("retry_after_ms").Int(event.retry_after_ms);
      break;
    case Event::Kind::kBroken:
      json.String("error").Key("detail").String(event.detail);
      break;
    default:
      json.String("progress");
      WriteRanges(event, &json);
  }
  WriteCommon(event, &json);
  json.EndObject();
  out->push_back('\n');
}

absl::Status WatchLines::AppendConnect(const Event& event,
                                       std::string* out) const {
  std::string keys;
  for (const std::string& key : subject_.keys) {
    ASSIGN_OR_RETURN(const std::string text, rows_->KeyJson(key));
    absl::StrAppend(&keys, keys.empty() ? "" : ",", text);
  }
  absl::StrAppend(out, "{\"marker\":\"connect\",\"view\":");
  JsonWriter(out).String(subject_.view);
  if (!keys.empty()) absl::StrAppend(out, ",\"keys\":[", keys, "]");
  if (!subject_.key_prefix.empty()) {
    ASSIGN_OR_RETURN(const std::string prefix,
                     rows_->KeyJson(subject_.key_prefix));
    absl::StrAppend(out, ",\"key_prefix\":", prefix);
  }
  if (!subject_.where.empty()) {
    absl::StrAppend(out, ",\"where\":");
    JsonWriter(out).String(subject_.where);
  }
  absl::StrAppend(out, ",\"resume\":");
  if (event.token.empty()) {
    absl::StrAppend(out, "null");
  } else {
    JsonWriter(out).String(absl::Base64Escape(event.token));
  }
  if (event.position.has_value()) {
    absl::StrAppend(out, ",\"position\":");
    JsonWriter json(out);
    WritePosition(*event.position, &json);
  }
  absl::StrAppend(out, "}\n");
  return absl::OkStatus();
}

absl::Status WatchLines::AppendChange(const Change& change,
                                      std::string* out) const {
  if (change.kind == Change::Kind::kUpsert) {
    ASSIGN_OR_RETURN(const std::string members,
                     RowMembers(*rows_, change.bytes, change.finality));
    Begin(out);
    absl::StrAppend(out, "\"op\":\"upsert\",", members, "}\n");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string key, rows_->KeyJson(change.bytes));
  Begin(out);
  absl::StrAppend(out, "\"op\":\"",
                  change.kind == Change::Kind::kDeleted ? "deleted" : "left",
                  "\",\"key\":", key, "}\n");
  return absl::OkStatus();
}

absl::Status WatchLines::Append(const Event& event, std::string* out) const {
  if (event.kind == Event::Kind::kDisconnected) return absl::OkStatus();
  if (event.kind == Event::Kind::kConnected) return AppendConnect(event, out);
  for (const Change& change : event.changes) {
    RETURN_IF_ERROR(AppendChange(change, out));
  }
  if (event.kind == Event::Kind::kSnapshot && event.token.empty()) {
    return absl::OkStatus();
  }
  AppendMarker(event, out);
  return absl::OkStatus();
}

}  // namespace tidegate
