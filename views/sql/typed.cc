#include "views/sql/typed.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "views/plan/function.h"

namespace tidegate::sql {
namespace {

// One kIn takes at most so many values from the stack; longer lists are
// several, joined by OR.
constexpr size_t kMaxInValues = 100;

// Bounds what repeated operands of long IN lists can grow to.
constexpr size_t kMaxInstructions = 1'000'000;

class Emitter {
 public:
  explicit Emitter(Expr* expr) : expr_(expr) {}

  void Run(const Typed& typed) {
    Visit(typed);
    expr_->type = typed.type;
    expr_->max_stack = max_depth_;
  }

 private:
  // Appends an instruction that takes `pops` values and puts `pushes`.
  size_t Append(Instruction instruction, int pops, int pushes) {
    expr_->code.push_back(instruction);
    depth_ += pushes - pops;
    max_depth_ = std::max(max_depth_, depth_);
    return expr_->code.size() - 1;
  }
  size_t Append(Op op, Type type, Type to, int pops, int pushes,
                int32_t arg = 0) {
    return Append(Instruction{op, type, to, arg, 0}, pops, pushes);
  }
  // Makes the jump at `at` go to the next instruction.
  void Land(size_t at) {
    expr_->code[at].arg = static_cast<int32_t>(expr_->code.size());
  }
  void Land(const std::vector<size_t>& jumps) {
    for (size_t at : jumps) Land(at);
  }

  Datum AddText(const std::string& text) {
    expr_->constant_text.push_back(std::make_shared<const std::string>(text));
    return Datum::Text(*expr_->constant_text.back());
  }

  int32_t AddConstant(const Datum& datum) {
    expr_->constants.push_back(datum);
    return static_cast<int32_t>(expr_->constants.size() - 1);
  }

  Datum ConstantOf(const Typed& typed) {
    if (typed.is_null) return Datum::Null();
    switch (typed.type) {
      case Type::kBoolean:
        return Datum::Bool(typed.integer != 0);
      case Type::kDouble:
        return Datum::Double(typed.number);
      case Type::kVarchar:
        return AddText(typed.text);
      default:
        return Datum::Int(typed.integer);
    }
  }

  void Visit(const Typed& typed) {
    if (expr_->code.size() > kMaxInstructions) return;
    switch (typed.kind) {
      case TypedKind::kColumn:
      case TypedKind::kAggregate:
        Append(Op::kColumn, typed.type, typed.type, 0, 1, typed.index);
        return;
      case TypedKind::kConstant:
        Append(Op::kConstant, typed.type, typed.type, 0, 1,
               AddConstant(ConstantOf(typed)));
        return;
      case TypedKind::kOperation:
        VisitOperation(typed);
        return;
      case TypedKind::kAnd:
        VisitLogic(typed, Op::kJumpIfFalse, Op::kAnd);
        return;
      case TypedKind::kOr:
        VisitLogic(typed, Op::kJumpIfTrue, Op::kOr);
        return;
      case TypedKind::kCase:
        VisitCase(typed);
        return;
      case TypedKind::kCoalesce:
        VisitCoalesce(typed);
        return;
      case TypedKind::kIn:
        VisitIn(typed);
        return;
      case TypedKind::kLike:
        VisitLike(typed);
        return;
      case TypedKind::kFunction:
        VisitFunction(typed);
        return;
    }
  }

  void VisitOperation(const Typed& typed) {
    for (const TypedPtr& arg : typed.args) Visit(*arg);
    Type operands = typed.args[0]->type;
    // A time is shifted as the integer it is.
    bool shift = operands == Type::kTimestamptz &&
                 (typed.op == Op::kAdd || typed.op == Op::kSubtract);
    Append(typed.op, shift ? Type::kBigint : operands, typed.type,
           static_cast<int>(typed.args.size()), 1);
  }

  void VisitLogic(const Typed& typed, Op jump, Op combine) {
    std::vector<size_t> jumps;
    Visit(*typed.args[0]);
    for (size_t i = 1; i < typed.args.size(); ++i) {
      jumps.push_back(Append(jump, Type::kBoolean, Type::kBoolean, 1, 1));
      Visit(*typed.args[i]);
      Append(combine, Type::kBoolean, Type::kBoolean, 2, 1);
    }
    Land(jumps);
  }

  void VisitCase(const Typed& typed) {
    std::vector<size_t> ends;
    size_t i = 0;
    for (; i + 1 < typed.args.size(); i += 2) {
      Visit(*typed.args[i]);
      size_t next =
          Append(Op::kJumpIfNotTrue, Type::kBoolean, Type::kBoolean, 1, 0);
      Visit(*typed.args[i + 1]);
      // The value stays on the stack for whoever comes after the CASE, not
      // for the next arm.
      ends.push_back(Append(Op::kJump, typed.type, typed.type, 1, 0));
      Land(next);
    }
    Visit(*typed.args[i]);
    Land(ends);
  }

  void VisitCoalesce(const Typed& typed) {
    std::vector<size_t> ends;
    for (size_t i = 0; i + 1 < typed.args.size(); ++i) {
      Visit(*typed.args[i]);
      ends.push_back(Append(Op::kJumpIfNotNull, typed.type, typed.type, 1, 0));
    }
    Visit(*typed.args.back());
    Land(ends);
  }

  void VisitIn(const Typed& typed) {
    std::vector<size_t> jumps;
    const Typed& operand = *typed.args[0];
    for (size_t from = 1; from < typed.args.size(); from += kMaxInValues) {
      if (from > 1) {
        jumps.push_back(
            Append(Op::kJumpIfTrue, Type::kBoolean, Type::kBoolean, 1, 1));
      }
      size_t to = std::min(typed.args.size(), from + kMaxInValues);
      Visit(operand);
      for (size_t i = from; i < to; ++i) Visit(*typed.args[i]);
      int count = static_cast<int>(to - from);
      Append(Op::kIn, operand.type, Type::kBoolean, count + 1, 1, count);
      if (from > 1) Append(Op::kOr, Type::kBoolean, Type::kBoolean, 2, 1);
    }
    Land(jumps);
  }

  void VisitLike(const Typed& typed) {
    Visit(*typed.args[0]);
    Visit(*typed.args[1]);
    Instruction like{Op::kLike, Type::kVarchar, Type::kBoolean, 0, 0};
    if (typed.has_escape) {
      like.arg = 1;
      like.arg2 = AddConstant(AddText(typed.text));
    }
    Append(like, 2, 1);
  }

  void VisitFunction(const Typed& typed) {
    const auto function = static_cast<Function>(typed.index);
    const bool pairwise =
        function == Function::kGreatest || function == Function::kLeast;
    const Type first = typed.args[0]->type;
    int pending = 0;
    for (const TypedPtr& arg : typed.args) {
      Visit(*arg);
      if (++pending < 2 || !pairwise) continue;
      AppendCall(typed, first, pending);
      pending = 1;
    }
    if (!pairwise) AppendCall(typed, first, pending);
  }

  void AppendCall(const Typed& typed, Type first, int operands) {
    Append(Instruction{Op::kCall, first, typed.type, typed.index, operands},
           operands, 1);
  }

  Expr* expr_;
  int depth_ = 0;
  int max_depth_ = 0;
};

// By bits, so that NaN is itself and -0 is not 0.
bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

template <typename Predicate>
bool AnyNode(const Typed& typed, Predicate predicate) {
  if (predicate(typed)) return true;
  for (const TypedPtr& arg : typed.args) {
    if (AnyNode(*arg, predicate)) return true;
  }
  return false;
}

}  // namespace

bool SameExpression(const Typed& a, const Typed& b) {
  if (a.kind != b.kind || a.type != b.type || a.is_null != b.is_null ||
      a.has_escape != b.has_escape || a.index != b.index ||
      a.integer != b.integer || !SameBits(a.number, b.number) ||
      a.text != b.text || a.args.size() != b.args.size()) {
    return false;
  }
  if (a.kind == TypedKind::kOperation && a.op != b.op) return false;
  for (size_t i = 0; i < a.args.size(); ++i) {
    if (!SameExpression(*a.args[i], *b.args[i])) return false;
  }
  return true;
}

TypedPtr Clone(const Typed& typed) {
  auto copy = std::make_unique<Typed>();
  copy->kind = typed.kind;
  copy->span = typed.span;
  copy->type = typed.type;
  copy->op = typed.op;
  copy->untyped = typed.untyped;
  copy->literal = typed.literal;
  copy->is_null = typed.is_null;
  copy->has_escape = typed.has_escape;
  copy->index = typed.index;
  copy->integer = typed.integer;
  copy->number = typed.number;
  copy->text = typed.text;
  for (const TypedPtr& arg : typed.args) copy->args.push_back(Clone(*arg));
  return copy;
}

int64_t TreeSize(const Typed& typed) {
  int64_t size = 1;
  for (const TypedPtr& arg : typed.args) size += TreeSize(*arg);
  return size;
}

bool ContainsAggregate(const Typed& typed) {
  return AnyNode(
      typed, [](const Typed& t) { return t.kind == TypedKind::kAggregate; });
}

bool ContainsColumn(const Typed& typed) {
  return AnyNode(typed,
                 [](const Typed& t) { return t.kind == TypedKind::kColumn; });
}

std::optional<Expr> Emit(const Typed& typed) {
  Expr expr;
  Emitter(&expr).Run(typed);
  if (expr.max_stack > kMaxExprStack || expr.code.size() > kMaxInstructions) {
    return std::nullopt;
  }
  return expr;
}

}  // namespace tidegate::sql
