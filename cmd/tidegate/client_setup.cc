#include "cmd/tidegate/client_setup.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cmd/tidegate/commands.h"

namespace tidegate {

absl::StatusOr<std::vector<std::string>> ParseKeys(
    const client::DynamicRows& rows, const std::vector<std::string>& texts) {
  std::vector<std::string> keys;
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(std::string key, rows.ParseKey(text));
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::StatusOr<std::string> ParseKeyPrefix(const client::DynamicRows& rows,
                                           const std::string& text) {
  ASSIGN_OR_RETURN(std::string prefix, rows.ParseKey(text));
  if (!prefix.empty()) return prefix;
  return absl::InvalidArgumentError("--key-prefix: names no key column");
}

int ReportFailure(const Arguments& arguments, const absl::Status& status) {
  const std::string server = arguments.text("server");
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      PrintError(
          absl::StrCat("no answer from ", server, ": ", status.message()));
      return kExitUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
      PrintError(absl::StrCat("no answer from ", server,
                              " in time: ", status.message()));
      return kExitUnavailable;
    case absl::StatusCode::kInvalidArgument:
      PrintError(status.message());
      return kExitUsage;
    default:
      PrintError(status.message());
      return kExitNegative;
  }
}

}  // namespace tidegate
