// GROUP BY, and what may stand beside it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/bind_view.h"
#include "views/sql/binder.h"

namespace tidegate::sql {

TypedPtr ViewBinder::GroupByOutput(const Node& node, size_t position) {
  const Output& output = outputs_[position];
  if (output.value == nullptr) return nullptr;
  if (ContainsAggregate(*output.value)) {
    reporter_->Error(node.span, absl::StrCat("GROUP BY names \"", output.name,
                                             "\", which is an aggregate"));
    return nullptr;
  }
  return Clone(*output.value);
}

// A position, a column of the input, an output's alias, or an expression.
TypedPtr ViewBinder::BindGroupKey(const Node& node) {
  if (node.kind == NodeKind::kInteger) {
    if (node.integer >= 1 &&
        node.integer <= static_cast<int64_t>(outputs_.size())) {
      return GroupByOutput(node, static_cast<size_t>(node.integer - 1));
    }
    if (!broken_) {
      reporter_->Error(node.span,
                       absl::StrCat("GROUP BY position ", node.integer,
                                    " is not in the SELECT list"),
                       absl::StrCat("it has positions 1 to ", outputs_.size()));
    }
    return nullptr;
  }
  if (node.kind == NodeKind::kColumn && node.qualifier.text.empty() &&
      expressions_->Find(node.text) == nullptr) {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].name == node.text) return GroupByOutput(node, i);
    }
  }
  TypedPtr typed = expressions_->Bind(node, "GROUP BY");
  if (typed != nullptr && !ContainsColumn(*typed)) {
    reporter_->Error(node.span, "GROUP BY a constant",
                     "name a column, or a position in the SELECT list");
    return nullptr;
  }
  return typed;
}

void ViewBinder::BindGroups(ViewPlan* plan) {
  if (view_.group_by.size() > kMaxGroupKeys) {
    reporter_->Error(
        view_.group_by[kMaxGroupKeys]->span,
        absl::StrCat("more than ", kMaxGroupKeys, " GROUP BY expressions"));
    broken_ = true;
    return;
  }
  for (const NodePtr& node : view_.group_by) {
    TypedPtr key = BindGroupKey(*node);
    if (key == nullptr) {
      broken_ = true;
      continue;
    }
    auto same = [&](const TypedPtr& other) {
      return SameExpression(*other, *key);
    };
    if (std::any_of(group_keys_.begin(), group_keys_.end(), same)) continue;
    auto output = std::find_if(outputs_.begin(), outputs_.end(),
                               [&](const Output& candidate) {
                                 return candidate.value != nullptr &&
                                        SameExpression(*candidate.value, *key);
                               });
    if (output == outputs_.end() && !broken_) {
      reporter_->Error(node->span,
                       "GROUP BY expression is not in the SELECT list",
                       "add it: the GROUP BY columns are the view's key");
    }
    key_outputs_.push_back(static_cast<int>(output - outputs_.begin()));
    Expr expr;
    if (EmitInto(*key, &expr)) plan->group_by.push_back(std::move(expr));
    group_keys_.push_back(std::move(key));
  }
  AddSessionEnd(plan);
  CheckWindowGroups();
  EmitAggregates(plan);
  for (Output& output : outputs_) {
    if (output.value != nullptr && !Regroup(output.value.get())) {
      output.value = nullptr;
    }
  }
}

// Rewrites an output over the input row to one over the group's keys and
// aggregates.
bool ViewBinder::Regroup(Typed* typed) {
  for (size_t i = 0; i < group_keys_.size(); ++i) {
    if (!SameExpression(*group_keys_[i], *typed)) continue;
    typed->kind = TypedKind::kColumn;
    typed->index = static_cast<int>(i);
    typed->text.clear();
    typed->args.clear();
    return true;
  }
  if (typed->kind == TypedKind::kAggregate) {
    typed->kind = TypedKind::kColumn;
    typed->index += static_cast<int>(group_keys_.size());
    return true;
  }
  if (typed->kind == TypedKind::kColumn) {
    if (broken_) return false;
    std::string name;
    for (const Relation& relation : expressions_->relations()) {
      int at = typed->index - relation.first;
      if (at >= 0 && at < static_cast<int>(relation.columns.size())) {
        name = relation.columns[at].name;
      }
    }
    std::string help = "add it to GROUP BY";
    if (WindowKey(*typed) < 0) {
      absl::StrAppend(&help, ", or write max(", name, ") or last_value(", name,
                      " ORDER BY ts)");
    }
    reporter_->Error(typed->span,
                     absl::StrCat("column \"", name,
                                  "\" is neither in GROUP BY nor inside an "
                                  "aggregate"),
                     std::move(help));
    return false;
  }
  bool ok = true;
  for (TypedPtr& arg : typed->args) ok = Regroup(arg.get()) && ok;
  return ok;
}

void ViewBinder::EmitAggregates(ViewPlan* plan) {
  for (const Aggregate& aggregate : expressions_->aggregates()) {
    AggregateCall call;
    call.kind = aggregate.kind;
    call.result = aggregate.result;
    Expr expr;
    if (aggregate.argument != nullptr && EmitInto(*aggregate.argument, &expr)) {
      call.argument = std::move(expr);
    }
    if (aggregate.order_by != nullptr && EmitInto(*aggregate.order_by, &expr)) {
      call.order_by = std::move(expr);
    }
    plan->aggregates.push_back(std::move(call));
  }
}

void ViewBinder::FindKeyColumns(ViewPlan* plan) {
  if (broken_) return;
  for (size_t i = 0; i < group_keys_.size(); ++i) {
    // A session's end follows from its start.
    bool follows = view_.window.has_value() &&
                   view_.window->kind == WindowKind::kSession &&
                   WindowKey(*group_keys_[i]) == 1;
    if (!follows) plan->key_columns.push_back(key_outputs_[i]);
  }
  if (!view_.primary_key_span.has_value()) return;
  const std::vector<int>& keys = plan->key_columns;
  bool same = view_.primary_key.size() == keys.size();
  for (size_t i = 0; same && i < keys.size(); ++i) {
    size_t output = static_cast<size_t>(keys[i]);
    same = output < outputs_.size() &&
           outputs_[output].name == view_.primary_key[i].text;
  }
  if (same) return;
  reporter_->Error(*view_.primary_key_span,
                   "the key of a view with GROUP BY is its GROUP BY columns",
                   "leave PRIMARY KEY out");
}

}  // namespace tidegate::sql
