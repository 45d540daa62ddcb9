// Scalar functions.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/suggest.h"
#include "views/plan/function.h"
#include "views/sql/bind_expr.h"

namespace tidegate::sql {
namespace {

// A function whose arguments have fixed types.
struct Signature {
  absl::string_view name;
  Function function;
  Type result;
  size_t min_args;
  size_t max_args;
  Type args[3];
};

constexpr Type kText = Type::kVarchar;
constexpr Type kReal = Type::kDouble;

constexpr Signature kSignatures[] = {
    {"length", Function::kLength, Type::kInt, 1, 1, {kText}},
    {"lower", Function::kLower, kText, 1, 1, {kText}},
    {"upper", Function::kUpper, kText, 1, 1, {kText}},
    {"replace", Function::kReplace, kText, 3, 3, {kText, kText, kText}},
    {"substring",
     Function::kSubstring,
     kText,
     2,
     3,
     {kText, Type::kBigint, Type::kBigint}},
    {"substr",
     Function::kSubstring,
     kText,
     2,
     3,
     {kText, Type::kBigint, Type::kBigint}},
    {"trim", Function::kTrim, kText, 1, 1, {kText}},
    {"round", Function::kRound, kReal, 1, 1, {kReal}},
    {"floor", Function::kFloor, kReal, 1, 1, {kReal}},
    {"ceil", Function::kCeil, kReal, 1, 1, {kReal}},
    {"ceiling", Function::kCeil, kReal, 1, 1, {kReal}},
};

struct TimePart {
  absl::string_view name;
  Function function;
  Type result;
};

constexpr TimePart kFields[] = {
    {"year", Function::kYear, Type::kBigint},
    {"month", Function::kMonth, Type::kBigint},
    {"day", Function::kDay, Type::kBigint},
    {"hour", Function::kHour, Type::kBigint},
    {"minute", Function::kMinute, Type::kBigint},
    {"second", Function::kSecond, Type::kDouble},
    {"dow", Function::kDayOfWeek, Type::kBigint},
    {"doy", Function::kDayOfYear, Type::kBigint},
    {"epoch", Function::kEpoch, Type::kDouble},
};

constexpr TimePart kUnits[] = {
    {"second", Function::kStartOfSecond, Type::kTimestamptz},
    {"minute", Function::kStartOfMinute, Type::kTimestamptz},
    {"hour", Function::kStartOfHour, Type::kTimestamptz},
    {"day", Function::kStartOfDay, Type::kTimestamptz},
    {"month", Function::kStartOfMonth, Type::kTimestamptz},
    {"year", Function::kStartOfYear, Type::kTimestamptz},
};

// "two values", "two or three values"; for errors.
std::string ShowCount(size_t min, size_t max) {
  constexpr absl::string_view kWords[] = {"no", "one", "two", "three"};
  return absl::StrCat(min == max ? "" : absl::StrCat(kWords[min], " or "),
                      kWords[max], max == 1 ? " value" : " values");
}

// Of nine names at most; SuggestName would leave some out.
std::string SuggestPart(absl::string_view word, absl::string_view what,
                        const std::vector<std::string>& names) {
  const std::string near = Nearest(word, names);
  return near.empty()
             ? absl::StrCat("the ", what, "s are: ", absl::StrJoin(names, ", "))
             : absl::StrCat("did you mean \"", near, "\"?");
}

}  // namespace

std::vector<std::string> FunctionNames() {
  std::vector<std::string> names = {"coalesce",  "nullif",    "greatest",
                                    "least",     "abs",       "extract",
                                    "date_part", "date_trunc"};
  for (const Signature& signature : kSignatures) {
    names.push_back(std::string(signature.name));
  }
  return names;
}

TypedPtr ExprBinder::MakeFunction(Function function, Type type, Span span) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kFunction;
  typed->index = static_cast<int>(function);
  typed->type = type;
  typed->span = span;
  return typed;
}

TypedPtr ExprBinder::BindFunction(const Node& node) {
  if (node.text == "coalesce") return BindCoalesce(node);
  if (node.text == "nullif") return BindNullIf(node);
  if (node.text == "abs") return BindAbs(node);
  if (node.text == "greatest") return BindChoice(node, Function::kGreatest);
  if (node.text == "least") return BindChoice(node, Function::kLeast);
  for (const Signature& signature : kSignatures) {
    if (node.text != signature.name) continue;
    if (!CheckCount(node, signature.min_args, signature.max_args)) {
      return nullptr;
    }
    TypedPtr typed =
        MakeFunction(signature.function, signature.result, node.span);
    bool ok = true;
    for (size_t i = 0; i < node.args.size(); ++i) {
      typed->args.push_back(
          BindArgument(node, *node.args[i], signature.args[i]));
      ok = ok && typed->args.back() != nullptr;
    }
    return ok ? std::move(typed) : nullptr;
  }
  return BindTimePart(node);
}

bool ExprBinder::CheckCount(const Node& node, size_t min, size_t max) {
  const size_t count = node.args.size();
  if (count >= min && count <= max) return true;
  reporter_->Error(node.span,
                   absl::StrCat(node.text, " needs ", ShowCount(min, max),
                                ", found ", count));
  return false;
}

TypedPtr ExprBinder::BindArgument(const Node& node, const Node& argument,
                                  Type type) {
  TypedPtr typed = BindNode(argument);
  if (typed == nullptr) return nullptr;
  if (!CanCoerce(*typed, type)) {
    std::string help;
    if (type == Type::kVarchar) help = "write CAST(… AS VARCHAR)";
    reporter_->Error(typed->span,
                     absl::StrCat(node.text, " needs a ", TypeName(type),
                                  " here, found ", ShowType(*typed)),
                     help);
    return nullptr;
  }
  return Coerce(std::move(typed), type);
}

TypedPtr ExprBinder::BindAbs(const Node& node) {
  if (!CheckCount(node, 1, 1)) return nullptr;
  TypedPtr value = BindNode(*node.args[0]);
  if (value == nullptr) return nullptr;
  // A NULL without a type becomes a DOUBLE PRECISION.
  if (value->untyped) value = Coerce(std::move(value), Type::kDouble);
  const Type type = value->type;
  if (!CanCoerce(*value, Type::kDouble)) {
    reporter_->Error(value->span, absl::StrCat("abs needs a number, found ",
                                               ShowType(*value)));
    return nullptr;
  }
  TypedPtr typed = MakeFunction(Function::kAbs, type, node.span);
  typed->args.push_back(std::move(value));
  return typed;
}

bool ExprBinder::BindAlike(const Node& node, Typed* typed) {
  if (node.args.empty()) {
    reporter_->Error(node.span,
                     absl::StrCat(node.text, " needs at least one value"));
    return false;
  }
  std::vector<const Typed*> values;
  bool ok = true;
  for (const NodePtr& arg : node.args) {
    typed->args.push_back(BindNode(*arg));
    ok = ok && typed->args.back() != nullptr;
    values.push_back(typed->args.back().get());
  }
  if (!ok) return false;
  const std::optional<Type> type = CommonType(values, node.text);
  if (!type.has_value()) return false;
  typed->type = *type;
  for (TypedPtr& arg : typed->args) {
    arg = Coerce(std::move(arg), *type);
    if (arg == nullptr) return false;
  }
  return true;
}

TypedPtr ExprBinder::BindChoice(const Node& node, Function function) {
  TypedPtr typed = MakeFunction(function, Type::kVarchar, node.span);
  return BindAlike(node, typed.get()) ? std::move(typed) : nullptr;
}

TypedPtr ExprBinder::BindTimePart(const Node& node) {
  if (!CheckCount(node, 2, 2)) return nullptr;
  const Node& part = *node.args[0];
  const bool is_unit = node.text == "date_trunc";
  const absl::string_view what = is_unit ? "unit" : "field";
  if (part.kind != NodeKind::kString) {
    reporter_->Error(
        part.span,
        absl::StrCat(node.text, " needs a ", what, " in single quotes"),
        absl::StrCat("write ", node.text, "('", is_unit ? "hour" : "year",
                     "', ts)"));
    return nullptr;
  }
  const absl::Span<const TimePart> parts =
      is_unit ? absl::MakeConstSpan(kUnits) : absl::MakeConstSpan(kFields);
  const std::string name = absl::AsciiStrToLower(part.text);
  std::vector<std::string> names;
  for (const TimePart& candidate : parts) {
    if (name != candidate.name) {
      names.push_back(std::string(candidate.name));
      continue;
    }
    TypedPtr time = BindArgument(node, *node.args[1], Type::kTimestamptz);
    if (time == nullptr) return nullptr;
    TypedPtr typed =
        MakeFunction(candidate.function, candidate.result, node.span);
    typed->args.push_back(std::move(time));
    return typed;
  }
  reporter_->Error(
      part.span,
      absl::StrCat(node.text, " has no ", what, " \"", part.text, "\""),
      SuggestPart(name, what, names));
  return nullptr;
}

}  // namespace tidegate::sql
