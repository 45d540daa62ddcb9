#include "views/sql/bind_expr.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/suggest.h"
#include "views/plan/arithmetic.h"

namespace tidegate::sql {
namespace {

bool IsNumeric(Type type) {
  return type == Type::kInt || type == Type::kBigint || type == Type::kDouble;
}

// INT widens to BIGINT and that to DOUBLE PRECISION.
bool Widens(Type from, Type to) {
  return IsNumeric(from) && IsNumeric(to) &&
         static_cast<int>(from) <= static_cast<int>(to);
}

}  // namespace

std::string ShowType(const Typed& typed) {
  return typed.untyped ? "NULL" : std::string(TypeName(typed.type));
}

std::string SuggestName(absl::string_view word,
                        const std::vector<std::string>& names,
                        absl::string_view what) {
  constexpr size_t kMaxListed = 8;
  std::string near = Nearest(word, names);
  if (!near.empty()) return absl::StrCat("did you mean \"", near, "\"?");
  if (names.empty()) return "";
  std::vector<std::string> listed(
      names.begin(), names.begin() + std::min(names.size(), kMaxListed));
  return absl::StrCat(what, ": ", absl::StrJoin(listed, ", "),
                      names.size() > kMaxListed ? ", …" : "");
}

TypedPtr ExprBinder::Bind(const Node& node, absl::string_view place,
                          bool allow_aggregates) {
  place_ = std::string(place);
  allow_aggregates_ = allow_aggregates;
  inside_aggregate_ = false;
  inside_lag_ = false;
  return BindNode(node);
}

TypedPtr ExprBinder::BindCondition(const Node& node, absl::string_view place) {
  return NeedBoolean(Bind(node, place), place);
}

TypedPtr ExprBinder::BindNode(const Node& node) {
  switch (node.kind) {
    case NodeKind::kBad:
      return nullptr;
    case NodeKind::kNull:
    case NodeKind::kBoolean:
    case NodeKind::kInteger:
    case NodeKind::kDouble:
    case NodeKind::kString:
    case NodeKind::kTimestamp:
    case NodeKind::kInterval:
      return BindLiteral(node);
    case NodeKind::kColumn:
      return BindColumn(node);
    case NodeKind::kNegate:
      return BindNegate(node);
    case NodeKind::kNot: {
      TypedPtr operand = NeedBoolean(BindNode(*node.args[0]), "NOT");
      return operand == nullptr ? nullptr : Not(std::move(operand));
    }
    case NodeKind::kBinary:
      return BindBinary(node);
    case NodeKind::kAnd:
    case NodeKind::kOr:
      return BindLogic(node);
    case NodeKind::kIsNull:
      return BindIsNull(node);
    case NodeKind::kIsTruth:
      return BindIsTruth(node);
    case NodeKind::kCase:
      return BindCase(node);
    case NodeKind::kCast:
      return BindCast(node);
    case NodeKind::kCall:
      return BindCall(node);
    case NodeKind::kIn:
      return BindIn(node);
    case NodeKind::kBetween:
      return BindBetween(node);
    case NodeKind::kLike:
      return BindLike(node);
  }
  return nullptr;
}

TypedPtr ExprBinder::BindLiteral(const Node& node) {
  if (node.kind == NodeKind::kInterval) {
    reporter_->Error(node.span, "an INTERVAL is not a value here",
                     "an INTERVAL is added to or subtracted from a "
                     "TIMESTAMPTZ: ts - INTERVAL '1' HOUR");
    return nullptr;
  }
  TypedPtr typed = NullConstant(Type::kVarchar, node.span);
  typed->is_null = node.kind == NodeKind::kNull;
  typed->untyped = typed->is_null;
  typed->integer = node.integer;
  typed->number = node.number;
  typed->text = node.text;
  switch (node.kind) {
    case NodeKind::kBoolean:
      typed->type = Type::kBoolean;
      break;
    case NodeKind::kInteger:
      typed->type = node.integer >= std::numeric_limits<int32_t>::min() &&
                            node.integer <= std::numeric_limits<int32_t>::max()
                        ? Type::kInt
                        : Type::kBigint;
      break;
    case NodeKind::kDouble:
      typed->type = Type::kDouble;
      break;
    case NodeKind::kTimestamp:
      typed->type = Type::kTimestamptz;
      break;
    default:
      typed->literal = node.kind == NodeKind::kString;
      break;
  }
  return typed;
}

TypedPtr ExprBinder::BindColumn(const Node& node) {
  const Relation* found_in = nullptr;
  size_t position = 0;
  std::vector<std::string> choices;
  bool qualifier_known = false;
  for (const Relation& relation : relations_) {
    if (!node.qualifier.text.empty()) {
      if (relation.alias != node.qualifier.text) continue;
      qualifier_known = true;
    }
    for (size_t i = 0; i < relation.columns.size(); ++i) {
      if (relation.columns[i].name != node.text) continue;
      choices.push_back(absl::StrCat(relation.alias, ".", node.text));
      found_in = &relation;
      position = i;
    }
  }
  if (!node.qualifier.text.empty() && !qualifier_known) {
    std::vector<std::string> aliases;
    // A join that could not be read may have brought the alias.
    if (relations_[0].broken) return nullptr;
    for (const Relation& relation : relations_) {
      bool known =
          std::count(aliases.begin(), aliases.end(), relation.alias) > 0;
      if (!relation.alias.empty() && !known) aliases.push_back(relation.alias);
    }
    reporter_->Error(
        node.qualifier.span,
        absl::StrCat("unknown table or alias \"", node.qualifier.text, "\""),
        SuggestName(node.qualifier.text, aliases, "there is"));
    return nullptr;
  }
  if (choices.empty()) return ReportUnknown(node);
  if (choices.size() > 1) {
    reporter_->Error(node.span,
                     absl::StrCat("column \"", node.text, "\" is ambiguous"),
                     absl::StrCat("write ", absl::StrJoin(choices, " or ")));
    return nullptr;
  }
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kColumn;
  typed->span = node.span;
  typed->type = found_in->columns[position].type;
  typed->index = found_in->first + static_cast<int>(position);
  return typed;
}

TypedPtr ExprBinder::ReportUnknown(const Node& node) {
  std::vector<std::string> names;
  for (const Relation& relation : relations_) {
    if (!node.qualifier.text.empty() && relation.alias != node.qualifier.text) {
      continue;
    }
    if (relation.broken) return nullptr;
    for (const Column& column : relation.columns) names.push_back(column.name);
  }
  bool of_window = node.text == "window_start" || node.text == "window_end";
  reporter_->Error(node.name_span,
                   absl::StrCat("unknown column \"", node.text, "\""),
                   of_window && !window_help_.empty()
                       ? window_help_
                       : SuggestName(node.text, names, "the columns are"));
  return nullptr;
}

const Column* ExprBinder::Find(absl::string_view name) const {
  for (const Relation& relation : relations_) {
    for (const Column& column : relation.columns) {
      if (column.name == name) return &column;
    }
  }
  return nullptr;
}

TypedPtr ExprBinder::BindNegate(const Node& node) {
  TypedPtr operand = BindNode(*node.args[0]);
  if (operand == nullptr) return nullptr;
  if (operand->untyped || !IsNumeric(operand->type)) {
    reporter_->Error(node.span, absl::StrCat("- needs a number, found ",
                                             ShowType(*operand)));
    return nullptr;
  }
  Type type = operand->type;
  return Operation(Op::kNegate, type, node.span, std::move(operand));
}

TypedPtr ExprBinder::BindBinary(const Node& node) {
  bool interval = node.args[0]->kind == NodeKind::kInterval ||
                  node.args[1]->kind == NodeKind::kInterval;
  if (interval && (node.op == Op::kAdd || node.op == Op::kSubtract)) {
    return BindTimeShift(node);
  }
  TypedPtr left = BindNode(*node.args[0]);
  TypedPtr right = BindNode(*node.args[1]);
  if (left == nullptr || right == nullptr) return nullptr;
  switch (node.op) {
    case Op::kConcat:
      return BindConcat(node, std::move(left), std::move(right));
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return BindArithmetic(node, std::move(left), std::move(right));
    default:
      return Compare(node.op, node.span, std::move(left), std::move(right));
  }
}

TypedPtr ExprBinder::BindTimeShift(const Node& node) {
  bool first = node.args[0]->kind == NodeKind::kInterval;
  const Node& interval = *node.args[first ? 0 : 1];
  const Node& other = *node.args[first ? 1 : 0];
  if (first && node.op == Op::kSubtract) {
    reporter_->Error(node.span, "cannot subtract from an INTERVAL",
                     "write ts - INTERVAL '…'");
    return nullptr;
  }
  TypedPtr time = BindNode(other);
  if (time == nullptr) return nullptr;
  if (!CanCoerce(*time, Type::kTimestamptz)) {
    reporter_->Error(node.span,
                     absl::StrCat("cannot apply ", ArithmeticSymbol(node.op),
                                  " to ", ShowType(*time), " and INTERVAL"),
                     "an INTERVAL goes with a TIMESTAMPTZ");
    return nullptr;
  }
  time = Coerce(std::move(time), Type::kTimestamptz);
  if (time == nullptr) return nullptr;
  TypedPtr shift = NullConstant(Type::kTimestamptz, interval.span);
  shift->is_null = false;
  shift->integer = interval.integer;
  return Operation(node.op, Type::kTimestamptz, node.span, std::move(time),
                   std::move(shift));
}

TypedPtr ExprBinder::BindArithmetic(const Node& node, TypedPtr left,
                                    TypedPtr right) {
  Type type = Type::kInt;
  bool ok = !(left->untyped && right->untyped);
  for (const Typed* side : {left.get(), right.get()}) {
    if (side->untyped) continue;
    ok = ok && IsNumeric(side->type) &&
         !(node.op == Op::kModulo && side->type == Type::kDouble);
    if (Widens(type, side->type)) type = side->type;
  }
  if (!ok) {
    std::string help;
    if (node.op == Op::kModulo) help = "% takes INT or BIGINT";
    if (left->type == Type::kTimestamptz || right->type == Type::kTimestamptz) {
      help = "a TIMESTAMPTZ goes with a constant: ts - INTERVAL '1' HOUR";
    } else if (node.op == Op::kAdd && (left->type == Type::kVarchar ||
                                       right->type == Type::kVarchar)) {
      help = "write || to join text";
    }
    reporter_->Error(
        node.span,
        absl::StrCat("cannot apply ", ArithmeticSymbol(node.op), " to ",
                     ShowType(*left), " and ", ShowType(*right)),
        help);
    return nullptr;
  }
  left = Coerce(std::move(left), type);
  right = Coerce(std::move(right), type);
  return Operation(node.op, type, node.span, std::move(left), std::move(right));
}

TypedPtr ExprBinder::BindConcat(const Node& node, TypedPtr left,
                                TypedPtr right) {
  for (const Typed* side : {left.get(), right.get()}) {
    if (side->type == Type::kVarchar) continue;
    reporter_->Error(
        side->span,
        absl::StrCat("|| needs VARCHAR on both sides, found ", ShowType(*side)),
        "write CAST(… AS VARCHAR)");
    return nullptr;
  }
  left = Coerce(std::move(left), Type::kVarchar);
  right = Coerce(std::move(right), Type::kVarchar);
  return Operation(Op::kConcat, Type::kVarchar, node.span, std::move(left),
                   std::move(right));
}

TypedPtr ExprBinder::BindLogic(const Node& node) {
  bool is_and = node.kind == NodeKind::kAnd;
  auto typed = std::make_unique<Typed>();
  typed->kind = is_and ? TypedKind::kAnd : TypedKind::kOr;
  typed->span = node.span;
  typed->type = Type::kBoolean;
  bool ok = true;
  for (const NodePtr& arg : node.args) {
    typed->args.push_back(NeedBoolean(BindNode(*arg), is_and ? "AND" : "OR"));
    ok = ok && typed->args.back() != nullptr;
  }
  return ok ? std::move(typed) : nullptr;
}

TypedPtr ExprBinder::BindIsNull(const Node& node) {
  TypedPtr operand = BindNode(*node.args[0]);
  if (operand == nullptr) return nullptr;
  operand->untyped = false;
  return Operation(node.negated ? Op::kIsNotNull : Op::kIsNull, Type::kBoolean,
                   node.span, std::move(operand));
}

// x IS TRUE is COALESCE(x, FALSE).
TypedPtr ExprBinder::BindIsTruth(const Node& node) {
  TypedPtr operand = NeedBoolean(BindNode(*node.args[0]),
                                 node.integer != 0 ? "IS TRUE" : "IS FALSE");
  if (operand == nullptr) return nullptr;
  if (node.integer == 0) operand = Not(std::move(operand));
  TypedPtr no = NullConstant(Type::kBoolean, node.span);
  no->is_null = false;
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kCoalesce;
  typed->span = node.span;
  typed->type = Type::kBoolean;
  typed->args.push_back(std::move(operand));
  typed->args.push_back(std::move(no));
  return node.negated ? Not(std::move(typed)) : std::move(typed);
}

TypedPtr ExprBinder::BindCase(const Node& node) {
  size_t first = node.has_operand ? 1 : 0;
  size_t arms_end = node.args.size() - (node.has_else ? 1 : 0);
  TypedPtr operand;
  bool ok = true;
  if (node.has_operand) {
    operand = BindNode(*node.args[0]);
    ok = operand != nullptr;
  }
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kCase;
  typed->span = node.span;
  for (size_t i = first; i < arms_end; i += 2) {
    TypedPtr condition = BindNode(*node.args[i]);
    if (!node.has_operand) {
      condition = NeedBoolean(std::move(condition), "WHEN");
    } else if (condition != nullptr && operand != nullptr) {
      TypedPtr copy = Copy(*operand);
      if (copy == nullptr) return nullptr;
      Span span = condition->span;
      condition =
          Compare(Op::kEqual, span, std::move(copy), std::move(condition));
    }
    TypedPtr value = BindNode(*node.args[i + 1]);
    ok = ok && condition != nullptr && value != nullptr;
    typed->args.push_back(std::move(condition));
    typed->args.push_back(std::move(value));
  }
  TypedPtr otherwise = NullConstant(Type::kVarchar, node.span);
  otherwise->untyped = true;
  if (node.has_else) otherwise = BindNode(*node.args.back());
  if (!ok || otherwise == nullptr) return nullptr;
  typed->args.push_back(std::move(otherwise));
  std::vector<const Typed*> values = {typed->args.back().get()};
  for (size_t i = 1; i + 1 < typed->args.size(); i += 2) {
    values.push_back(typed->args[i].get());
  }
  std::optional<Type> type = CommonType(values, "CASE");
  if (!type.has_value()) return nullptr;
  typed->type = *type;
  for (size_t i = 0; i < typed->args.size(); ++i) {
    bool value = i % 2 == 1 || i + 1 == typed->args.size();
    if (!value) continue;
    typed->args[i] = Coerce(std::move(typed->args[i]), *type);
    if (typed->args[i] == nullptr) return nullptr;
  }
  return typed;
}

}  // namespace tidegate::sql
