#include "ingest/loop/replay_target.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tidegate {

std::string FormatReplayTarget(const std::vector<Diverted>& diverted) {
  std::string text;
  for (const Diverted& one : diverted) {
    absl::StrAppend(&text, text.empty() ? "" : ",", one.view);
    char before = '@';
    for (const EventTime window : one.windows) {
      absl::StrAppend(&text, absl::string_view(&before, 1), window.value());
      before = '/';
    }
  }
  return text;
}

absl::StatusOr<ReplayTarget> ParseReplayTarget(absl::string_view text) {
  ReplayTarget target;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(part, absl::MaxSplits('@', 1));
    const absl::string_view view = absl::StripAsciiWhitespace(halves.first);
    if (view.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a view without a name: ", text));
    }
    const bool named_windows = part.find('@') != absl::string_view::npos;
    const auto [entry, added] = target.try_emplace(std::string(view));
    if (!added) {
      return absl::InvalidArgumentError(
          absl::StrCat("a view is named twice: ", view));
    }
    if (!named_windows) continue;
    for (const absl::string_view window : absl::StrSplit(halves.second, '/')) {
      int64_t start_us = 0;
      if (!absl::SimpleAtoi(window, &start_us)) {
        return absl::InvalidArgumentError(
            absl::StrCat("not a window's start in microseconds: view=", view,
                         " start=", window));
      }
      entry->second.push_back(EventTime(start_us));
    }
  }
  return target;
}

}  // namespace tidegate
