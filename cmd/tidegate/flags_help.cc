// The texts of --help.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cmd/tidegate/flags.h"

namespace tidegate {
namespace {

constexpr size_t kHelpColumn = 30;

std::string Padded(std::string left, absl::string_view right) {
  if (left.size() + 2 > kHelpColumn) {
    return absl::StrCat(left, "\n", std::string(kHelpColumn, ' '), right, "\n");
  }
  left.resize(kHelpColumn, ' ');
  return absl::StrCat(left, right, "\n");
}

std::string FlagHelp(const Flag& flag) {
  std::string left = absl::StrCat("  --", flag.name);
  std::string value = flag.value_name;
  if (flag.type == FlagType::kChoice) value = absl::StrJoin(flag.choices, "|");
  if (flag.type == FlagType::kDuration && value.empty()) value = "DURATION";
  if (flag.type == FlagType::kBytes && value.empty()) value = "SIZE";
  if (!value.empty()) absl::StrAppend(&left, " ", value);
  std::string right = flag.help;
  if (flag.required) absl::StrAppend(&right, " (required)");
  if (flag.repeated) absl::StrAppend(&right, " (may be repeated)");
  if (!flag.default_value.empty() && flag.type != FlagType::kSwitch) {
    absl::StrAppend(&right, " [", flag.default_value, "]");
  }
  return Padded(std::move(left), right);
}

constexpr absl::string_view kExitCodes =
    "Exit codes:\n"
    "  0   done\n"
    "  1   the answer is no (a views file with errors, a key without a row,\n"
    "      violations found), or a failure while running\n"
    "  2   wrong usage: an unknown flag, word or value\n"
    "  69  the server cannot be reached, or an address cannot be bound\n"
    "  75  serve: every pipeline has stopped at its start (a topic is "
    "missing,\n"
    "      a rebuild was refused); the log says why\n"
    "  78  serve: the data directory was built from other definitions\n";

}  // namespace

std::string CommandHelp(const Command& command) {
  std::string text = absl::StrCat("usage: tidegate ", command.name);
  if (!command.arguments.empty())
    absl::StrAppend(&text, " ", command.arguments);
  absl::StrAppend(&text, " [FLAGS]\n\n", command.summary, "\n\nFlags:\n");
  for (const Flag& flag : command.flags) {
    absl::StrAppend(&text, FlagHelp(flag));
  }
  absl::StrAppend(&text,
                  Padded("  --config FILE",
                         "lines of `flag = value`; also "
                         "TIDEGATE_CONFIG"),
                  Padded("  --help", "this text"));
  if (!command.notes.empty()) absl::StrAppend(&text, "\n", command.notes);
  absl::StrAppend(&text,
                  "\nEvery flag may also be given as TIDEGATE_<FLAG> in the "
                  "environment\n(data-dir: TIDEGATE_DATA_DIR). The command "
                  "line wins over the environment,\nand the environment over "
                  "the file.\n\n",
                  kExitCodes);
  return text;
}

std::string OverallHelp(absl::Span<const Command> commands) {
  std::string text =
      "usage: tidegate COMMAND [ARGUMENTS] [FLAGS]\n\n"
      "Materialized views of Kafka topics, streamed over gRPC.\n\nCommands:\n";
  for (const Command& command : commands) {
    if (command.hidden) continue;
    std::string left = absl::StrCat("  ", command.name);
    if (!command.arguments.empty()) {
      absl::StrAppend(&left, " ", command.arguments);
    }
    absl::StrAppend(&text, Padded(std::move(left), command.summary));
  }
  absl::StrAppend(&text, "\n`tidegate COMMAND --help` tells more.\n\n",
                  kExitCodes);
  return text;
}

}  // namespace tidegate
