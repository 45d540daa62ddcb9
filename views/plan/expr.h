// A compiled SQL expression: a flat postfix program over a row of datums.
#ifndef TIDEGATE_VIEWS_PLAN_EXPR_H_
#define TIDEGATE_VIEWS_PLAN_EXPR_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "views/plan/datum.h"

namespace tidegate {

// Memory for text made during one evaluation; Reset() when the row is done.
// Thread-compatible.
class TextArena {
 public:
  // What one evaluation may cost. By default nothing is limited but each text,
  // to kMaxTextBytes.
  struct Limits {
    // Of text, in all.
    uint64_t made_bytes = std::numeric_limits<uint64_t>::max();
    // Each compares one element of a LIKE pattern with the text.
    uint64_t like_steps = std::numeric_limits<uint64_t>::max();
  };

  TextArena() = default;
  explicit TextArena(const Limits& limits)
      : limits_(limits), like_steps_(limits.like_steps) {}

  // Copies `text`; valid until Reset().
  absl::string_view Copy(absl::string_view text);
  char* Allocate(uint32_t size);
  // How long the next text may be; Allocate leaves it to its callers to ask.
  uint64_t room() const {
    if (made_bytes_ >= limits_.made_bytes) return 0;
    return std::min<uint64_t>(limits_.made_bytes - made_bytes_, kMaxTextBytes);
  }
  // What LIKE has left.
  uint64_t* like_steps() { return &like_steps_; }
  void Reset();

 private:
  static constexpr uint32_t kBlockBytes = 16 << 10;
  std::vector<std::vector<char>> blocks_;
  size_t used_blocks_ = 0;
  size_t used_bytes_ = 0;
  Limits limits_;
  uint64_t made_bytes_ = 0;
  uint64_t like_steps_ = limits_.like_steps;
};

// What an instruction does. Operands are taken off a stack, the result is put
// on it. Instructions are typed: the binder has inserted every conversion, so
// both sides of a comparison or an arithmetic operation have one type.
enum class Op : uint8_t {
  kColumn,    // arg: input column
  kConstant,  // arg: index into constants
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,  // integers truncate toward zero; by zero is an error
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,  // three-valued, over two operands, both evaluated
  kOr,
  kNot,
  kIsNull,
  kIsNotNull,
  kConcat,
  kLike,  // arg: 1 if an escape character stands in constants[arg2]
  kCast,  // from `type` to `to`
  // Control, with `arg` the instruction to go to; jumps only go forward.
  kJump,
  kJumpIfNotTrue,  // pops the condition; CASE WHEN
  kJumpIfNotNull,  // keeps the value if it jumps, pops it if not; COALESCE
  kJumpIfFalse,    // keeps FALSE and jumps, else keeps the value; AND
  kJumpIfTrue,     // keeps TRUE and jumps, else keeps the value; OR
  kIn,             // top `arg` values are the list, below them the operand
  kCall,           // arg: a Function of function.h; arg2: how many operands
};

struct Instruction {
  Op op = Op::kColumn;
  Type type = Type::kBoolean;  // of the operands (kCast: the source; kCall:
                               // the first)
  Type to = Type::kBoolean;    // of the result
  int32_t arg = 0;
  int32_t arg2 = 0;
};

// Immutable after the binder built it; thread-safe to evaluate with an arena
// and stack of one's own.
struct Expr {
  Type type = Type::kBoolean;  // of the result
  std::vector<Instruction> code;
  std::vector<Datum> constants;
  // Backs the text of `constants`; shared, so that a copied or moved Expr keeps
  // it alive and in place.
  std::vector<std::shared_ptr<const std::string>> constant_text;
  int max_stack = 0;  // at most kMaxExprStack

  bool is_constant() const;
};

inline constexpr int kMaxExprStack = 256;

// Evaluates expr over `row`. OutOfRange on overflow, division by zero, a failed
// CAST and what a function refuses, naming the operation and the values.
// `arena` holds text that the result may borrow; the rest borrows from `row` or
// `expr`.
absl::Status Evaluate(const Expr& expr, Row row, TextArena* arena,
                      Datum* result);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_EXPR_H_
