#include "views/pipeline/definition_diff.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

// lengths[i][j]: the longest common subsequence of before[i..] and after[j..].
std::vector<std::vector<int>> CommonLengths(
    const std::vector<std::string>& before,
    const std::vector<std::string>& after) {
  std::vector<std::vector<int>> lengths(before.size() + 1,
                                        std::vector<int>(after.size() + 1, 0));
  for (size_t i = before.size(); i-- > 0;) {
    for (size_t j = after.size(); j-- > 0;) {
      lengths[i][j] = before[i] == after[j]
                          ? lengths[i + 1][j + 1] + 1
                          : std::max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}

std::vector<std::string> DiffLines(const std::vector<std::string>& before,
                                   const std::vector<std::string>& after) {
  std::vector<std::string> lines;
  if (before.size() > kMaxDiffParts || after.size() > kMaxDiffParts) {
    if (before != after) {
      lines.push_back(absl::StrCat("- ", before.size(), " parts"));
      lines.push_back(absl::StrCat("+ ", after.size(), " parts"));
    }
    return lines;
  }
  const auto lengths = CommonLengths(before, after);
  size_t i = 0;
  size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      ++i;
      ++j;
    } else if (j == after.size() ||
               (i < before.size() && lengths[i + 1][j] >= lengths[i][j + 1])) {
      lines.push_back(absl::StrCat("- ", before[i++]));
    } else {
      lines.push_back(absl::StrCat("+ ", after[j++]));
    }
  }
  return lines;
}

}  // namespace

std::vector<std::string> DefinitionParts(absl::string_view canonical) {
  std::vector<std::string> parts;
  std::string part;
  char quote = 0;
  const auto finish = [&] {
    const absl::string_view text = absl::StripAsciiWhitespace(part);
    if (!text.empty()) parts.emplace_back(text);
    part.clear();
  };
  for (const char c : canonical) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '\n' || c == ';' || c == ',') {
      if (c == ',') part.push_back(c);
      finish();
      continue;
    }
    part.push_back(c);
  }
  finish();
  return parts;
}

std::string DiffDefinitions(absl::string_view before, absl::string_view after,
                            absl::string_view indent) {
  const std::vector<std::string> lines =
      DiffLines(DefinitionParts(before), DefinitionParts(after));
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i == kMaxDiffLines) {
      absl::StrAppend(&out, indent, "… and ", lines.size() - i,
                      " more lines\n");
      break;
    }
    absl::StrAppend(&out, indent, lines[i], "\n");
  }
  return out;
}

}  // namespace tidegate
