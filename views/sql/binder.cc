#include "views/sql/binder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/bind_view.h"
#include "views/sql/canonical.h"
#include "views/sql/literals.h"

namespace tidegate::sql {
namespace {

// Adds a line to the canonical text, and each of its variants to each of the
// earlier definitions' texts. The first of `lines` is the line itself.
void AddCanonical(const std::vector<std::string>& lines, ViewPlan* plan) {
  std::vector<std::string> before = std::move(plan->canonical_before);
  before.insert(before.begin(), std::move(plan->canonical));
  std::vector<std::string> texts;
  for (const std::string& text : before) {
    for (const std::string& line : lines) {
      texts.push_back(text.empty() ? line : absl::StrCat(text, "\n", line));
    }
  }
  plan->canonical = std::move(texts.front());
  texts.erase(texts.begin());
  plan->canonical_before = std::move(texts);
}

}  // namespace

bool CheckPlainName(const Name& name, absl::string_view what,
                    Reporter* reporter) {
  if (name.text.size() > kMaxNameBytes) {
    reporter->Error(name.span, absl::StrCat(what, " is longer than ",
                                            kMaxNameBytes, " characters"));
    return false;
  }
  if (IsPlainName(name.text)) return true;
  reporter->Error(name.span,
                  absl::StrCat(what, " \"", name.text,
                               "\" holds other characters than letters, "
                               "digits and _"),
                  "clients see it as a Protobuf name: choose another");
  return false;
}

PlanSet Binder::Run() {
  DeclareNames();
  for (const Statement& statement : statements_) {
    if (!statement.source.has_value()) continue;
    SourcePlan plan = BindSource(statement);
    if (names_.at(statement.name.text) == &statement) {
      sources_[statement.name.text] = static_cast<int>(plans_.sources.size());
    }
    plans_.sources.push_back(std::move(plan));
  }
  for (const Statement& statement : statements_) {
    if (names_.at(statement.name.text) != &statement) continue;
    if (statement.view.has_value()) {
      plans_.views.push_back(BindView(statement));
    } else if (statement.source->is_table) {
      plans_.views.push_back(
          ServeTable(statement, sources_.at(statement.name.text)));
    }
  }
  return std::move(plans_);
}

void Binder::DeclareNames() {
  for (const Statement& statement : statements_) {
    const Name& name = statement.name;
    auto [known, is_new] = names_.emplace(name.text, &statement);
    if (!is_new) {
      reporter_->Error(
          name.span,
          absl::StrCat("\"", name.text, "\" is already defined on line ",
                       reporter_->LineOf(known->second->name.span.begin)));
      continue;
    }
    bool served = statement.view.has_value() || statement.source->is_table;
    if (served) CheckServedName(name);
    auto [camel, camel_is_new] =
        served ? camel_names_.emplace(ToCamelCase(name.text), &statement)
               : std::make_pair(camel_names_.end(), true);
    if (!camel_is_new) {
      reporter_->Error(
          name.span,
          absl::StrCat("\"", name.text, "\" and \"", camel->second->name.text,
                       "\" are both ", ToCamelCase(name.text), " in Protobuf"),
          "rename one of them");
    }
  }
  CheckTypedNames();
}

void Binder::CheckTypedNames() {
  for (const Statement& statement : statements_) {
    const std::string camel = ToCamelCase(statement.name.text);
    const auto view = camel_names_.find(camel);
    if (view == camel_names_.end() || view->second != &statement) continue;
    for (const absl::string_view suffix : kTypedSuffixes) {
      const auto other = camel_names_.find(absl::StrCat(camel, suffix));
      if (other == camel_names_.end()) continue;
      reporter_->Error(
          other->second->name.span,
          absl::StrCat("the service of \"", other->second->name.text,
                       "\" and a message of \"", statement.name.text,
                       "\" are both ", other->first, " in Protobuf"),
          "rename one of them");
    }
  }
}

void Binder::CheckServedName(const Name& name) {
  CheckPlainName(name, "view name", reporter_);
}

std::string Binder::Definition(const Statement& statement) const {
  if (statement.first_token >= statement.end_token) return "";
  uint32_t begin = tokens_[statement.first_token].span.begin;
  uint32_t end = tokens_[statement.end_token - 1].span.end;
  return std::string(text_.substr(begin, end - begin));
}

ViewPlan Binder::ServeTable(const Statement& statement, int source) {
  const SourcePlan& table = plans_.sources[source];
  ViewPlan plan;
  plan.name = table.name;
  plan.source = source;
  plan.is_table = true;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    Typed typed;
    typed.kind = TypedKind::kColumn;
    typed.type = column.type;
    typed.index = static_cast<int>(i);
    plan.outputs.push_back(*Emit(typed));
    plan.columns.push_back(OutputColumn{column.name, column.type});
  }
  plan.key_columns = table.primary_key;
  plan.options = table.options;
  plan.definition = table.definition;
  AddCanonical(CanonicalTexts(tokens_, statement, WatermarkText::kColumn),
               &plan);
  plan.used_columns.assign(table.columns.size(), true);
  return plan;
}

ViewPlan Binder::BindView(const Statement& statement) {
  ViewPlan plan;
  plan.name = statement.name.text;
  plan.definition = Definition(statement);
  BindViewOptions(statement, &plan);
  Catalog catalog{&names_, &sources_, &plans_.sources};
  ViewBinder(catalog, statement, reporter_).Run(&plan);
  // Whatever a watermark decides: which events are late, when rows appear and
  // leave.
  const bool by_watermark =
      plan.window.has_value() || plan.ordered || plan.retention_us.has_value();
  AddCanonical(CanonicalTexts(tokens_, statement, WatermarkText::kColumn),
               &plan);
  auto source = names_.find(statement.view->from.text);
  if (source != names_.end() && source->second->source.has_value() &&
      plan.used_columns.size() == ColumnsOf(*source->second->source).size()) {
    AddCanonical(CanonicalTexts(tokens_, *source->second,
                                by_watermark ? WatermarkText::kBound
                                             : WatermarkText::kColumn,
                                plan.used_columns),
                 &plan);
  }
  if (plan.join.has_value()) {
    AddCanonical(
        CanonicalTexts(tokens_, *names_.at(statement.view->join->table.text),
                       plan.join->event_time ? WatermarkText::kBound
                                             : WatermarkText::kColumn),
        &plan);
  }
  return plan;
}

}  // namespace tidegate::sql
