#include "cmd/tidegate/conformance_reads.h"

#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "clients/history/json_line.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::DynamicRows;
using client::FoundRow;
using client::StreamPosition;

std::string PositionMember(const StreamPosition& position) {
  std::string text = ",\"position\":";
  JsonWriter json(&text);
  WritePosition(position, &json);
  return text;
}

absl::StatusOr<std::optional<StreamPosition>> MinPosition(
    const JsonLine& command) {
  if (!command.Has("min_position")) return std::optional<StreamPosition>();
  ASSIGN_OR_RETURN(const std::string text, command.Json("min_position"));
  ASSIGN_OR_RETURN(const JsonLine said, JsonLine::Parse(text));
  ASSIGN_OR_RETURN(const std::string incarnation, said.Text("incarnation"));
  ASSIGN_OR_RETURN(const std::vector<std::string> partitions,
                   said.Jsons("partitions"));
  StreamPosition position;
  position.incarnation = absl::HexStringToBytes(incarnation);
  for (const std::string& each : partitions) {
    ASSIGN_OR_RETURN(const JsonLine entry, JsonLine::Parse(each));
    ASSIGN_OR_RETURN(const int64_t partition, entry.Int("partition"));
    ASSIGN_OR_RETURN(const int64_t seq, entry.Int("seq"));
    position.seqs[static_cast<uint32_t>(partition)] =
        static_cast<uint64_t>(seq);
  }
  return std::optional<StreamPosition>(std::move(position));
}

// Reads of one view.
class Reader {
 public:
  Reader(client::Client* client, std::string view, const DynamicRows* rows)
      : client_(client), view_(std::move(view)), rows_(rows) {}

  // Prints the lines that come before the last one; returns that.
  absl::StatusOr<std::string> Read(const JsonLine& command) {
    ASSIGN_OR_RETURN(const std::optional<StreamPosition> least,
                     MinPosition(command));
    if (command.Has("get")) return Get(command, least);
    const bool whole = command.Has("scan_all");
    ASSIGN_OR_RETURN(const std::string text,
                     command.Json(whole ? "scan_all" : "scan"));
    ASSIGN_OR_RETURN(const JsonLine what, JsonLine::Parse(text));
    ASSIGN_OR_RETURN(client::ScanOptions options, MakeOptions(what));
    options.min_position = least;
    return whole ? ScanAll(options) : Scan(options);
  }

 private:
  absl::StatusOr<std::string> Get(const JsonLine& command,
                                  const std::optional<StreamPosition>& least) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                     command.Jsons("get"));
    ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                     ParseKeys(*rows_, texts));
    ASSIGN_OR_RETURN(const client::FoundRows found,
                     client_->Read(view_, keys, least));
    std::vector<std::string> entries;
    for (const std::optional<FoundRow>& row : found.rows) {
      std::string entry = "null";
      if (row.has_value()) {
        ASSIGN_OR_RETURN(const std::string members, Members(*row));
        entry = absl::StrCat("{", members, "}");
      }
      entries.push_back(std::move(entry));
    }
    std::string line =
        absl::StrCat(R"({"marker":"got","rows":[)", absl::StrJoin(entries, ","),
                     "]", PositionMember(found.position));
    if (found.watermark_us.has_value()) {
      absl::StrAppend(&line, ",\"watermark\":\"",
                      FormatTimestamp(*found.watermark_us), "\"");
    }
    return line + "}";
  }

  absl::StatusOr<client::ScanOptions> MakeOptions(const JsonLine& what) const {
    client::ScanOptions options;
    if (what.Has("key_prefix")) {
      ASSIGN_OR_RETURN(const std::string prefix, what.Json("key_prefix"));
      ASSIGN_OR_RETURN(options.key_prefix, ParseKeyPrefix(*rows_, prefix));
    }
    if (what.Has("where")) {
      ASSIGN_OR_RETURN(options.where, what.Text("where"));
    }
    if (what.Has("page_size")) {
      ASSIGN_OR_RETURN(const int64_t rows, what.Int("page_size"));
      options.page_size = static_cast<uint32_t>(rows);
    }
    return options;
  }

  absl::StatusOr<std::string> Scan(const client::ScanOptions& options) {
    absl::Status told;
    const auto position =
        client_->Scan(view_, options, [&](const FoundRow& row) {
          told = Tell(row);
          return told.ok();
        });
    RETURN_IF_ERROR(told);
    RETURN_IF_ERROR(position.status());
    return ScannedLine(*position);
  }

  absl::StatusOr<std::string> ScanAll(const client::ScanOptions& options) {
    ASSIGN_OR_RETURN(const client::ScannedRows scanned,
                     client_->ScanAll(view_, options));
    for (const FoundRow& row : scanned.rows) RETURN_IF_ERROR(Tell(row));
    return ScannedLine(scanned.position);
  }

  static std::string ScannedLine(const StreamPosition& position) {
    return absl::StrCat(R"({"marker":"scanned")", PositionMember(position),
                        "}");
  }

  absl::Status Tell(const FoundRow& row) const {
    ASSIGN_OR_RETURN(const std::string members, Members(row));
    std::cout << R"({"marker":"row",)" << members << "}" << std::endl;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Members(const FoundRow& row) const {
    ASSIGN_OR_RETURN(const std::string text, rows_->RowJson(row.row));
    std::string members = absl::StrCat("\"row\":", text);
    if (row.finality != client::Finality::kNone) {
      absl::StrAppend(&members, ",\"finality\":\"",
                      client::FinalityName(row.finality), "\"");
    }
    return members;
  }

  client::Client* const client_;
  const std::string view_;
  const DynamicRows* const rows_;
};

std::string FailedLine(const absl::Status& why) {
  std::string line;
  JsonWriter json(&line);
  json.BeginObject().Key("marker");
  if (absl::IsDataLoss(why)) {
    json.String("broken");
  } else {
    json.String("failed").Key("code");
    json.String(absl::StatusCodeToString(why.code()));
  }
  json.Key("detail").String(why.message()).EndObject();
  return line;
}

}  // namespace

absl::Status ObeyReads(client::Client* client, const std::string& view,
                       std::istream* commands) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DynamicRows> rows, client->Rows(view));
  Reader reader(client, view, rows.get());
  std::string text;
  while (std::getline(*commands, text)) {
    ASSIGN_OR_RETURN(const JsonLine command, JsonLine::Parse(text));
    const auto line = reader.Read(command);
    std::cout << (line.ok() ? *line : FailedLine(line.status())) << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace tidegate
