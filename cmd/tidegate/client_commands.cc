// views, get, scan and proto.
#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "clients/cpp/view_client.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/proto_text.h"
#include "cmd/tidegate/table.h"
#include "cmd/tidegate/view_lines.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::DynamicRows;
using client::FoundRow;
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

// Rows of a table, with a column for finality where there is any.
class RowTable {
 public:
  explicit RowTable(const DynamicRows* rows) : rows_(rows) {}
  absl::Status Add(const FoundRow& row) {
    ASSIGN_OR_RETURN(std::vector<std::string> cells, rows_->RowCells(row.row));
    if (row.finality != client::Finality::kNone) has_finality_ = true;
    cells.emplace_back(client::FinalityName(row.finality));
    cells_.push_back(std::move(cells));
    return absl::OkStatus();
  }
  size_t size() const { return cells_.size(); }
  // The text; the table is empty again.
  std::string Take() {
    std::vector<std::string> header = rows_->columns();
    if (has_finality_) header.emplace_back("finality");
    std::string text = FormatTable(header, cells_);
    cells_.clear();
    return text;
  }

 private:
  const DynamicRows* const rows_;
  std::vector<std::vector<std::string>> cells_;
  bool has_finality_ = false;
};

// Prints the rows of `get`; the exit code.
int PrintRows(const Arguments& arguments, const DynamicRows& rows,
              const std::vector<std::string>& keys,
              const std::vector<std::optional<FoundRow>>& found) {
  int exit_code = kExitOk;
  RowTable table(&rows);
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
      const auto line = RowLine(rows, found[i]->row, found[i]->finality);
      if (!line.ok()) return ReportFailure(arguments, line.status());
      std::cout << *line;
      continue;
    }
    const absl::Status added = table.Add(*found[i]);
    if (!added.ok()) return ReportFailure(arguments, added);
  }
  if (!WantsJson(arguments) && table.size() > 0) std::cout << table.Take();
  return exit_code;
}

absl::StatusOr<client::ScanOptions> MakeScanOptions(const Arguments& arguments,
                                                    const DynamicRows& rows) {
  client::ScanOptions options;
  const int64_t limit = arguments.number("limit");
  options.page_size =
      limit == 0
          ? kScanPageRows
          : static_cast<uint32_t>(std::min<int64_t>(limit, kScanPageRows));
  options.where = arguments.text("where");
  if (!arguments.has("key-prefix")) return options;
  ASSIGN_OR_RETURN(options.key_prefix,
                   ParseKeyPrefix(rows, arguments.text("key-prefix")));
  return options;
}

}  // namespace

int RunViews(const Arguments& arguments) {
  const auto views = MakeClient(arguments)->List();
  if (!views.ok()) return ReportFailure(arguments, views.status());
  const ProcessingTime now = Clock::System()->Now();
  std::vector<std::vector<std::string>> table;
  for (const ViewDescription& view : *views) {
    if (WantsJson(arguments)) {
      std::cout << ViewLine(view, now);
    } else {
      table.push_back(ViewCells(view, now));
    }
  }
  if (!WantsJson(arguments)) std::cout << FormatTable(ViewHeader(), table);
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
  const auto options = MakeScanOptions(arguments, **rows);
  if (!options.ok()) return ReportFailure(arguments, options.status());
  const int64_t limit = arguments.number("limit");
  const bool json = WantsJson(arguments);
  RowTable table(rows->get());
  bool printed = false;
  const auto flush = [&] {
    std::cout << table.Take();
    printed = true;
  };
  int64_t count = 0;
  absl::Status bad;
  const auto take = [&](const FoundRow& row) {
    if (json) {
      const auto line = RowLine(**rows, row.row, row.finality);
      bad = line.status();
      if (line.ok()) std::cout << *line;
    } else {
      bad = table.Add(row);
      if (table.size() >= kMaxTableRows) flush();
    }
    ++count;
    return bad.ok() && (limit == 0 || count < limit) && std::cout.good();
  };
  const auto position = client->Scan(view, *options, take);
  if (!position.ok()) return ReportFailure(arguments, position.status());
  if (!bad.ok()) return ReportFailure(arguments, bad);
  if (!json && (table.size() > 0 || !printed)) flush();
  std::cout << std::flush;
  return kExitOk;
}

int RunProto(const Arguments& arguments) {
  const auto client = MakeClient(arguments);
  std::vector<std::string> names = arguments.words();
  if (names.empty()) {
    const auto views = client->List();
    if (!views.ok()) return ReportFailure(arguments, views.status());
    for (const ViewDescription& view : *views) names.push_back(view.name);
  }
  if (names.empty()) {
    return ReportFailure(arguments,
                         absl::NotFoundError("the server has no views"));
  }
  std::vector<ViewDescription> views;
  for (const std::string& name : names) {
    auto view = client->Describe(name);
    if (!view.ok()) return ReportFailure(arguments, view.status());
    views.push_back(*std::move(view));
  }
  const auto text = ProtoText(views);
  if (!text.ok()) return ReportFailure(arguments, text.status());
  std::cout << *text << std::flush;
  return kExitOk;
}

}  // namespace tidegate
