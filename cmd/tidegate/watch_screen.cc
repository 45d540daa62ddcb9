#include "cmd/tidegate/watch_screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "cmd/tidegate/table.h"

namespace tidegate {
namespace {

using client::Change;
using client::DynamicRows;
using client::Event;

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
  // Every line begins with `start`.
  LineScreen(std::string start, const DynamicRows* rows)
      : start_(std::move(start)), rows_(rows) {}
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
      std::cout << start_ << Op(change.kind) << absl::StrJoin(cells, "  ")
                << "\n";
    }
    if (event.kind == Event::Kind::kReset) {
      std::cout << start_ << "reset    " << event.cause << " " << event.detail
                << "\n";
    } else if (event.kind == Event::Kind::kSnapshotEnd) {
      PrintHeader(false);
      std::cout << start_ << "-- the rows above are all; changes follow\n";
    }
    std::cout << std::flush;
    return absl::OkStatus();
  }

 private:
  static const char* Op(Change::Kind kind) {
    if (kind == Change::Kind::kUpsert) return "upsert   ";
    return kind == Change::Kind::kDeleted ? "deleted  " : "left     ";
  }
  // Once, with the first row: it shows whether the view has windows.
  void PrintHeader(bool finality) {
    if (header_) return;
    header_ = true;
    std::cout << start_ << "op       " << absl::StrJoin(rows_->columns(), "  ")
              << (finality ? "  finality" : "") << "\n";
  }

  const std::string start_;
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

}  // namespace

std::unique_ptr<Screen> MakeScreen(WatchSubject subject,
                                   const DynamicRows* rows, bool json) {
  if (json) {
    return std::make_unique<JsonScreen>(WatchLines(std::move(subject), rows));
  }
  if (subject.one_of_several) {
    return std::make_unique<LineScreen>(absl::StrCat(subject.view, "  "), rows);
  }
  if (isatty(STDOUT_FILENO)) {
    return std::make_unique<TableScreen>(std::move(subject.view), rows);
  }
  return std::make_unique<LineScreen>("", rows);
}

}  // namespace tidegate
