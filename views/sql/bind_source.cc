// The columns of CREATE SOURCE and CREATE TABLE.
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "views/sql/binder.h"
#include "views/sql/literals.h"

namespace tidegate::sql {
namespace {

Type IncludedType(Metadata what) {
  switch (what) {
    case Metadata::kKey:
    case Metadata::kHeader:
      return Type::kVarchar;
    case Metadata::kTimestamp:
      return Type::kTimestamptz;
    case Metadata::kPartition:
      return Type::kInt;
    case Metadata::kOffset:
      return Type::kBigint;
  }
  return Type::kVarchar;
}

}  // namespace

std::vector<Column> ColumnsOf(const SourceDef& source) {
  std::vector<Column> columns;
  for (const ColumnDef& column : source.columns) {
    columns.push_back(Column{column.name.text, column.type});
  }
  for (const IncludeDef& include : source.includes) {
    columns.push_back(Column{include.name.text, IncludedType(include.what)});
  }
  return columns;
}

SourcePlan Binder::BindSource(const Statement& statement) {
  SourcePlan plan;
  plan.name = statement.name.text;
  plan.is_table = statement.source->is_table;
  plan.definition = Definition(statement);
  BindColumns(statement, &plan);
  BindPrimaryKey(statement, &plan);
  BindWatermark(statement, &plan);
  BindOptions(statement, &plan);
  BindFormat(statement, &plan);
  BindKeyFormat(statement, &plan);
  return plan;
}

void Binder::BindColumns(const Statement& statement, SourcePlan* plan) {
  absl::flat_hash_set<std::string> seen;
  absl::flat_hash_map<std::string, std::string> json_names;
  for (const ColumnDef& column : statement.source->columns) {
    const std::string& name = column.name.text;
    const bool is_new = seen.insert(name).second;
    if (!is_new) {
      reporter_->Error(column.name.span, absl::StrCat("column \"", name,
                                                      "\" is already defined"));
    }
    if (plan->is_table && CheckPlainName(column.name, "column", reporter_)) {
      const auto other = json_names.emplace(JsonName(name), name).first;
      if (is_new && other->second != name) {
        reporter_->Error(column.name.span,
                         absl::StrCat("columns \"", other->second, "\" and \"",
                                      name, "\" have one name in JSON"));
      }
    }
    plan->columns.push_back(Column{column.name.text, column.type});
  }
  if (plan->columns.empty() && !statement.broken) {
    reporter_->Error(statement.name.span,
                     absl::StrCat("\"", plan->name, "\" has no columns"));
  }
  BindIncludes(statement, plan);
  if (plan->columns.size() > kMaxColumns) {
    reporter_->Error(statement.name.span,
                     absl::StrCat("\"", plan->name, "\" has more than ",
                                  kMaxColumns, " columns"));
  }
}

void Binder::BindIncludes(const Statement& statement, SourcePlan* plan) {
  int headers = 0;
  for (const IncludeDef& include : statement.source->includes) {
    for (const Column& column : plan->columns) {
      if (column.name != include.name.text) continue;
      reporter_->Error(
          include.name.span,
          absl::StrCat("column \"", include.name.text, "\" is already defined"),
          "give it another name with AS");
    }
    if (plan->is_table) CheckPlainName(include.name, "column", reporter_);
    if (include.what == Metadata::kHeader &&
        ++headers == kMaxIncludedHeaders + 1) {
      reporter_->Error(include.name.span,
                       absl::StrCat("\"", plan->name, "\" includes more than ",
                                    kMaxIncludedHeaders, " headers"));
    }
    plan->columns.push_back(
        Column{include.name.text, IncludedType(include.what)});
    plan->included.push_back(Included{include.what, include.header});
  }
}

// The key of a table is the Kafka key: other metadata is none.
void Binder::CheckKeyColumn(const SourcePlan& plan, int column,
                            const Name& name) {
  const size_t at = static_cast<size_t>(column);
  if (at < plan.value_columns() ||
      plan.included[at - plan.value_columns()].what == Metadata::kKey) {
    return;
  }
  reporter_->Error(
      name.span,
      absl::StrCat("column \"", name.text, "\" is no part of the Kafka key"),
      "the PRIMARY KEY of a table is the Kafka key: a field that equals it, or "
      "INCLUDE KEY");
}

int Binder::FindColumn(const Statement& statement, const SourcePlan& plan,
                       const Name& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < plan.columns.size(); ++i) {
    if (plan.columns[i].name == name.text) return static_cast<int>(i);
    names.push_back(plan.columns[i].name);
  }
  if (!statement.broken) {
    reporter_->Error(name.span,
                     absl::StrCat("unknown column \"", name.text, "\""),
                     SuggestName(name.text, names, "the columns are"));
  }
  return -1;
}

void Binder::BindPrimaryKey(const Statement& statement, SourcePlan* plan) {
  const SourceDef& source = *statement.source;
  std::vector<Name> names = source.primary_key;
  for (const ColumnDef& column : source.columns) {
    if (!column.primary_key) continue;
    if (!names.empty()) {
      reporter_->Error(column.name.span, "second PRIMARY KEY",
                       "a key of several columns is written PRIMARY KEY (a, "
                       "b)");
      return;
    }
    names.push_back(column.name);
  }
  if (!source.is_table) {
    if (names.empty()) return;
    reporter_->Error(names[0].span, "a source has no PRIMARY KEY",
                     "a topic of events is a source; a topic of current "
                     "values is CREATE TABLE … FORMAT UPSERT");
    return;
  }
  if (names.empty()) {
    if (statement.broken) return;
    reporter_->Error(
        statement.name.span,
        absl::StrCat("table \"", plan->name, "\" has no PRIMARY KEY"),
        "write PRIMARY KEY after the column that equals the "
        "Kafka key");
    return;
  }
  for (const Name& name : names) {
    int column = FindColumn(statement, *plan, name);
    for (int other : plan->primary_key) {
      if (other != column || column < 0) continue;
      reporter_->Error(name.span, absl::StrCat("column \"", name.text,
                                               "\" is in the key twice"));
    }
    if (column < 0) continue;
    CheckKeyColumn(*plan, column, name);
    plan->primary_key.push_back(column);
  }
}

void Binder::BindWatermark(const Statement& statement, SourcePlan* plan) {
  if (!statement.source->watermark.has_value()) return;
  const WatermarkDef& watermark = *statement.source->watermark;
  int column = FindColumn(statement, *plan, watermark.column);
  if (watermark.operand.text != watermark.column.text) {
    reporter_->Error(
        watermark.operand.span,
        absl::StrCat("the watermark of \"", watermark.column.text,
                     "\" must be computed from it, found \"",
                     watermark.operand.text, "\""),
        absl::StrCat("write WATERMARK FOR ", watermark.column.text, " AS ",
                     watermark.column.text, " - INTERVAL '…'"));
  }
  if (column < 0) return;
  if (plan->columns[column].type != Type::kTimestamptz) {
    reporter_->Error(watermark.column.span,
                     absl::StrCat("a watermark needs a TIMESTAMPTZ column, "
                                  "found ",
                                  TypeName(plan->columns[column].type)));
    return;
  }
  plan->watermark = WatermarkPlan{column, watermark.bound_us};
}

}  // namespace tidegate::sql
