// views, get and scan.
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/timestamp.h"
#include "clients/cpp/view_client.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/table.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::DynamicRows;
using client::ViewClient;
using client::ViewDescription;

// A table is formatted as a whole; beyond this many rows in parts.
constexpr size_t kMaxTableRows = 10'000;
constexpr uint32_t kScanPageRows = 1'000;

bool WantsJson(const Arguments& arguments) {
  return arguments.text("format") == "json";
}

std::unique_ptr<ViewClient> MakeClient(const Arguments& arguments) {
  return ViewClient::Create(arguments.text("server"),
                            arguments.number("timeout"));
}

std::string ViewLine(const ViewDescription& view) {
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
  json.Key("watermark");
  if (view.watermark_us.has_value()) {
    json.String(FormatTimestamp(*view.watermark_us));
  } else {
    json.Null();
  }
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

// As WATERMARK FOR has it.
std::string EventTime(const ViewDescription& view) {
  if (view.event_time_column.empty()) return "-";
  return absl::StrCat(view.event_time_column, " - ",
                      view.watermark_delay_ms.value_or(0), " ms");
}

std::vector<std::string> ViewCells(const ViewDescription& view) {
  std::vector<std::string> seqs;
  for (const auto& [partition, seq] : view.position.seqs) {
    seqs.push_back(absl::StrCat(seq));
  }
  return {
      view.name,
      absl::StrJoin(view.key_columns, ","),
      view.pipeline,
      absl::StrCat(view.row_count_estimate),
      absl::StrJoin(seqs, ","),
      view.watermark_us.has_value() ? FormatTimestamp(*view.watermark_us) : "-",
      EventTime(view)};
}

// Prints the rows of `get`; the exit code.
int PrintRows(const Arguments& arguments, const DynamicRows& rows,
              const std::vector<std::string>& keys,
              const std::vector<std::optional<std::string>>& found) {
  int exit_code = kExitOk;
  std::vector<std::vector<std::string>> table;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].has_value()) {
      exit_code = kExitNegative;
      const auto key = rows.KeyJson(keys[i]);
      const std::string text = key.ok() ? *key : "?";
      if (WantsJson(arguments)) {
        std::cout << "{\"key\":" << text << ",\"row\":null}\n";
      } else {
        PrintError("no row with key " + text);
      }
      continue;
    }
    if (WantsJson(arguments)) {
      const auto line = RowLine(rows, *found[i]);
      if (!line.ok()) return ReportFailure(arguments, line.status());
      std::cout << *line;
      continue;
    }
    auto cells = rows.RowCells(*found[i]);
    if (!cells.ok()) return ReportFailure(arguments, cells.status());
    table.push_back(*std::move(cells));
  }
  if (!WantsJson(arguments) && !table.empty()) {
    std::cout << FormatTable(rows.columns(), table);
  }
  return exit_code;
}

}  // namespace

int RunViews(const Arguments& arguments) {
  const auto views = MakeClient(arguments)->List();
  if (!views.ok()) return ReportFailure(arguments, views.status());
  std::vector<std::vector<std::string>> table;
  for (const ViewDescription& view : *views) {
    if (WantsJson(arguments)) {
      std::cout << ViewLine(view);
    } else {
      table.push_back(ViewCells(view));
    }
  }
  if (!WantsJson(arguments)) {
    std::cout << FormatTable({"view", "key", "pipeline", "rows (about)",
                              "position", "watermark", "event time"},
                             table);
  }
  return kExitOk;
}

int RunGet(const Arguments& arguments) {
  const std::string& view = arguments.words()[0];
  const auto client = MakeClient(arguments);
  const auto rows = DescribeRows(client.get(), view);
  if (!rows.ok()) return ReportFailure(arguments, rows.status());
  const auto keys =
      ParseKeys(**rows, std::vector<std::string>(arguments.words().begin() + 1,
                                                 arguments.words().end()));
  if (!keys.ok()) return ReportFailure(arguments, keys.status());
  const auto found = client->Get(view, *keys);
  if (!found.ok()) return ReportFailure(arguments, found.status());
  return PrintRows(arguments, **rows, *keys, *found);
}

int RunScan(const Arguments& arguments) {
  const std::string& view = arguments.words()[0];
  const auto client = MakeClient(arguments);
  const auto rows = DescribeRows(client.get(), view);
  if (!rows.ok()) return ReportFailure(arguments, rows.status());
  const int64_t limit = arguments.number("limit");
  const bool json = WantsJson(arguments);
  std::vector<std::vector<std::string>> table;
  bool printed = false;
  const auto flush = [&] {
    std::cout << FormatTable((*rows)->columns(), table);
    table.clear();
    printed = true;
  };
  int64_t count = 0;
  absl::Status bad;
  const auto take = [&](const std::string& row) {
    if (json) {
      const auto line = RowLine(**rows, row);
      bad = line.status();
      if (line.ok()) std::cout << *line;
    } else {
      auto cells = (*rows)->RowCells(row);
      bad = cells.status();
      if (cells.ok()) table.push_back(*std::move(cells));
      if (table.size() >= kMaxTableRows) flush();
    }
    ++count;
    return bad.ok() && (limit == 0 || count < limit) && std::cout.good();
  };
  const auto page =
      limit == 0
          ? kScanPageRows
          : static_cast<uint32_t>(std::min<int64_t>(limit, kScanPageRows));
  const auto position = client->Scan(view, page, take);
  if (!position.ok()) return ReportFailure(arguments, position.status());
  if (!bad.ok()) return ReportFailure(arguments, bad);
  if (!json && (!table.empty() || !printed)) flush();
  std::cout << std::flush;
  return kExitOk;
}

}  // namespace tidegate
