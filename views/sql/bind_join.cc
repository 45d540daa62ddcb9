// [LEFT] JOIN table FOR SYSTEM_TIME AS OF … ON …
#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/bind_view.h"

namespace tidegate::sql {

// The place in the table's key of the column that `typed` is; -1 if it is
// something else.
int ViewBinder::TableKey(const Typed& typed, const SourcePlan& table) const {
  if (typed.kind != TypedKind::kColumn) return -1;
  for (size_t i = 0; i < table.primary_key.size(); ++i) {
    if (typed.index == source_columns_ + table.primary_key[i]) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

bool ViewBinder::UsesTable(const Typed& typed) const {
  if (typed.kind == TypedKind::kColumn && typed.index >= source_columns_ &&
      typed.index < source_columns_ + table_columns_) {
    return true;
  }
  for (const TypedPtr& arg : typed.args) {
    if (UsesTable(*arg)) return true;
  }
  return false;
}

bool ViewBinder::BindJoinPart(const Node& part, const SourcePlan& table,
                              std::vector<TypedPtr>* keys) {
  auto refuse = [&](Span span, absl::string_view what) {
    reporter_->Error(
        span, std::string(what),
        absl::StrCat("ON equates each column of the key of \"", table.name,
                     "\" with an expression over the stream; "
                     "other conditions belong in WHERE"));
    return false;
  };
  if (part.kind != NodeKind::kBinary || part.op != Op::kEqual) {
    bool ok = expressions_->Bind(part, "ON") != nullptr;
    return ok && refuse(part.span,
                        "not supported: ON with other conditions "
                        "than key = value");
  }
  TypedPtr left = expressions_->Bind(*part.args[0], "ON");
  TypedPtr right = expressions_->Bind(*part.args[1], "ON");
  if (left == nullptr || right == nullptr) return false;
  int key = TableKey(*left, table);
  if (key < 0) {
    std::swap(left, right);
    key = TableKey(*left, table);
  }
  if (key < 0) {
    return refuse(part.span, "neither side is a key column of the table");
  }
  if (UsesTable(*right)) {
    return refuse(part.span, "both sides are columns of the table");
  }
  if (UsesWindow(*right)) {
    reporter_->Error(right->span,
                     "window_start and window_end are not allowed in ON",
                     "the row is looked up before the event has a window");
    return false;
  }
  Type type = left->type;
  if (!ExprBinder::CanCoerce(*right, type)) {
    reporter_->Error(part.span,
                     absl::StrCat("cannot look up a key of type ",
                                  TypeName(type), " with ", ShowType(*right)),
                     absl::StrCat("write CAST(… AS ", TypeName(type), ")"));
    return false;
  }
  right = expressions_->Coerce(std::move(right), type);
  if (right == nullptr) return false;
  if ((*keys)[key] != nullptr) {
    return refuse(part.span, "the key column is equated twice");
  }
  (*keys)[key] = std::move(right);
  return true;
}

// FOR SYSTEM_TIME AS OF o.ts
bool ViewBinder::BindAsOf(const SourcePlan& table, JoinPlan* join) {
  if (view_.join->as_of == nullptr) return true;
  join->event_time = true;
  const Node& node = *view_.join->as_of;
  TypedPtr time = expressions_->Bind(node, "AS OF");
  if (time == nullptr) return false;
  bool ok = NeedWatermark(source(), node.span, "a join AS OF event time");
  if (ok && source().watermark.has_value() &&
      time->index != source().watermark->column) {
    const std::string& name = source().columns[source().watermark->column].name;
    reporter_->Error(
        node.span,
        absl::StrCat("AS OF takes the source's WATERMARK column, \"", name,
                     "\""),
        absl::StrCat("write FOR SYSTEM_TIME AS OF ", view_.from_alias.text, ".",
                     name));
    ok = false;
  }
  return NeedWatermark(table, view_.join->table.span,
                       "a join AS OF event time") &&
         ok;
}

void ViewBinder::BindJoin(ViewPlan* plan) {
  if (table_ == nullptr) return;
  JoinPlan join;
  join.table = catalog_.positions->at(table_->name.text);
  join.left = view_.join->left;
  const SourcePlan& table = (*catalog_.sources)[join.table];
  std::vector<TypedPtr> keys(table.primary_key.size());
  const Node& on = *view_.join->on;
  bool ok = BindAsOf(table, &join) && !table_->broken;
  plan->ordered = plan->ordered || join.event_time;
  if (table.primary_key.empty()) {
    broken_ = true;  // the table's own error says why
    return;
  }
  if (on.kind == NodeKind::kAnd) {
    for (const NodePtr& part : on.args) {
      ok = BindJoinPart(*part, table, &keys) && ok;
    }
  } else {
    ok = BindJoinPart(on, table, &keys) && ok;
  }
  for (size_t i = 0; ok && i < keys.size(); ++i) {
    if (keys[i] == nullptr) {
      const std::string& name = table.columns[table.primary_key[i]].name;
      reporter_->Error(
          on.span,
          absl::StrCat("ON does not equate the key column \"", name, "\" of \"",
                       table.name, "\""),
          absl::StrCat("add ", view_.join->alias.text, ".", name, " = …"));
      ok = false;
      break;
    }
    Expr expr;
    ok = EmitInto(*keys[i], &expr);
    join.key.push_back(std::move(expr));
  }
  if (!ok) broken_ = true;
  plan->join = std::move(join);
}

}  // namespace tidegate::sql
