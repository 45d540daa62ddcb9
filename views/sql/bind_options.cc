// WITH (…).
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/sql/binder.h"
#include "views/sql/literals.h"

namespace tidegate::sql {
namespace {

enum Where : int { kSource = 1, kTable = 2, kView = 4 };

struct KnownOption {
  absl::string_view name;
  int where;
  absl::string_view elsewhere = "";  // known, and does not belong in WITH
};

constexpr KnownOption kOptions[] = {
    {"topic", kSource | kTable},
    {"key", kSource},
    {"idle.timeout", kSource | kTable},
    {"dead.letter.topic", kSource | kTable},
    {"idle.advance", kSource | kTable},
    {"max.future.skew", kSource | kTable},
    {"pipeline", kView},
    {"retention", kView},
    {"allowed.lateness", kView},
    {"schema.registry", kSource | kTable,
     "write it behind ENCODE …: PROTOBUF (schema.registry = 'http://…')"},
    {"connector", kSource | kTable, "every source is a Kafka topic"},
};

absl::string_view WhereName(int where) {
  if ((where & kView) != 0) return "CREATE MATERIALIZED VIEW";
  return where == kSource ? "CREATE SOURCE" : "CREATE SOURCE and CREATE TABLE";
}

constexpr size_t kMaxTopicBytes = 249;

bool IsTopicName(absl::string_view text) {
  if (text.empty() || text.size() > kMaxTopicBytes) return false;
  if (text == "." || text == "..") return false;
  for (char c : text) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

bool IsPipelineName(absl::string_view text) {
  return IsTopicName(text) && text.size() <= kMaxNameBytes && text[0] != '.' &&
         text[0] != '-';
}

}  // namespace

const Option* FindOption(const std::vector<Option>& options,
                         absl::string_view key) {
  for (const Option& option : options) {
    if (option.key.text == key) return &option;
  }
  return nullptr;
}

bool Binder::CheckOption(const Statement& statement, const Option& option) {
  int here = statement.view.has_value()   ? kView
             : statement.source->is_table ? kTable
                                          : kSource;
  std::vector<std::string> names;
  for (const KnownOption& known : kOptions) {
    if (known.name == option.key.text) {
      std::string quoted = absl::StrCat("option \"", known.name, "\"");
      if (!known.elsewhere.empty()) {
        reporter_->Error(option.key.span,
                         absl::StrCat(quoted, " does not belong in WITH"),
                         std::string(known.elsewhere));
        return false;
      }
      if ((known.where & here) != 0) return true;
      reporter_->Error(
          option.key.span, absl::StrCat(quoted, " does not belong here"),
          known.name == "key"
              ? "the Kafka key of a table is its PRIMARY KEY"
              : absl::StrCat("it belongs to ", WhereName(known.where)));
      return false;
    }
    if ((known.where & here) != 0 && known.elsewhere.empty()) {
      names.push_back(std::string(known.name));
    }
  }
  reporter_->Error(option.key.span,
                   absl::StrCat("unknown option \"", option.key.text, "\""),
                   SuggestName(option.key.text, names, "the options are"));
  return false;
}

void Binder::CheckTopic(const Option& option) {
  if (IsTopicName(option.value.text)) return;
  reporter_->Error(option.value.span,
                   absl::StrCat("not a topic name: '", option.value.text, "'"),
                   "a topic's name has letters, digits, '.', '_' and '-'");
}

void Binder::SetOption(const Statement& statement, const Option& option,
                       SourcePlan* plan) {
  const std::string& key = option.key.text;
  const std::string& value = option.value.text;
  if (!plan->options.emplace(key, value).second) {
    reporter_->Error(option.key.span,
                     absl::StrCat("option \"", key, "\" is given twice"));
    return;
  }
  if (key == "topic") {
    CheckTopic(option);
    plan->topic = value;
  } else if (key == "dead.letter.topic") {
    CheckTopic(option);
    plan->dead_letter_topic = value;
  } else if (key == "key") {
    plan->key_column = value;
    FindColumn(statement, *plan, option.value);
  } else if (key == "idle.advance") {
    plan->idle_advance = value != "off";
    if (value == "on" || value == "off") return;
    reporter_->Error(
        option.value.span,
        absl::StrCat("idle.advance is on or off, found '", value, "'"),
        "write 'off' if the watermark must not move on while no "
        "events come");
  } else {
    std::optional<int64_t> duration_ms = Duration(option);
    if (!duration_ms.has_value()) return;
    (key == "idle.timeout" ? plan->idle_timeout_ms : plan->max_future_skew_ms) =
        *duration_ms;
  }
}

// In milliseconds; nothing, and reported, if it is none.
std::optional<int64_t> Binder::Duration(const Option& option) {
  absl::StatusOr<int64_t> duration_ms = ParseDurationMs(option.value.text);
  if (duration_ms.ok()) return *duration_ms;
  reporter_->Error(option.value.span,
                   std::string(duration_ms.status().message()),
                   "write '500ms', '5s', '1m' or '2h'");
  return std::nullopt;
}

void Binder::BindOptions(const Statement& statement, SourcePlan* plan) {
  for (const Option& option : statement.options) {
    if (CheckOption(statement, option)) SetOption(statement, option, plan);
  }
  const Option* topic = FindOption(statement.options, "topic");
  if (topic == nullptr && !statement.broken) {
    reporter_->Error(statement.name.span,
                     absl::StrCat("\"", plan->name, "\" has no topic"),
                     absl::StrCat("write WITH (topic = '", plan->name, "')"));
  }
  const Option* dead = FindOption(statement.options, "dead.letter.topic");
  if (topic != nullptr && dead != nullptr &&
      topic->value.text == dead->value.text) {
    reporter_->Error(dead->value.span, "dead.letter.topic is the topic itself",
                     "name another topic");
  }
  if (plan->watermark.has_value() || statement.broken) return;
  for (absl::string_view key :
       {"idle.timeout", "idle.advance", "max.future.skew"}) {
    const Option* option = FindOption(statement.options, key);
    if (option == nullptr) continue;
    reporter_->Error(
        option->key.span,
        absl::StrCat("option \"", key, "\" has no effect without a watermark"),
        "declare WATERMARK FOR a TIMESTAMPTZ column, or leave it out");
  }
}

void Binder::BindViewOptions(const Statement& statement, ViewPlan* plan) {
  for (const Option& option : statement.options) {
    if (!CheckOption(statement, option)) continue;
    if (!plan->options.emplace(option.key.text, option.value.text).second) {
      reporter_->Error(
          option.key.span,
          absl::StrCat("option \"", option.key.text, "\" is given twice"));
      continue;
    }
    SetViewOption(option, plan);
  }
}

void Binder::SetViewOption(const Option& option, ViewPlan* plan) {
  if (option.key.text != "pipeline") {
    std::optional<int64_t> duration_ms = Duration(option);
    if (!duration_ms.has_value()) return;
    if (option.key.text == "retention") {
      plan->retention_us = *duration_ms * 1000;
    } else {
      plan->allowed_lateness_us = *duration_ms * 1000;
    }
    return;
  }
  plan->pipeline = option.value.text;
  if (IsPipelineName(plan->pipeline)) return;
  reporter_->Error(option.value.span,
                   absl::StrCat("not a pipeline name: '", plan->pipeline, "'"),
                   "a pipeline's name has letters, digits, '.', '_' and '-'");
}

}  // namespace tidegate::sql
