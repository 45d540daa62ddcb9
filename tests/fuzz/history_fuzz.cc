// A recorded history: lines of `tidegate watch --format json`, and of `scan`.
#include <map>

#include "clients/history/checker.h"
#include "clients/history/history.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::FuzzInput input(data, size);
  tidegate::StateBook book;
  tidegate::Checker checker("history", &book);
  std::map<std::string, std::string> rows;
  for (int number = 1; !input.empty(); ++number) {
    const absl::string_view line = input.Until('\n');
    checker.AddLine(line, number);
    auto row = tidegate::ParseRowLine(line);
    if (!row.ok()) continue;
    // Canonical text stays as it is.
    const std::string again =
        absl::StrCat("{\"key\":", row->first, ",\"row\":", row->second, "}");
    const auto same = tidegate::ParseRowLine(again);
    FUZZ_EXPECT(same.ok() && *same == *row, again, ": ",
                same.status().ToString());
    rows.insert(*std::move(row));
  }
  checker.CompareFinal(rows);
  FUZZ_EXPECT(
      checker.violations().size() <= tidegate::Checker::kMaxViolationTexts,
      checker.violations().size());
  return 0;
}
