// Conversions, comparisons and the predicates made of them.
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "views/plan/cast.h"
#include "views/sql/bind_expr.h"

namespace tidegate::sql {
namespace {

bool IsNumeric(Type type) {
  return type == Type::kInt || type == Type::kBigint || type == Type::kDouble;
}

}  // namespace

bool ExprBinder::CanCoerce(const Typed& typed, Type target) {
  if (typed.untyped || typed.type == target) return true;
  if (typed.literal) return target == Type::kTimestamptz;
  return IsNumeric(typed.type) && IsNumeric(target) &&
         static_cast<int>(typed.type) < static_cast<int>(target);
}

TypedPtr ExprBinder::Coerce(TypedPtr typed, Type target) {
  if (typed == nullptr || !CanCoerce(*typed, target)) return nullptr;
  Type from = typed->type;
  if (typed->untyped) {
    typed->untyped = false;
    typed->type = target;
    return typed;
  }
  if (from == target) return typed;
  if (typed->literal) {
    absl::StatusOr<int64_t> micros = ParseTimestamp(typed->text);
    if (!micros.ok()) {
      reporter_->Error(typed->span,
                       absl::StrCat("not a time: '", typed->text, "'"),
                       "write '2013-01-01T10:00:00Z'");
      return nullptr;
    }
    typed->text.clear();
    typed->literal = false;
    typed->type = target;
    typed->integer = *micros;
    return typed;
  }
  if (typed->kind == TypedKind::kConstant) {
    if (target == Type::kDouble) {
      typed->number = static_cast<double>(typed->integer);
      typed->integer = 0;
    }
    typed->type = target;
    return typed;
  }
  Span span = typed->span;
  return Operation(Op::kCast, target, span, std::move(typed));
}

std::optional<Type> ExprBinder::CommonType(
    const std::vector<const Typed*>& values, absl::string_view what) {
  const Typed* widest = nullptr;
  for (const Typed* value : values) {
    if (value->untyped) continue;
    if (widest == nullptr || CanCoerce(*widest, value->type)) {
      // A string stands back where it may be a time.
      if (widest == nullptr || widest->type != value->type || widest->literal) {
        widest = value;
      }
      continue;
    }
    if (CanCoerce(*value, widest->type)) continue;
    reporter_->Error(value->span,
                     absl::StrCat(what, " mixes ", ShowType(*widest), " and ",
                                  ShowType(*value)),
                     absl::StrCat("write CAST(… AS ", ShowType(*widest), ")"));
    return std::nullopt;
  }
  if (widest == nullptr) {
    reporter_->Error(values[0]->span,
                     absl::StrCat(what, " has no type: every value is NULL"),
                     "write CAST(NULL AS …)");
    return std::nullopt;
  }
  return widest->type;
}

TypedPtr ExprBinder::Compare(Op op, Span span, TypedPtr left, TypedPtr right) {
  Type type = left->untyped ? right->type : left->type;
  if (left->untyped && right->untyped) {
    reporter_->Error(span, "cannot compare NULL with NULL",
                     "to test for NULL write IS NULL");
    return nullptr;
  }
  if (!CanCoerce(*right, type)) type = right->type;
  if (!CanCoerce(*left, type)) {
    bool with_text = left->type == Type::kVarchar;
    reporter_->Error(
        span,
        absl::StrCat("cannot compare ", ShowType(*left), " with ",
                     ShowType(*right)),
        absl::StrCat("convert one side: CAST(… AS ",
                     TypeName(with_text ? right->type : left->type), ")"));
    return nullptr;
  }
  left = Coerce(std::move(left), type);
  right = Coerce(std::move(right), type);
  if (left == nullptr || right == nullptr) return nullptr;
  return Operation(op, Type::kBoolean, span, std::move(left), std::move(right));
}

TypedPtr ExprBinder::NeedBoolean(TypedPtr typed, absl::string_view what) {
  if (typed == nullptr) return nullptr;
  if (!CanCoerce(*typed, Type::kBoolean)) {
    reporter_->Error(typed->span, absl::StrCat(what, " needs a BOOLEAN, found ",
                                               ShowType(*typed)));
    return nullptr;
  }
  return Coerce(std::move(typed), Type::kBoolean);
}

TypedPtr ExprBinder::Operation(Op op, Type type, Span span, TypedPtr a,
                               TypedPtr b) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kOperation;
  typed->op = op;
  typed->type = type;
  typed->span = span;
  typed->args.push_back(std::move(a));
  if (b != nullptr) typed->args.push_back(std::move(b));
  return typed;
}

TypedPtr ExprBinder::Not(TypedPtr typed) {
  Span span = typed->span;
  return Operation(Op::kNot, Type::kBoolean, span, std::move(typed));
}

TypedPtr ExprBinder::NullConstant(Type type, Span span) {
  auto typed = std::make_unique<Typed>();
  typed->type = type;
  typed->span = span;
  typed->is_null = true;
  return typed;
}

TypedPtr ExprBinder::Copy(const Typed& typed) {
  copied_nodes_ += TreeSize(typed);
  if (copied_nodes_ > kMaxNodes) {
    reporter_->Error(typed.span, "expression is too large",
                     "CASE, BETWEEN and NULLIF evaluate their operand once for "
                     "each comparison: nest them less");
    return nullptr;
  }
  return Clone(typed);
}

TypedPtr ExprBinder::BindCast(const Node& node) {
  TypedPtr operand = BindNode(*node.args[0]);
  if (operand == nullptr) return nullptr;
  Type from = operand->type;
  if (CanCoerce(*operand, node.type)) {
    TypedPtr coerced = Coerce(std::move(operand), node.type);
    if (coerced == nullptr) return nullptr;
    coerced->span = node.span;
    coerced->literal = false;
    return coerced;
  }
  if (!CanCast(from, node.type)) {
    reporter_->Error(node.span, absl::StrCat("cannot cast ", TypeName(from),
                                             " to ", TypeName(node.type)));
    return nullptr;
  }
  return Operation(Op::kCast, node.type, node.span, std::move(operand));
}

TypedPtr ExprBinder::BindIn(const Node& node) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kIn;
  typed->span = node.span;
  typed->type = Type::kBoolean;
  std::vector<const Typed*> values;
  bool ok = true;
  for (const NodePtr& arg : node.args) {
    typed->args.push_back(BindNode(*arg));
    ok = ok && typed->args.back() != nullptr;
    values.push_back(typed->args.back().get());
  }
  if (!ok) return nullptr;
  std::optional<Type> type = CommonType(values, "IN");
  if (!type.has_value()) return nullptr;
  for (TypedPtr& arg : typed->args) {
    arg = Coerce(std::move(arg), *type);
    if (arg == nullptr) return nullptr;
  }
  return node.negated ? Not(std::move(typed)) : std::move(typed);
}

// x BETWEEN a AND b is x >= a AND x <= b.
TypedPtr ExprBinder::BindBetween(const Node& node) {
  TypedPtr operand = BindNode(*node.args[0]);
  TypedPtr low = BindNode(*node.args[1]);
  TypedPtr high = BindNode(*node.args[2]);
  if (operand == nullptr || low == nullptr || high == nullptr) return nullptr;
  TypedPtr copy = Copy(*operand);
  if (copy == nullptr) return nullptr;
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kAnd;
  typed->span = node.span;
  typed->type = Type::kBoolean;
  typed->args.push_back(Compare(Op::kGreaterEqual, node.span,
                                std::move(operand), std::move(low)));
  typed->args.push_back(
      Compare(Op::kLessEqual, node.span, std::move(copy), std::move(high)));
  if (typed->args[0] == nullptr || typed->args[1] == nullptr) return nullptr;
  return node.negated ? Not(std::move(typed)) : std::move(typed);
}

TypedPtr ExprBinder::BindLike(const Node& node) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kLike;
  typed->span = node.span;
  typed->type = Type::kBoolean;
  typed->has_escape = node.has_escape;
  typed->text = node.text;
  if (node.has_escape && (node.text.empty() ||
                          Utf8SequenceLength(node.text) != node.text.size())) {
    reporter_->Error(node.name_span, "ESCAPE needs exactly one character",
                     "write ESCAPE '\\'");
    return nullptr;
  }
  for (const NodePtr& arg : node.args) {
    TypedPtr side = BindNode(*arg);
    if (side == nullptr) return nullptr;
    if (side->type != Type::kVarchar) {
      reporter_->Error(side->span, absl::StrCat("LIKE needs VARCHAR, found ",
                                                ShowType(*side)));
      return nullptr;
    }
    typed->args.push_back(Coerce(std::move(side), Type::kVarchar));
  }
  return node.negated ? Not(std::move(typed)) : std::move(typed);
}

}  // namespace tidegate::sql
