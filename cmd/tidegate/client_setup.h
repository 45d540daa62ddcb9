// What the client commands share.
#ifndef TIDEGATE_CMD_TIDEGATE_CLIENT_SETUP_H_
#define TIDEGATE_CMD_TIDEGATE_CLIENT_SETUP_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/dynamic_rows.h"
#include "cmd/tidegate/flags.h"

namespace tidegate {

absl::StatusOr<std::vector<std::string>> ParseKeys(
    const client::DynamicRows& rows, const std::vector<std::string>& texts);

// What --key-prefix says, as a <View>Key; it names one key column at least.
absl::StatusOr<std::string> ParseKeyPrefix(const client::DynamicRows& rows,
                                           const std::string& text);

// Prints one line that says what went wrong; the exit code for it.
int ReportFailure(const Arguments& arguments, const absl::Status& status);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_CLIENT_SETUP_H_
