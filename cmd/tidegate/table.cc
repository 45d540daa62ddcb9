#include "cmd/tidegate/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The first `width` code points.
absl::string_view Prefix(absl::string_view text, size_t width) {
  size_t end = 0;
  while (end < text.size()) {
    if (!IsContinuation(text[end]) && width-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

bool IsNumber(absl::string_view text) {
  double value = 0;
  return !text.empty() && !absl::ascii_isalpha(text[0]) &&
         absl::SimpleAtod(text, &value);
}

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string FitCell(absl::string_view text, size_t width) {
  const size_t have = DisplayWidth(text);
  std::string cell;
  if (have > width) {
    if (width == 0) return "";
    cell = absl::StrCat(Prefix(text, width - 1), "…");
  } else if (IsNumber(text)) {
    cell = absl::StrCat(std::string(width - have, ' '), text);
  } else {
    cell = absl::StrCat(text, std::string(width - have, ' '));
  }
  for (char& c : cell) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  return cell;
}

std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows,
                        size_t max_width) {
  std::vector<size_t> widths;
  for (size_t column = 0; column < header.size(); ++column) {
    size_t width = DisplayWidth(header[column]);
    for (const std::vector<std::string>& row : rows) {
      if (column < row.size()) {
        width = std::max(width, DisplayWidth(row[column]));
      }
    }
    widths.push_back(std::min(width, kMaxCellWidth));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t column = 0; column < widths.size(); ++column) {
      if (column > 0) text += "  ";
      text +=
          FitCell(column < cells.size() ? cells[column] : "", widths[column]);
    }
    if (max_width > 0) text = std::string(Prefix(text, max_width));
    absl::StripTrailingAsciiWhitespace(&text);
    return text + "\n";
  };
  std::vector<std::string> rule;
  rule.reserve(widths.size());
  for (const size_t width : widths) rule.push_back(std::string(width, '-'));
  std::string table = line(header) + line(rule);
  for (const std::vector<std::string>& row : rows) table += line(row);
  return table;
}

}  // namespace tidegate
