#include "cmd/tidegate/watch_screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "clients/cpp/mirror.h"
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

// A table that is drawn anew in place: what the mirror holds, in the order of
// the keys.
class TableScreen : public Screen {
 public:
  TableScreen(std::string view, const DynamicRows* rows)
      : view_(std::move(view)), rows_(rows) {
    mirror_.SetOrder(rows->key_order());
  }

  absl::Status Show(const Event& event) override {
    std::vector<client::RowChange> changes;
    RETURN_IF_ERROR(mirror_.Apply(event, &changes));
    changes_ += static_cast<int64_t>(changes.size());
    if (event.kind == Event::Kind::kDisconnected) {
      status_ = "disconnected: " + event.detail;
    } else if (event.kind == Event::Kind::kReset) {
      status_ = "reset: " + event.cause;
    } else if (event.kind != Event::Kind::kSnapshot) {
      status_ = std::string(MirrorStateName(mirror_.state()));
    }
    return event.kind == Event::Kind::kSnapshot ? absl::OkStatus() : Draw();
  }

 private:
  absl::Status Draw() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 6) {
      size.ws_row = 24;
      size.ws_col = 80;
    }
    const client::MirrorSnapshot now = mirror_.Read();
    std::vector<std::vector<std::string>> shown;
    absl::Status bad;
    now.rows.ForEach([&](const client::RowRef& row) {
      if (shown.size() + 5 >= size.ws_row) return false;
      auto cells = rows_->RowCells(row->row);
      bad = cells.status();
      if (!cells.ok()) return false;
      if (row->finality != client::Finality::kNone) {
        has_finality_ = true;
        cells->emplace_back(client::FinalityName(row->finality));
      }
      shown.push_back(*std::move(cells));
      return true;
    });
    RETURN_IF_ERROR(bad);
    std::vector<std::string> header = rows_->columns();
    if (has_finality_) header.emplace_back("finality");
    std::cout << "\x1b[H\x1b[2J" << view_ << "  " << now.rows.size()
              << " rows, " << changes_ << " changes, " << status_;
    if (now.watermark_us.has_value()) {
      std::cout << "  watermark " << FormatTimestamp(*now.watermark_us);
    }
    std::cout << "\n\n"
              << FormatTable(header, shown, size.ws_col) << std::flush;
    return absl::OkStatus();
  }

  const std::string view_;
  const DynamicRows* const rows_;
  client::Mirror mirror_;
  int64_t changes_ = 0;
  std::string status_ = "connecting";
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
