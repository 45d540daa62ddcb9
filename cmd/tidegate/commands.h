// Every subcommand: its flags and what runs it. To add one, add it to
// AllCommands() and RunCommand().
#ifndef TIDEGATE_CMD_TIDEGATE_COMMANDS_H_
#define TIDEGATE_CMD_TIDEGATE_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cmd/tidegate/flags.h"

namespace tidegate {

// In the order of the help text.
const std::vector<Command>& AllCommands();

// Each returns an ExitCode.
int RunServe(const Arguments& arguments);
int RunDemo(const Arguments& arguments);
int RunDemoClient(const Arguments& arguments);
int RunCheck(const Arguments& arguments);
int RunViews(const Arguments& arguments);
int RunGet(const Arguments& arguments);
int RunScan(const Arguments& arguments);
int RunProto(const Arguments& arguments);
int RunWatch(const Arguments& arguments);
int RunReplay(const Arguments& arguments);
int RunBench(const Arguments& arguments);

// "tidegate: MESSAGE" on standard error.
void PrintError(absl::string_view message);
absl::StatusOr<std::string> ReadFile(const std::string& path);

inline constexpr char kVersion[] = "0.1.0";

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_COMMANDS_H_
