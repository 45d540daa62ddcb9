// Functions and aggregates.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "views/sql/bind_expr.h"

namespace tidegate::sql {
namespace {

struct AggregateName {
  absl::string_view name;
  AggregateKind kind;
};

constexpr AggregateName kAggregates[] = {
    {"count", AggregateKind::kCount},
    {"sum", AggregateKind::kSum},
    {"min", AggregateKind::kMin},
    {"max", AggregateKind::kMax},
    {"avg", AggregateKind::kAvg},
    {"first_value", AggregateKind::kFirstValue},
    {"last_value", AggregateKind::kLastValue},
};

// Known elsewhere and planned here.
constexpr absl::string_view kLater[] = {
    "max_by",       "min_by",       "stddev",     "stddev_pop",
    "stddev_samp",  "variance",     "var_pop",    "lag",
    "lead",         "row_number",   "rank",       "tumble",
    "hop",          "session",      "array_agg",  "string_agg",
    "jsonb_agg",    "date_trunc",   "extract",    "approx_count_distinct",
    "bool_and",     "bool_or",      "lower",      "upper",
    "length",       "substring",    "substr",     "trim",
    "round",        "floor",        "ceil",       "abs",
    "greatest",     "least",        "concat",     "replace",
    "window_start", "tumble_start", "tumble_end", "percentile_cont"};

// Their value depends on when they run, so a view could not be rebuilt.
constexpr absl::string_view kClocks[] = {"now", "proctime", "random",
                                         "gen_random_uuid", "clock_timestamp"};

bool IsOrdered(AggregateKind kind) {
  return kind == AggregateKind::kFirstValue ||
         kind == AggregateKind::kLastValue;
}

bool SameOptional(const TypedPtr& a, const TypedPtr& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return SameExpression(*a, *b);
}

}  // namespace

TypedPtr ExprBinder::BindCall(const Node& node) {
  for (const AggregateName& aggregate : kAggregates) {
    if (node.text == aggregate.name) {
      return BindAggregate(node, aggregate.kind);
    }
  }
  if (node.text != "coalesce" && node.text != "nullif") {
    return RefuseFunction(node);
  }
  if (node.star || node.order_by != nullptr) {
    reporter_->Error(node.span, absl::StrCat(node.text, " takes values only"));
    return nullptr;
  }
  return node.text == "coalesce" ? BindCoalesce(node) : BindNullIf(node);
}

TypedPtr ExprBinder::RefuseFunction(const Node& node) {
  for (absl::string_view name : kLater) {
    if (node.text != name) continue;
    reporter_->Error(
        node.name_span,
        absl::StrCat("not supported yet: the function ", name, "(…)"));
    return nullptr;
  }
  for (absl::string_view name : kClocks) {
    if (node.text != name) continue;
    reporter_->Error(
        node.name_span,
        absl::StrCat("not supported: the function ", name, "(…)"),
        "a view depends on its events only: use a TIMESTAMPTZ column");
    return nullptr;
  }
  std::vector<std::string> names = {"coalesce", "nullif"};
  for (const AggregateName& aggregate : kAggregates) {
    names.push_back(std::string(aggregate.name));
  }
  reporter_->Error(node.name_span,
                   absl::StrCat("unknown function \"", node.text, "\""),
                   SuggestName(node.text, names, "the functions are"));
  return nullptr;
}

TypedPtr ExprBinder::BindCoalesce(const Node& node) {
  if (node.args.empty()) {
    reporter_->Error(node.span, "coalesce needs at least one value");
    return nullptr;
  }
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kCoalesce;
  typed->span = node.span;
  std::vector<const Typed*> values;
  bool ok = true;
  for (const NodePtr& arg : node.args) {
    typed->args.push_back(BindNode(*arg));
    ok = ok && typed->args.back() != nullptr;
    values.push_back(typed->args.back().get());
  }
  if (!ok) return nullptr;
  std::optional<Type> type = CommonType(values, "coalesce");
  if (!type.has_value()) return nullptr;
  typed->type = *type;
  for (TypedPtr& arg : typed->args) {
    arg = Coerce(std::move(arg), *type);
    if (arg == nullptr) return nullptr;
  }
  return typed;
}

// nullif(a, b) is CASE WHEN a = b THEN NULL ELSE a END.
TypedPtr ExprBinder::BindNullIf(const Node& node) {
  if (node.args.size() != 2) {
    reporter_->Error(node.span, absl::StrCat("nullif needs two values, found ",
                                             node.args.size()));
    return nullptr;
  }
  TypedPtr left = BindNode(*node.args[0]);
  TypedPtr right = BindNode(*node.args[1]);
  if (left == nullptr || right == nullptr) return nullptr;
  TypedPtr copy = Copy(*left);
  if (copy == nullptr) return nullptr;
  TypedPtr equal =
      Compare(Op::kEqual, node.span, std::move(copy), std::move(right));
  if (equal == nullptr) return nullptr;
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kCase;
  typed->span = node.span;
  typed->type = left->untyped ? equal->args[0]->type : left->type;
  Type type = typed->type;
  typed->args.push_back(std::move(equal));
  typed->args.push_back(NullConstant(type, node.span));
  typed->args.push_back(Coerce(std::move(left), type));
  return typed;
}

bool ExprBinder::CheckAggregateForm(const Node& node, AggregateKind kind) {
  auto fail = [&](std::string message, std::string help = "") {
    reporter_->Error(node.span, std::move(message), std::move(help));
    return false;
  };
  if (inside_aggregate_) {
    return fail(
        absl::StrCat("aggregate ", node.text, "(…) inside another aggregate"));
  }
  if (!allow_aggregates_) {
    return fail(absl::StrCat("aggregate ", node.text, "(…) is not allowed in ",
                             place_));
  }
  if (node.star) {
    if (kind == AggregateKind::kCount) return true;
    return fail(absl::StrCat(node.text, "(*) is not an aggregate"),
                absl::StrCat("write count(*), or ", node.text, "(column)"));
  }
  if (node.args.size() != 1) {
    return fail(
        absl::StrCat(node.text, " needs one value, found ", node.args.size()),
        kind == AggregateKind::kCount ? "write count(*)" : "");
  }
  if (IsOrdered(kind) && node.order_by == nullptr) {
    return fail(absl::StrCat(node.text, " needs ORDER BY"),
                absl::StrCat("write ", node.text, "(… ORDER BY ts)"));
  }
  if (!IsOrdered(kind) && node.order_by != nullptr) {
    return fail(absl::StrCat(node.text, " takes no ORDER BY"),
                "only first_value and last_value do");
  }
  if (node.descending) {
    return fail(absl::StrCat("not supported: ORDER BY … DESC in ", node.text),
                kind == AggregateKind::kFirstValue
                    ? "use last_value(… ORDER BY ts)"
                    : "use first_value(… ORDER BY ts)");
  }
  return true;
}

TypedPtr ExprBinder::BindAggregate(const Node& node, AggregateKind kind) {
  if (!CheckAggregateForm(node, kind)) return nullptr;
  Aggregate aggregate;
  aggregate.kind = node.star ? AggregateKind::kCountStar : kind;
  inside_aggregate_ = true;
  bool ok = BindAggregateArguments(node, &aggregate);
  inside_aggregate_ = false;
  return ok ? UseAggregate(node, std::move(aggregate)) : nullptr;
}

bool ExprBinder::BindAggregateArguments(const Node& node, Aggregate* out) {
  if (node.star) return true;
  out->argument = BindNode(*node.args[0]);
  if (node.order_by != nullptr) {
    out->order_by = BindNode(*node.order_by);
    if (out->order_by == nullptr) return false;
    if (out->order_by->type != Type::kTimestamptz) {
      reporter_->Error(out->order_by->span,
                       absl::StrCat("ORDER BY in ", node.text,
                                    " needs a TIMESTAMPTZ, found ",
                                    ShowType(*out->order_by)));
      return false;
    }
  }
  if (out->argument == nullptr) return false;
  const Typed& argument = *out->argument;
  if (argument.untyped) {
    reporter_->Error(argument.span,
                     absl::StrCat("the NULL in ", node.text, " has no type"),
                     "write CAST(NULL AS …)");
    return false;
  }
  Type type = argument.type;
  bool number =
      type == Type::kInt || type == Type::kBigint || type == Type::kDouble;
  bool needs_number =
      out->kind == AggregateKind::kSum || out->kind == AggregateKind::kAvg;
  if (needs_number && !number) {
    reporter_->Error(
        argument.span,
        absl::StrCat(node.text, " needs a number, found ", ShowType(argument)));
    return false;
  }
  out->result = type;
  if (out->kind == AggregateKind::kCount) out->result = Type::kBigint;
  if (out->kind == AggregateKind::kAvg) out->result = Type::kDouble;
  if (out->kind == AggregateKind::kSum && type == Type::kInt) {
    out->result = Type::kBigint;
  }
  return true;
}

TypedPtr ExprBinder::UseAggregate(const Node& node, Aggregate aggregate) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kAggregate;
  typed->span = node.span;
  typed->type = aggregate.result;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    const Aggregate& other = aggregates_[i];
    if (other.kind == aggregate.kind &&
        SameOptional(other.argument, aggregate.argument) &&
        SameOptional(other.order_by, aggregate.order_by)) {
      typed->index = static_cast<int>(i);
      return typed;
    }
  }
  if (aggregates_.size() == kMaxAggregates) {
    reporter_->Error(
        node.span,
        absl::StrCat("too many aggregates, the limit is ", kMaxAggregates));
    return nullptr;
  }
  typed->index = static_cast<int>(aggregates_.size());
  aggregates_.push_back(std::move(aggregate));
  return typed;
}

}  // namespace tidegate::sql
