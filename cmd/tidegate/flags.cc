#include "cmd/tidegate/flags.h"

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace tidegate {
namespace {

const Flag* FindFlag(const Command& command, absl::string_view name) {
  for (const Flag& flag : command.flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

std::vector<std::string> FlagNames(const Command& command) {
  std::vector<std::string> names = {"config", "help"};
  for (const Flag& flag : command.flags) names.push_back(flag.name);
  return names;
}

struct Unit {
  absl::string_view suffix;
  int64_t factor;
};

// "12ms" with one of `units`; `what` names the kind for the message.
absl::StatusOr<int64_t> ParseWithUnit(absl::string_view text,
                                      absl::Span<const Unit> units,
                                      absl::string_view what) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  const absl::string_view suffix =
      absl::StripAsciiWhitespace(text.substr(digits));
  int64_t value = 0;
  if (absl::SimpleAtoi(text.substr(0, digits), &value)) {
    for (const Unit& unit : units) {
      if (!absl::EqualsIgnoreCase(unit.suffix, suffix)) continue;
      if (value > std::numeric_limits<int64_t>::max() / unit.factor) break;
      return value * unit.factor;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not ", what, ": \"", text, "\""));
}

absl::Status CheckValue(const Flag& flag, const std::string& value) {
  switch (flag.type) {
    case FlagType::kText:
      return absl::OkStatus();
    case FlagType::kInt: {
      int64_t number = 0;
      if (absl::SimpleAtoi(value, &number) && number >= 0) {
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError(
          absl::StrCat("not a whole number: \"", value, "\""));
    }
    case FlagType::kSwitch: {
      bool on = false;
      if (absl::SimpleAtob(value, &on)) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("not true or false: \"", value, "\""));
    }
    case FlagType::kDuration:
      return ParseDurationMs(value).status();
    case FlagType::kBytes:
      return ParseBytes(value).status();
    case FlagType::kAddress:
      return CheckAddress(value);
    case FlagType::kChoice:
      for (const std::string& choice : flag.choices) {
        if (value == choice) return absl::OkStatus();
      }
      return absl::InvalidArgumentError(
          absl::StrCat("not one of ", absl::StrJoin(flag.choices, ", "), ": \"",
                       value, "\"", DidYouMean(value, flag.choices)));
  }
  return absl::OkStatus();
}

}  // namespace

bool Arguments::has(absl::string_view flag) const {
  return values_.find(flag) != values_.end();
}

std::string Arguments::text(absl::string_view flag) const {
  const auto it = values_.find(flag);
  return it == values_.end() ? "" : it->second.back();
}

int64_t Arguments::number(absl::string_view flag) const {
  const Flag* known = FindFlag(*command_, flag);
  if (known == nullptr) {
    std::fprintf(stderr, "no such flag: %s\n", std::string(flag).c_str());
    std::abort();
  }
  const std::string value = text(flag);
  int64_t number = 0;
  if (value.empty()) return 0;
  if (known->type == FlagType::kDuration) return *ParseDurationMs(value);
  if (known->type == FlagType::kBytes) return *ParseBytes(value);
  (void)absl::SimpleAtoi(value, &number);  // has been checked
  return number;
}

bool Arguments::is_set(absl::string_view flag) const {
  bool on = false;
  return absl::SimpleAtob(text(flag), &on) && on;
}

std::vector<std::string> Arguments::list(absl::string_view flag) const {
  const auto it = values_.find(flag);
  return it == values_.end() ? std::vector<std::string>() : it->second;
}

// Gathers values from the strongest source to the weakest.
class ArgumentParser {
 public:
  ArgumentParser(absl::Span<const Command> commands, const Command& command)
      : commands_(commands), command_(command), arguments_(&command) {}

  absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words,
                                  const FlagSources& sources) {
    RETURN_IF_ERROR(TakeWords(words));
    if (arguments_.help_) return arguments_;
    RETURN_IF_ERROR(CheckWordCount());
    RETURN_IF_ERROR(TakeEnvironment(sources));
    RETURN_IF_ERROR(TakeFile(sources));
    for (const Flag& flag : command_.flags) {
      auto& values = arguments_.values_;
      if (values.find(flag.name) != values.end()) continue;
      if (!flag.default_value.empty()) {
        values[flag.name] = {flag.default_value};
      } else if (flag.required) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", flag.name, " is missing (or ",
                         EnvironmentName(flag.name), ")"));
      }
    }
    return arguments_;
  }

 private:
  absl::Status TakeWords(const std::vector<std::string>& words);
  // Handles the flag at words[*i]; moves *i past a value of its own.
  absl::Status TakeFlag(const std::vector<std::string>& words, size_t* i);
  absl::Status CheckWordCount();
  absl::Status TakeEnvironment(const FlagSources& sources);
  absl::Status TakeFile(const FlagSources& sources);
  absl::Status TakeLine(absl::string_view line);
  // From the environment or the file: only if nothing stronger was given.
  absl::Status TakeWeaker(const Flag& flag, absl::string_view value,
                          absl::string_view where);
  bool AnyCommandHas(absl::string_view flag) const;

  const absl::Span<const Command> commands_;
  const Command& command_;
  Arguments arguments_;
  std::string config_file_;
};

absl::Status ArgumentParser::TakeFlag(const std::vector<std::string>& words,
                                      size_t* i) {
  absl::string_view name = words[*i];
  name.remove_prefix(2);
  std::optional<std::string> value;
  if (const size_t equals = name.find('='); equals != name.npos) {
    value = std::string(name.substr(equals + 1));
    name = name.substr(0, equals);
  }
  if (name == "help") {
    arguments_.help_ = true;
    return absl::OkStatus();
  }
  const Flag* flag = FindFlag(command_, name);
  if (flag == nullptr && name != "config") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown flag \"--", name, "\"",
                     DidYouMean(name, FlagNames(command_))));
  }
  if (!value.has_value()) {
    if (flag != nullptr && flag->type == FlagType::kSwitch) {
      value = "true";
    } else if (*i + 1 < words.size()) {
      value = words[++*i];
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " needs a value"));
    }
  }
  if (flag == nullptr) {
    config_file_ = *value;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR_CTX(CheckValue(*flag, *value), absl::StrCat("--", name));
  std::vector<std::string>& values = arguments_.values_[flag->name];
  if (!flag->repeated) values.clear();
  values.push_back(*std::move(value));
  return absl::OkStatus();
}

absl::Status ArgumentParser::TakeWords(const std::vector<std::string>& words) {
  bool only_words = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_words || word.size() < 2 || word[0] != '-' ||
        absl::ascii_isdigit(word[1])) {
      arguments_.words_.push_back(word);
    } else if (word == "--") {
      only_words = true;
    } else if (word == "-h") {
      arguments_.help_ = true;
    } else if (word[1] != '-') {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag \"", word, "\", flags begin with --"));
    } else {
      RETURN_IF_ERROR(TakeFlag(words, &i));
    }
  }
  return absl::OkStatus();
}

absl::Status ArgumentParser::CheckWordCount() {
  const int count = static_cast<int>(arguments_.words_.size());
  if (count < command_.min_arguments) {
    return absl::InvalidArgumentError(
        absl::StrCat(command_.name, " needs ", command_.arguments));
  }
  if (command_.max_arguments >= 0 && count > command_.max_arguments) {
    return absl::InvalidArgumentError(absl::StrCat(
        "unexpected word \"", arguments_.words_[command_.max_arguments], "\""));
  }
  return absl::OkStatus();
}

absl::Status ArgumentParser::TakeWeaker(const Flag& flag,
                                        absl::string_view value,
                                        absl::string_view where) {
  auto& values = arguments_.values_;
  if (values.find(flag.name) != values.end()) return absl::OkStatus();
  std::vector<std::string> parts = {std::string(value)};
  if (flag.repeated) parts = absl::StrSplit(value, ';', absl::SkipWhitespace());
  for (std::string& part : parts) {
    absl::StripAsciiWhitespace(&part);
    RETURN_IF_ERROR_CTX(CheckValue(flag, part), where);
  }
  if (!parts.empty()) values[flag.name] = std::move(parts);
  return absl::OkStatus();
}

absl::Status ArgumentParser::TakeEnvironment(const FlagSources& sources) {
  if (!sources.environment) return absl::OkStatus();
  for (const Flag& flag : command_.flags) {
    const std::string name = EnvironmentName(flag.name);
    if (const auto value = sources.environment(name); value.has_value()) {
      RETURN_IF_ERROR(TakeWeaker(flag, *value, name));
    }
  }
  if (config_file_.empty()) {
    config_file_ = sources.environment("TIDEGATE_CONFIG").value_or("");
  }
  return absl::OkStatus();
}

bool ArgumentParser::AnyCommandHas(absl::string_view flag) const {
  for (const Command& command : commands_) {
    if (FindFlag(command, flag) != nullptr) return true;
  }
  return false;
}

absl::Status ArgumentParser::TakeLine(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits('=', 1));
  const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
  if (!absl::StrContains(line, '=')) {
    return absl::InvalidArgumentError(
        absl::StrCat("not of the form `flag = value`: \"", line, "\""));
  }
  const Flag* flag = FindFlag(command_, name);
  if (flag != nullptr) {
    return TakeWeaker(*flag, absl::StripAsciiWhitespace(parts.second), name);
  }
  if (AnyCommandHas(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown flag \"", name, "\"", DidYouMean(name, FlagNames(command_))));
}

absl::Status ArgumentParser::TakeFile(const FlagSources& sources) {
  if (config_file_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string content, sources.read_file(config_file_));
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    RETURN_IF_ERROR_CTX(TakeLine(line),
                        absl::StrCat(config_file_, ":", number));
  }
  return absl::OkStatus();
}

absl::StatusOr<Arguments> ParseArguments(absl::Span<const Command> commands,
                                         const Command& command,
                                         const std::vector<std::string>& words,
                                         const FlagSources& sources) {
  return ArgumentParser(commands, command).Parse(words, sources);
}

std::string EnvironmentName(absl::string_view flag) {
  return absl::StrCat("TIDEGATE_", absl::AsciiStrToUpper(absl::StrReplaceAll(
                                       flag, {{"-", "_"}, {".", "_"}})));
}

absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text) {
  static constexpr Unit kUnits[] = {{"ms", 1},        {"s", 1000},
                                    {"m", 60'000},    {"min", 60'000},
                                    {"h", 3'600'000}, {"d", 86'400'000}};
  return ParseWithUnit(text, kUnits, "a duration such as 250ms, 10s or 5m");
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  static constexpr Unit kUnits[] = {
      {"", 1},           {"b", 1},          {"kb", 1 << 10}, {"kib", 1 << 10},
      {"mb", 1 << 20},   {"mib", 1 << 20},  {"gb", 1 << 30}, {"gib", 1 << 30},
      {"tb", 1LL << 40}, {"tib", 1LL << 40}};
  return ParseWithUnit(text, kUnits, "a size such as 4096, 64MiB or 1GiB");
}

absl::Status CheckAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon != text.npos && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
      port >= 0 && port <= 65535) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not HOST:PORT: \"", text, "\""));
}

absl::StatusOr<const Command*> FindCommand(absl::Span<const Command> commands,
                                           absl::string_view name) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return &command;
    if (!command.hidden) names.push_back(command.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown command \"", name, "\"", DidYouMean(name, names)));
}

}  // namespace tidegate
