// Text tables for people. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_TABLE_H_
#define TIDEGATE_CMD_TIDEGATE_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

inline constexpr size_t kMaxCellWidth = 48;

// How many columns of a terminal `text` (UTF-8) takes, about: one per code
// point.
size_t DisplayWidth(absl::string_view text);

// `text` in exactly `width` columns: filled with spaces, on the left if it is
// a number, or cut off with an ellipsis. Control characters become spaces.
std::string FitCell(absl::string_view text, size_t width);

// A header, a rule and the rows, each line at most `max_width` columns (0: no
// limit). Rows may be shorter than the header.
std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows,
                        size_t max_width = 0);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_TABLE_H_
