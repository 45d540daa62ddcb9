// Calls by name, and the aggregates among them.
#include <algorithm>
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
    {"min_by", AggregateKind::kMinBy},
    {"max_by", AggregateKind::kMaxBy},
    {"stddev", AggregateKind::kStddevSamp},
    {"stddev_samp", AggregateKind::kStddevSamp},
    {"stddev_pop", AggregateKind::kStddevPop},
    {"variance", AggregateKind::kVarSamp},
    {"var_samp", AggregateKind::kVarSamp},
    {"var_pop", AggregateKind::kVarPop},
};

// Known elsewhere and planned here.
constexpr absl::string_view kLater[] = {
    "lead",       "row_number",      "rank",     "array_agg",
    "string_agg", "jsonb_agg",       "bool_and", "approx_count_distinct",
    "bool_or",    "percentile_cont", "concat"};

// Their value depends on when they run, so a view could not be rebuilt.
constexpr absl::string_view kClocks[] = {"now", "proctime", "random",
                                         "gen_random_uuid", "clock_timestamp"};

bool IsOrdered(AggregateKind kind) {
  return kind == AggregateKind::kFirstValue ||
         kind == AggregateKind::kLastValue;
}

// Takes the value to return and the value to go by.
bool IsBy(AggregateKind kind) {
  return kind == AggregateKind::kMinBy || kind == AggregateKind::kMaxBy;
}

bool IsVariance(AggregateKind kind) {
  return kind == AggregateKind::kStddevSamp ||
         kind == AggregateKind::kStddevPop || kind == AggregateKind::kVarSamp ||
         kind == AggregateKind::kVarPop;
}

Type ResultOf(AggregateKind kind, Type argument) {
  if (kind == AggregateKind::kCount) return Type::kBigint;
  if (kind == AggregateKind::kAvg || IsVariance(kind)) return Type::kDouble;
  if (kind == AggregateKind::kSum && argument == Type::kInt) {
    return Type::kBigint;
  }
  return argument;
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
  if (node.text == "lag") return BindLag(node);
  const std::vector<std::string> functions = FunctionNames();
  if (std::find(functions.begin(), functions.end(), node.text) ==
      functions.end()) {
    return RefuseFunction(node);
  }
  if (node.star || node.order_by != nullptr) {
    reporter_->Error(node.span, absl::StrCat(node.text, " takes values only"));
    return nullptr;
  }
  return BindFunction(node);
}

TypedPtr ExprBinder::RefuseFunction(const Node& node) {
  if (RefuseWindowFunction(node)) return nullptr;
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
  std::vector<std::string> names;
  for (const AggregateName& aggregate : kAggregates) {
    if (!allow_aggregates_) break;
    names.push_back(std::string(aggregate.name));
  }
  for (std::string& name : FunctionNames()) names.push_back(std::move(name));
  reporter_->Error(node.name_span,
                   absl::StrCat("unknown function \"", node.text, "\""),
                   SuggestName(node.text, names, "the functions are"));
  return nullptr;
}

TypedPtr ExprBinder::BindCoalesce(const Node& node) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kCoalesce;
  typed->span = node.span;
  return BindAlike(node, typed.get()) ? std::move(typed) : nullptr;
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
                absl::StrCat("write count(*), or ", node.text,
                             IsBy(kind) ? "(x, y)" : "(column)"));
  }
  if (IsBy(kind) && node.args.size() != 2) {
    return fail(
        absl::StrCat(node.text, " needs two values, found ", node.args.size()),
        absl::StrCat("write ", node.text, "(x, y): the x where y is ",
                     kind == AggregateKind::kMinBy ? "least" : "greatest"));
  }
  if (!IsBy(kind) && node.args.size() != 1) {
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
  if (!BindOrderBy(node, out) || out->argument == nullptr) return false;
  const Typed& argument = *out->argument;
  if (!HasType(node, argument)) return false;
  Type type = argument.type;
  bool number =
      type == Type::kInt || type == Type::kBigint || type == Type::kDouble;
  bool needs_number = out->kind == AggregateKind::kSum ||
                      out->kind == AggregateKind::kAvg || IsVariance(out->kind);
  if (needs_number && !number) {
    reporter_->Error(
        argument.span,
        absl::StrCat(node.text, " needs a number, found ", ShowType(argument)));
    return false;
  }
  out->result = ResultOf(out->kind, type);
  return true;
}

bool ExprBinder::HasType(const Node& node, const Typed& typed) {
  if (!typed.untyped) return true;
  reporter_->Error(typed.span,
                   absl::StrCat("the NULL in ", node.text, " has no type"),
                   "write CAST(NULL AS …)");
  return false;
}

// What first_value and last_value, min_by and max_by go by.
bool ExprBinder::BindOrderBy(const Node& node, Aggregate* out) {
  const bool by = IsBy(out->kind);
  if (!by && node.order_by == nullptr) return true;
  out->order_by = BindNode(by ? *node.args[1] : *node.order_by);
  if (out->order_by == nullptr) return false;
  const Typed& order_by = *out->order_by;
  if (by) {
    if (!HasType(node, order_by)) return false;
    if (order_by.type != Type::kVarchar) return true;
    reporter_->Error(
        order_by.span,
        absl::StrCat("not supported: ", node.text, " by a VARCHAR"),
        "its second value is a number, a BOOLEAN or a TIMESTAMPTZ");
    return false;
  }
  if (order_by.type == Type::kTimestamptz) return true;
  reporter_->Error(order_by.span, absl::StrCat("ORDER BY in ", node.text,
                                               " needs a TIMESTAMPTZ, found ",
                                               ShowType(order_by)));
  return false;
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
