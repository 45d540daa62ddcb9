#include "views/sql/bind_view.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "views/sql/binder.h"
#include "views/sql/literals.h"

namespace tidegate::sql {
namespace {

void MarkColumns(const Expr& expr, std::vector<bool>* used) {
  for (const Instruction& instruction : expr.code) {
    if (instruction.op != Op::kColumn) continue;
    size_t column = static_cast<size_t>(instruction.arg);
    if (column < used->size()) (*used)[column] = true;
  }
}

}  // namespace

void ViewBinder::Run(ViewPlan* plan) {
  if (!BindFrom(plan)) return;
  plan->grouped = view_.grouped;
  BindWindow(plan);
  BindJoin(plan);
  BindWhere(plan);
  BindEmit(plan);
  BindRetention(plan);
  if (view_.grouped) {
    expressions_->set_grouped();
  } else {
    AllowLags();
  }
  BindOutputs();
  if (view_.grouped) {
    BindGroups(plan);
  } else if (!expressions_->aggregates().empty()) {
    // What kept GROUP BY away was reported.
    if (view_.window.has_value() || statement_.broken) return;
    reporter_->Error(
        outputs_.empty() ? statement_.name.span : outputs_.back().span,
        "not supported: an aggregate without GROUP BY",
        "a view's rows need a key: write GROUP BY with the "
        "columns to keep one row for each of");
    return;
  } else {
    EmitLags(plan);
  }
  if (keyless_) AddPlace(plan);
  FinishOutputs(plan);
  if (view_.grouped) {
    FindKeyColumns(plan);
    FindWindowColumn(plan);
  } else if (!keyless_) {
    BindDeclaredKey(plan);
  }
  MarkUsedColumns(plan);
}

void ViewBinder::BindWhere(ViewPlan* plan) {
  if (view_.where == nullptr) return;
  TypedPtr where = expressions_->BindCondition(*view_.where, "WHERE");
  Expr expr;
  if (where == nullptr) {
    broken_ = true;
  } else if (UsesWindow(*where)) {
    reporter_->Error(where->span,
                     "window_start and window_end are not allowed in WHERE",
                     "WHERE sees an event before it has a window: compare the "
                     "event's own time");
  } else if (EmitInto(*where, &expr)) {
    plan->where = std::move(expr);
  }
}

const Statement* ViewBinder::Resolve(const Name& name, bool want_table) {
  auto found = catalog_.names->find(name.text);
  std::string wanted = want_table ? "table" : "source";
  if (found == catalog_.names->end()) {
    std::vector<std::string> names;
    for (const auto& [other, statement] : *catalog_.names) {
      if (statement->source.has_value() &&
          statement->source->is_table == want_table) {
        names.push_back(other);
      }
    }
    std::sort(names.begin(), names.end());
    reporter_->Error(
        name.span, absl::StrCat("unknown ", wanted, " \"", name.text, "\""),
        SuggestName(name.text, names, absl::StrCat("the ", wanted, "s are")));
    return nullptr;
  }
  const Statement* statement = found->second;
  std::string quoted = absl::StrCat("\"", name.text, "\"");
  if (statement->view.has_value()) {
    reporter_->Error(
        name.span,
        absl::StrCat("not supported yet: ", want_table ? "JOIN with" : "FROM",
                     " a view, and ", quoted, " is one"),
        want_table ? "join a table"
                   : "repeat the view's SELECT over its source");
    return nullptr;
  }
  if (statement->source->is_table && !want_table) {
    reporter_->Error(name.span,
                     absl::StrCat("not supported yet: FROM a table, and ",
                                  quoted, " is one"),
                     "the table is served as a view itself");
    return nullptr;
  }
  if (!statement->source->is_table && want_table) {
    reporter_->Error(
        name.span,
        absl::StrCat("a join needs a table, and ", quoted, " is a source"),
        "declare it with CREATE TABLE … FORMAT UPSERT");
    return nullptr;
  }
  return statement;
}

Relation ViewBinder::MakeRelation(const Statement& source, const Name& alias,
                                  int first) {
  Relation relation;
  relation.alias = alias.text;
  relation.first = first;
  relation.broken = source.broken;
  relation.columns = ColumnsOf(*source.source);
  return relation;
}

bool ViewBinder::BindFrom(ViewPlan* plan) {
  if (view_.from.text.empty()) return false;
  source_ = Resolve(view_.from, false);
  if (view_.join.has_value()) {
    table_ = Resolve(view_.join->table, true);
    if (table_ == nullptr) return false;
  }
  if (source_ == nullptr) return false;
  source_columns_ = static_cast<int>(ColumnsOf(*source_->source).size());
  plan->source = catalog_.positions->at(source_->name.text);
  std::vector<Relation> relations;
  relations.push_back(MakeRelation(*source_, view_.from_alias, 0));
  if (table_ != nullptr) {
    if (view_.join->alias.text == view_.from_alias.text) {
      reporter_->Error(view_.join->alias.span,
                       absl::StrCat("\"", view_.join->alias.text,
                                    "\" names both sides of the join"),
                       "give one of them another name with AS");
      return false;
    }
    table_columns_ = static_cast<int>(ColumnsOf(*table_->source).size());
    relations.push_back(
        MakeRelation(*table_, view_.join->alias, source_columns_));
  } else if (broken_) {
    // A join that could not be read may have brought more columns.
    relations[0].broken = true;
  }
  if (view_.window.has_value() && view_.window->kind != WindowKind::kSliding) {
    window_column_ = source_columns_ + table_columns_;
    Relation window;
    window.alias = view_.from_alias.text;
    window.first = window_column_;
    window.columns = {Column{"window_start", Type::kTimestamptz},
                      Column{"window_end", Type::kTimestamptz}};
    relations.push_back(std::move(window));
  }
  expressions_.emplace(std::move(relations), reporter_);
  return true;
}

void ViewBinder::BindOutputs() {
  for (const SelectItem& item : view_.items) {
    if (outputs_.size() > kMaxColumns) {
      reporter_->Error(item.span, absl::StrCat("more than ", kMaxColumns,
                                               " output columns"));
      broken_ = true;
      return;
    }
    if (item.star) {
      AddStar(item);
    } else {
      AddOutput(item);
    }
  }
  CheckOutputNames();
}

void ViewBinder::AddStar(const SelectItem& item) {
  if (view_.grouped) {
    reporter_->Error(item.span, "not supported: * in a view with GROUP BY",
                     "list the group's columns and the aggregates");
    broken_ = true;
    return;
  }
  bool found = false;
  std::vector<std::string> aliases;
  for (const Relation& relation : expressions_->relations()) {
    if (relation.first != window_column_) aliases.push_back(relation.alias);
    if (!item.qualifier.text.empty() && relation.alias != item.qualifier.text) {
      continue;
    }
    found = true;
    if (relation.broken) broken_ = true;
    for (size_t i = 0; i < relation.columns.size(); ++i) {
      auto value = std::make_unique<Typed>();
      value->kind = TypedKind::kColumn;
      value->span = item.span;
      value->type = relation.columns[i].type;
      value->index = relation.first + static_cast<int>(i);
      outputs_.push_back(
          Output{relation.columns[i].name, item.span, std::move(value)});
    }
  }
  if (found) return;
  broken_ = true;
  if (expressions_->relations()[0].broken) return;
  reporter_->Error(
      item.qualifier.span,
      absl::StrCat("unknown table or alias \"", item.qualifier.text, "\""),
      SuggestName(item.qualifier.text, aliases, "there is"));
}

std::string ViewBinder::OutputName(const SelectItem& item) {
  if (!item.alias.text.empty()) return item.alias.text;
  bool named = item.value->kind == NodeKind::kColumn ||
               item.value->kind == NodeKind::kCall;
  return named ? item.value->text : "";
}

void ViewBinder::AddOutput(const SelectItem& item) {
  Output output;
  output.span = item.alias.text.empty() ? item.span : item.alias.span;
  output.name = OutputName(item);
  output.value =
      expressions_->Bind(*item.value, "SELECT", /*allow_aggregates=*/true);
  if (output.value == nullptr) {
    broken_ = true;
  } else if (output.name.empty()) {
    reporter_->Error(item.span, "output column has no name", "name it with AS");
  } else if (output.value->untyped) {
    reporter_->Error(item.span, "the NULL in the SELECT list has no type",
                     "write CAST(NULL AS …)");
    broken_ = true;
  }
  outputs_.push_back(std::move(output));
}

void ViewBinder::CheckOutputNames() {
  absl::flat_hash_map<std::string, std::string> seen;
  for (const Output& output : outputs_) {
    if (output.name.empty()) continue;
    if (!CheckPlainName(Name{output.name, output.span}, "output column",
                        reporter_)) {
      continue;
    }
    auto [other, is_new] = seen.emplace(JsonName(output.name), output.name);
    if (is_new) continue;
    if (other->second == output.name) {
      reporter_->Error(
          output.span,
          absl::StrCat("two output columns are named \"", output.name, "\""),
          "rename one of them with AS");
    } else {
      reporter_->Error(
          output.span,
          absl::StrCat("output columns \"", other->second, "\" and \"",
                       output.name, "\" have one name in JSON"),
          "rename one of them with AS");
    }
  }
}

bool ViewBinder::EmitInto(const Typed& typed, Expr* expr) {
  std::optional<Expr> emitted = Emit(typed);
  if (!emitted.has_value()) {
    reporter_->Error(typed.span, "expression is too large",
                     absl::StrCat("it may hold ", kMaxExprStack,
                                  " values at once: nest it less"));
    return false;
  }
  *expr = std::move(*emitted);
  return true;
}

void ViewBinder::FinishOutputs(ViewPlan* plan) {
  for (const Output& output : outputs_) {
    if (output.value == nullptr) {
      broken_ = true;
      continue;
    }
    Expr expr;
    if (!EmitInto(*output.value, &expr)) continue;
    plan->columns.push_back(OutputColumn{output.name, output.value->type});
    plan->outputs.push_back(std::move(expr));
  }
}

void ViewBinder::BindDeclaredKey(ViewPlan* plan) {
  if (!view_.primary_key_span.has_value()) {
    if (broken_) return;
    reporter_->Error(
        statement_.name.span,
        absl::StrCat("view \"", statement_.name.text, "\" has no key"),
        absl::StrCat("write ", statement_.name.text,
                     " (PRIMARY KEY (…)) with output columns, or GROUP BY; "
                     "or WITH (retention = '1h') to keep a row for each event "
                     "for so long"));
    return;
  }
  std::vector<std::string> names;
  for (const Output& output : outputs_) {
    if (!output.name.empty()) names.push_back(output.name);
  }
  for (const Name& name : view_.primary_key) {
    auto found = std::find_if(
        outputs_.begin(), outputs_.end(),
        [&](const Output& output) { return output.name == name.text; });
    if (found == outputs_.end()) {
      if (broken_) continue;
      reporter_->Error(name.span,
                       absl::StrCat("key column \"", name.text,
                                    "\" is not an output column"),
                       SuggestName(name.text, names, "the columns are"));
      continue;
    }
    int column = static_cast<int>(found - outputs_.begin());
    if (std::count(plan->key_columns.begin(), plan->key_columns.end(), column) >
        0) {
      reporter_->Error(name.span, absl::StrCat("column \"", name.text,
                                               "\" is in the key twice"));
    }
    plan->key_columns.push_back(column);
  }
}

// True of a column that INCLUDE gave its source.
bool ViewBinder::IsIncluded(const ViewPlan& plan, const Output& output) const {
  if (output.value == nullptr || output.value->kind != TypedKind::kColumn) {
    return false;
  }
  const SourcePlan& source = (*catalog_.sources)[plan.source];
  const size_t index = static_cast<size_t>(output.value->index);
  return index >= source.value_columns() && index < source.columns.size();
}

// The key of a view without one: where the event lies in Kafka.
void ViewBinder::AddPlace(ViewPlan* plan) {
  const Column kPlace[] = {{"kafka_partition", Type::kInt},
                           {"kafka_offset", Type::kBigint}};
  const size_t given = outputs_.size();
  int index = source_columns_ + table_columns_;
  for (const Column& column : kPlace) {
    for (size_t i = 0; i < given; ++i) {
      if (JsonName(outputs_[i].name) != JsonName(column.name)) continue;
      reporter_->Error(
          outputs_[i].span,
          absl::StrCat("output column \"", outputs_[i].name,
                       "\" has the name of a key column that a view without "
                       "PRIMARY KEY gets"),
          IsIncluded(*plan, outputs_[i])
              ? "leave it out, or give it another name with AS"
              : "rename it with AS");
    }
    auto value = std::make_unique<Typed>();
    value->kind = TypedKind::kColumn;
    value->span = statement_.name.span;
    value->type = column.type;
    value->index = index++;
    plan->key_columns.push_back(static_cast<int>(outputs_.size()));
    outputs_.push_back(
        Output{column.name, statement_.name.span, std::move(value)});
  }
}

void ViewBinder::MarkUsedColumns(ViewPlan* plan) const {
  std::vector<bool> used(source_columns_, false);
  auto mark = [&](const std::vector<Expr>& expressions) {
    for (const Expr& expr : expressions) MarkColumns(expr, &used);
  };
  if (plan->where.has_value()) MarkColumns(*plan->where, &used);
  if (plan->join.has_value()) mark(plan->join->key);
  mark(plan->group_by);
  for (const AggregateCall& call : plan->aggregates) {
    if (call.argument.has_value()) MarkColumns(*call.argument, &used);
    if (call.order_by.has_value()) MarkColumns(*call.order_by, &used);
  }
  mark(plan->partition_by);
  for (const LagCall& lag : plan->lags) MarkColumns(lag.argument, &used);
  if (!plan->grouped) mark(plan->outputs);
  const SourcePlan& source = (*catalog_.sources)[plan->source];
  if (source.watermark.has_value()) used[source.watermark->column] = true;
  plan->used_columns = std::move(used);
}

}  // namespace tidegate::sql
