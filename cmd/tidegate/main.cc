// tidegate: materialized views of Kafka topics, streamed over gRPC.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cmd/tidegate/commands.h"

namespace tidegate {

void PrintError(absl::string_view message) {
  std::cerr << absl::StrCat("tidegate: ", message, "\n") << std::flush;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in),
                      std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  return content;
}

namespace {

int Usage(const absl::Status& status, const std::string& help_for) {
  PrintError(status.message());
  std::cerr << "try `tidegate " << help_for << "`\n";
  return kExitUsage;
}

int RunHelp(const Arguments& arguments) {
  if (arguments.words().empty()) {
    std::cout << OverallHelp(AllCommands());
    return kExitOk;
  }
  const auto command = FindCommand(AllCommands(), arguments.words()[0]);
  if (!command.ok()) return Usage(command.status(), "help");
  std::cout << CommandHelp(**command);
  return kExitOk;
}

int RunCommand(const std::string& name, const Arguments& arguments) {
  if (name == "serve") return RunServe(arguments);
  if (name == "demo") return RunDemo(arguments);
  if (name == "demo-client") return RunDemoClient(arguments);
  if (name == "check") return RunCheck(arguments);
  if (name == "views") return RunViews(arguments);
  if (name == "get") return RunGet(arguments);
  if (name == "scan") return RunScan(arguments);
  if (name == "proto") return RunProto(arguments);
  if (name == "watch") return RunWatch(arguments);
  if (name == "replay") return RunReplay(arguments);
  if (name == "bench") return RunBench(arguments);
  if (name == "help") return RunHelp(arguments);
  std::cout << "tidegate " << kVersion << "\n";
  return kExitOk;
}

FlagSources ProcessSources() {
  FlagSources sources;
  sources.environment =
      [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  sources.read_file = ReadFile;
  return sources;
}

int Main(std::vector<std::string> words) {
  if (words.empty()) {
    std::cerr << OverallHelp(AllCommands());
    return kExitUsage;
  }
  if (words[0] == "--help" || words[0] == "-h") words[0] = "help";
  if (words[0] == "--version") words[0] = "version";
  const auto command = FindCommand(AllCommands(), words[0]);
  if (!command.ok()) return Usage(command.status(), "help");
  words.erase(words.begin());
  const auto arguments =
      ParseArguments(AllCommands(), **command, words, ProcessSources());
  if (!arguments.ok()) {
    return Usage(arguments.status(), (*command)->name + " --help");
  }
  if (arguments->help()) {
    std::cout << CommandHelp(**command);
    return kExitOk;
  }
  return RunCommand((*command)->name, *arguments);
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  return tidegate::Main(std::vector<std::string>(argv + 1, argv + argc));
}
