// The command line, the environment and the configuration file as one set of
// typed values. Pure.
#ifndef TIDEGATE_CMD_TIDEGATE_FLAGS_H_
#define TIDEGATE_CMD_TIDEGATE_FLAGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace tidegate {

// Exit codes of every command; `tidegate help` prints them.
enum ExitCode : int {
  kExitOk = 0,
  kExitNegative = 1,      // an answer of "no", or a failure while running
  kExitUsage = 2,         // unknown flag, word or value
  kExitUnavailable = 69,  // the server or a port cannot be reached or bound
  kExitAllStopped = 75,   // serve: every pipeline has stopped at its start
  kExitOtherData = 78,    // serve: the data belong to other definitions
};

enum class FlagType : uint8_t {
  kText,
  kInt,       // a whole number, not negative
  kSwitch,    // --flag, --flag=true, --flag=false
  kDuration,  // "250ms", "10s", "5m", "2h", "7d"; held in milliseconds
  kBytes,     // "4096", "64MiB", "1GiB"; also KB and so on, both by 1024
  kAddress,   // HOST:PORT
  kChoice,    // one of `choices`
};

struct Flag {
  std::string name;  // without dashes
  FlagType type = FlagType::kText;
  std::string value_name;  // "FILE"; for --help
  std::string help;
  std::string default_value;  // empty: none
  bool required = false;
  bool repeated = false;  // in the environment and files: separated by ';'
  std::vector<std::string> choices;
};

struct Command {
  std::string name;
  std::string arguments;  // "VIEW KEY..."; for --help
  std::string summary;    // one line
  int min_arguments = 0;
  int max_arguments = 0;  // -1: any number
  std::vector<Flag> flags;
  std::string notes;  // printed after the flags
  bool hidden = false;
};

// What a command was called with. A flag that the command does not have is our
// own mistake (CHECK).
class Arguments {
 public:
  explicit Arguments(const Command* command) : command_(command) {}

  const std::vector<std::string>& words() const { return words_; }
  bool help() const { return help_; }
  bool has(absl::string_view flag) const;  // given anywhere, or has a default
  std::string text(absl::string_view flag) const;  // "" if not given
  int64_t number(absl::string_view flag) const;    // kInt, kDuration, kBytes
  bool is_set(absl::string_view flag) const;       // kSwitch
  std::vector<std::string> list(absl::string_view flag) const;

 private:
  friend class ArgumentParser;
  const Command* command_;
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  bool help_ = false;
};

// Where flags come from beside the command line.
struct FlagSources {
  // The environment: nullopt if there is no such variable.
  std::function<std::optional<std::string>(const std::string&)> environment;
  // A file's content.
  std::function<absl::StatusOr<std::string>(const std::string&)> read_file;
};

// Every command also takes --config FILE and --help. `words` come after the
// command's name. Command line over environment (TIDEGATE_<FLAG>) over file
// (`flag = value` lines, # comments; flags of other commands are skipped) over
// default. InvalidArgument says what is wrong and what may have been meant.
absl::StatusOr<Arguments> ParseArguments(absl::Span<const Command> commands,
                                         const Command& command,
                                         const std::vector<std::string>& words,
                                         const FlagSources& sources);

// The command of that name; InvalidArgument with a suggestion.
absl::StatusOr<const Command*> FindCommand(absl::Span<const Command> commands,
                                           absl::string_view name);

// The text of --help, for one command and for all.
std::string CommandHelp(const Command& command);
std::string OverallHelp(absl::Span<const Command> commands);

// "TIDEGATE_DATA_DIR" for "data-dir".
std::string EnvironmentName(absl::string_view flag);
// Milliseconds and bytes of kDuration's and kBytes' texts.
absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text);
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);
// "HOST:PORT" with a port of 0 to 65535; HOST may be "[::1]" or empty.
absl::Status CheckAddress(absl::string_view text);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FLAGS_H_
