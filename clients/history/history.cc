#include "clients/history/history.h"

#include <simdjson.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/timestamp.h"

namespace tidegate {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Parses `line` with `parser`, which owns the result.
absl::StatusOr<object> ParseObject(simdjson::dom::parser* parser,
                                   absl::string_view line) {
  if (line.size() > kMaxHistoryLineBytes) {
    return absl::InvalidArgumentError("line is too long");
  }
  object parsed;
  const auto error = parser->parse(line.data(), line.size()).get(parsed);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a JSON object: ", simdjson::error_message(error)));
  }
  return parsed;
}

// A member's text, or "" if it is absent or null.
absl::StatusOr<std::string> OptionalText(const object& in, const char* name) {
  element value;
  if (in[name].get(value) || value.is_null()) return std::string();
  std::string_view text;
  if (value.get(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is not text"));
  }
  return std::string(text);
}

absl::StatusOr<uint64_t> Number(const object& in, const char* name) {
  uint64_t value = 0;
  if (in[name].get(value)) {
    return absl::InvalidArgumentError(absl::StrCat("no number \"", name, "\""));
  }
  return value;
}

// A member that is an object, as canonical text.
absl::StatusOr<std::string> ObjectText(const object& in, const char* name) {
  element value;
  if (in[name].get(value) || !value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("no object \"", name, "\""));
  }
  return std::string(simdjson::minify(value));
}

absl::Status ReadPosition(const object& line, HistoryEvent* event) {
  element member;
  if (line["position"].get(member) || member.is_null()) {
    return absl::OkStatus();
  }
  object value;
  if (member.get(value)) {
    return absl::InvalidArgumentError("\"position\" is not an object");
  }
  HistoryPosition position;
  ASSIGN_OR_RETURN(position.incarnation, OptionalText(value, "incarnation"));
  simdjson::dom::array entries;
  if (value["partitions"].get(entries)) {
    return absl::InvalidArgumentError("no array \"partitions\" in position");
  }
  for (element entry : entries) {
    object fields;
    if (entry.get(fields)) {
      return absl::InvalidArgumentError("position entry is not an object");
    }
    ASSIGN_OR_RETURN(const uint64_t partition, Number(fields, "partition"));
    ASSIGN_OR_RETURN(const uint64_t seq, Number(fields, "seq"));
    position.seqs[static_cast<uint32_t>(partition)] = seq;
  }
  event->position = std::move(position);
  return absl::OkStatus();
}

absl::Status ReadRanges(const object& line, HistoryEvent* event) {
  simdjson::dom::array entries;
  if (line["ranges"].get(entries)) return absl::OkStatus();
  for (element entry : entries) {
    object fields;
    if (entry.get(fields)) {
      return absl::InvalidArgumentError("range is not an object");
    }
    HistoryRange range;
    ASSIGN_OR_RETURN(const uint64_t partition, Number(fields, "partition"));
    range.partition = static_cast<uint32_t>(partition);
    ASSIGN_OR_RETURN(range.from, Number(fields, "from"));
    ASSIGN_OR_RETURN(range.to, Number(fields, "to"));
    event->ranges.push_back(range);
  }
  return absl::OkStatus();
}

absl::StatusOr<RowFinality> ReadFinality(const object& line) {
  ASSIGN_OR_RETURN(const std::string name, OptionalText(line, "finality"));
  if (name.empty()) return RowFinality::kNone;
  if (name == "provisional") return RowFinality::kProvisional;
  if (name == "final") return RowFinality::kFinal;
  if (name == "corrected") return RowFinality::kCorrected;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown finality \"", name, "\""));
}

absl::Status ReadChange(const object& line, absl::string_view op,
                        HistoryEvent* event) {
  ASSIGN_OR_RETURN(event->key, ObjectText(line, "key"));
  if (op == "upsert") {
    event->kind = HistoryEvent::Kind::kUpsert;
    ASSIGN_OR_RETURN(event->row, ObjectText(line, "row"));
    ASSIGN_OR_RETURN(event->finality, ReadFinality(line));
  } else if (op == "deleted") {
    event->kind = HistoryEvent::Kind::kDeleted;
  } else if (op == "left") {
    event->kind = HistoryEvent::Kind::kLeft;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown op \"", op, "\""));
  }
  return absl::OkStatus();
}

absl::Status ReadConnect(const object& line, HistoryEvent* event) {
  event->kind = HistoryEvent::Kind::kConnect;
  ASSIGN_OR_RETURN(event->token, OptionalText(line, "resume"));
  ASSIGN_OR_RETURN(event->subject, OptionalText(line, "view"));
  for (const char* filter : {"keys", "key_prefix", "where"}) {
    element value;
    if (line[filter].get(value)) continue;
    if (absl::string_view(filter) == "keys") event->keyed = true;
    absl::StrAppend(&event->subject, " ", std::string(simdjson::minify(value)));
  }
  return ReadPosition(line, event);
}

absl::Status ReadMarker(const object& line, absl::string_view marker,
                        HistoryEvent* event) {
  using Kind = HistoryEvent::Kind;
  if (marker == "connect") return ReadConnect(line, event);
  if (marker == "snapshot_end") {
    event->kind = Kind::kSnapshotEnd;
  } else if (marker == "progress") {
    event->kind = Kind::kProgress;
    bool in_snapshot = false;
    if (!line["snapshot"].get(in_snapshot)) event->in_snapshot = in_snapshot;
  } else if (marker == "reset") {
    event->kind = Kind::kReset;
  } else if (marker == "drain") {
    event->kind = Kind::kDrain;
  } else if (marker == "error") {
    event->kind = Kind::kError;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown marker \"", marker, "\""));
  }
  ASSIGN_OR_RETURN(event->token, OptionalText(line, "token"));
  ASSIGN_OR_RETURN(event->cause, OptionalText(line, "cause"));
  ASSIGN_OR_RETURN(event->detail, OptionalText(line, "detail"));
  ASSIGN_OR_RETURN(const std::string watermark,
                   OptionalText(line, "watermark"));
  if (!watermark.empty()) {
    ASSIGN_OR_RETURN(event->watermark_us, ParseTimestamp(watermark));
  }
  RETURN_IF_ERROR(ReadPosition(line, event));
  return ReadRanges(line, event);
}

}  // namespace

absl::StatusOr<HistoryEvent> ParseHistoryLine(absl::string_view line,
                                              int number) {
  simdjson::dom::parser parser;
  ASSIGN_OR_RETURN(const object parsed, ParseObject(&parser, line));
  HistoryEvent event;
  event.line = number;
  ASSIGN_OR_RETURN(const std::string op, OptionalText(parsed, "op"));
  ASSIGN_OR_RETURN(const std::string marker, OptionalText(parsed, "marker"));
  if (!op.empty()) {
    RETURN_IF_ERROR(ReadChange(parsed, op, &event));
  } else if (!marker.empty()) {
    RETURN_IF_ERROR(ReadMarker(parsed, marker, &event));
  } else {
    return absl::InvalidArgumentError("neither \"op\" nor \"marker\"");
  }
  return event;
}

absl::StatusOr<std::pair<std::string, std::string>> ParseRowLine(
    absl::string_view line) {
  simdjson::dom::parser parser;
  ASSIGN_OR_RETURN(const object parsed, ParseObject(&parser, line));
  std::pair<std::string, std::string> entry;
  ASSIGN_OR_RETURN(entry.first, ObjectText(parsed, "key"));
  ASSIGN_OR_RETURN(entry.second, ObjectText(parsed, "row"));
  return entry;
}

}  // namespace tidegate
