#include "cmd/tidegate/kafka_settings.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cmd/tidegate/commands.h"

namespace tidegate {
namespace {

absl::Status AddProperty(absl::string_view text,
                         std::map<std::string, std::string>* properties) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
  if (!absl::StrContains(text, '=') || name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not NAME=VALUE: \"", text, "\""));
  }
  (*properties)[std::string(name)] =
      std::string(absl::StripAsciiWhitespace(parts.second));
  return absl::OkStatus();
}

}  // namespace

std::vector<Flag> KafkaFlags() {
  return {{.name = "bootstrap-servers",
           .value_name = "HOST:PORT,...",
           .help = "Kafka",
           .required = true},
          {.name = "kafka-property",
           .value_name = "NAME=VALUE",
           .help = "any property of librdkafka",
           .repeated = true},
          {.name = "kafka.config",
           .value_name = "FILE",
           .help = "lines of NAME=VALUE for librdkafka"}};
}

absl::StatusOr<std::map<std::string, std::string>> KafkaSettings(
    const Arguments& arguments) {
  std::map<std::string, std::string> properties;
  if (const std::string file = arguments.text("kafka.config"); !file.empty()) {
    ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
    for (absl::string_view line : absl::StrSplit(content, '\n')) {
      line = absl::StripAsciiWhitespace(line);
      if (line.empty() || line[0] == '#') continue;
      RETURN_IF_ERROR_CTX(AddProperty(line, &properties), file);
    }
  }
  properties["bootstrap.servers"] = arguments.text("bootstrap-servers");
  for (const std::string& property : arguments.list("kafka-property")) {
    RETURN_IF_ERROR_CTX(AddProperty(property, &properties), "--kafka-property");
  }
  return properties;
}

}  // namespace tidegate
