// watch: the rows, then every change.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "clients/cpp/subscriber.h"
#include "clients/cpp/view_client.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/signals.h"
#include "cmd/tidegate/table.h"
#include "cmd/tidegate/watch_lines.h"

namespace tidegate {
namespace {

using client::Change;
using client::DynamicRows;
using client::Event;
using client::Subscriber;

// How a watch shows what it is told. Thread-compatible.
class Screen {
 public:
  virtual ~Screen() = default;
  virtual absl::Status Show(const Event& event) = 0;
};

class JsonScreen : public Screen {
 public:
  explicit JsonScreen(WatchLines lines) : lines_(std::move(lines)) {}
  absl::Status Show(const Event& event) override {
    std::string text;
    RETURN_IF_ERROR(lines_.Append(event, &text));
    std::cout << text << std::flush;
    return absl::OkStatus();
  }

 private:
  const WatchLines lines_;
};

// Changes as lines that are appended: for a file, or another program.
class LineScreen : public Screen {
 public:
  explicit LineScreen(const DynamicRows* rows) : rows_(rows) {}
  absl::Status Show(const Event& event) override {
    for (const Change& change : event.changes) {
      PrintHeader(change.finality != client::Finality::kNone);
      const bool upsert = change.kind == Change::Kind::kUpsert;
      ASSIGN_OR_RETURN(std::vector<std::string> cells,
                       upsert ? rows_->RowCells(change.bytes)
                              : rows_->KeyCells(change.bytes));
      if (change.finality != client::Finality::kNone) {
        cells.emplace_back(client::FinalityName(change.finality));
      }
      std::cout << (upsert ? "upsert   " : "deleted  ")
                << absl::StrJoin(cells, "  ") << "\n";
    }
    if (event.kind == Event::Kind::kReset) {
      std::cout << "reset    " << event.cause << " " << event.detail << "\n";
    } else if (event.kind == Event::Kind::kSnapshotEnd) {
      PrintHeader(false);
      std::cout << "-- the rows above are all; changes follow\n";
    }
    std::cout << std::flush;
    return absl::OkStatus();
  }

 private:
  // Once, with the first row: it shows whether the view has windows.
  void PrintHeader(bool finality) {
    if (header_) return;
    header_ = true;
    std::cout << "op       " << absl::StrJoin(rows_->columns(), "  ")
              << (finality ? "  finality" : "") << "\n";
  }

  const DynamicRows* const rows_;
  bool header_ = false;
};

// A table that is drawn anew in place; rows that just changed stand out.
class TableScreen : public Screen {
 public:
  TableScreen(std::string view, const DynamicRows* rows)
      : view_(std::move(view)), rows_(rows) {}

  absl::Status Show(const Event& event) override {
    const bool forget =
        event.kind == Event::Kind::kReset ||
        (event.kind == Event::Kind::kConnected && event.token.empty());
    if (forget) held_.clear();
    if (event.watermark_us.has_value()) {
      watermark_ = "  watermark " + FormatTimestamp(*event.watermark_us);
    }
    for (const Change& change : event.changes) RETURN_IF_ERROR(Apply(change));
    if (event.kind == Event::Kind::kDisconnected) {
      status_ = "disconnected: " + event.detail;
    } else if (event.kind == Event::Kind::kReset) {
      status_ = "reset: " + event.cause;
    } else if (event.kind != Event::Kind::kSnapshot) {
      status_ = "live";
    }
    if (event.kind != Event::Kind::kSnapshot) Draw();
    return absl::OkStatus();
  }

 private:
  absl::Status Apply(const Change& change) {
    const bool upsert = change.kind == Change::Kind::kUpsert;
    ASSIGN_OR_RETURN(const std::string key,
                     upsert ? rows_->KeyJsonOfRow(change.bytes)
                            : rows_->KeyJson(change.bytes));
    ++changes_;
    if (!upsert) {
      held_.erase(key);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(held_[key], rows_->RowCells(change.bytes));
    if (change.finality != client::Finality::kNone) {
      has_finality_ = true;
      held_[key].emplace_back(client::FinalityName(change.finality));
    }
    return absl::OkStatus();
  }

  void Draw() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 6) {
      size.ws_row = 24;
      size.ws_col = 80;
    }
    std::vector<std::vector<std::string>> shown;
    for (const auto& [key, cells] : held_) {
      if (shown.size() + 5 >= size.ws_row) break;
      shown.push_back(cells);
    }
    std::vector<std::string> header = rows_->columns();
    if (has_finality_) header.emplace_back("finality");
    std::cout << "\x1b[H\x1b[2J" << view_ << "  " << held_.size() << " rows, "
              << changes_ << " changes, " << status_ << watermark_ << "\n\n"
              << FormatTable(header, shown, size.ws_col) << std::flush;
  }

  const std::string view_;
  const DynamicRows* const rows_;
  // Ordered by the key's text.
  std::map<std::string, std::vector<std::string>> held_;
  int64_t changes_ = 0;
  std::string status_ = "connecting";
  std::string watermark_;  // of the last message that had one
  bool has_finality_ = false;
};

std::unique_ptr<Screen> MakeScreen(const Arguments& arguments,
                                   const DynamicRows* rows,
                                   const std::vector<std::string>& keys) {
  const std::string& view = arguments.words()[0];
  if (arguments.text("format") == "json") {
    return std::make_unique<JsonScreen>(WatchLines(view, rows, keys));
  }
  if (isatty(STDOUT_FILENO)) return std::make_unique<TableScreen>(view, rows);
  return std::make_unique<LineScreen>(rows);
}

absl::StatusOr<client::SubscriberOptions> MakeOptions(
    const Arguments& arguments) {
  client::SubscriberOptions options;
  options.server = arguments.text("server");
  options.view = arguments.words()[0];
  options.seed = std::random_device()();
  if (!absl::Base64Unescape(arguments.text("resume"), &options.resume_token)) {
    return absl::InvalidArgumentError("--resume: not a token of watch");
  }
  return options;
}

}  // namespace

int RunWatch(const Arguments& arguments) {
  BlockStopSignals();
  auto options = MakeOptions(arguments);
  if (!options.ok()) return ReportFailure(arguments, options.status());
  const auto client =
      client::ViewClient::Create(options->server, arguments.number("timeout"));
  const auto rows = DescribeRows(client.get(), options->view);
  if (!rows.ok()) return ReportFailure(arguments, rows.status());
  auto keys = ParseKeys(**rows, arguments.list("key"));
  if (!keys.ok()) return ReportFailure(arguments, keys.status());
  options->keys = *keys;
  const auto screen = MakeScreen(arguments, rows->get(), *keys);
  const bool once = arguments.is_set("until-snapshot-end");

  const auto subscriber = Subscriber::Create(*options);
  SignalThread signals([&subscriber](int) { subscriber->Stop(); });
  absl::Status shown;
  const absl::Status status = subscriber->Run([&](const Event& event) {
    if (event.kind == Event::Kind::kDisconnected) {
      PrintError(absl::StrCat("lost ", options->server, ": ", event.detail,
                              "; again in ", event.retry_after_ms, " ms"));
    }
    shown = screen->Show(event);
    return shown.ok() && std::cout.good() &&
           !(once && event.kind == Event::Kind::kSnapshotEnd);
  });
  if (!shown.ok()) return ReportFailure(arguments, shown);
  if (!status.ok()) return ReportFailure(arguments, status);
  return kExitOk;
}

}  // namespace tidegate
