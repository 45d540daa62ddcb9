// A bound expression: names and types resolved, conversions inserted; and its
// translation to the flat program of views/plan/expr.h.
#ifndef TIDEGATE_VIEWS_SQL_TYPED_H_
#define TIDEGATE_VIEWS_SQL_TYPED_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "views/plan/expr.h"
#include "views/sql/diagnostics.h"

namespace tidegate::sql {

enum class TypedKind {
  kColumn,     // index: of the input row; the results of lag are columns too
  kAggregate,  // index: of the view's aggregates
  kConstant,   // is_null, integer, number or text, by type
  kOperation,  // op with one or two args of one type (kCast: to type)
  kAnd,        // two args or more
  kOr,
  kCase,      // (condition value)+ value
  kCoalesce,  // one arg or more
  kIn,        // operand, values
  kLike,      // operand, pattern; text: the escape if has_escape
  kFunction,  // index: a Function; kGreatest and kLeast: one arg or more
};

struct Typed;
using TypedPtr = std::unique_ptr<Typed>;

struct Typed {
  TypedKind kind = TypedKind::kConstant;
  Span span;
  Type type = Type::kVarchar;
  Op op = Op::kAdd;
  // NULL as written: it takes the type of its context.
  bool untyped = false;
  // A string as written: it may become a TIMESTAMPTZ.
  bool literal = false;
  bool is_null = false;
  bool has_escape = false;
  int index = 0;
  int64_t integer = 0;  // INT, BIGINT, TIMESTAMPTZ, BOOLEAN
  double number = 0;
  std::string text;
  std::vector<TypedPtr> args;
};

// Equal in effect; places in the file do not count.
bool SameExpression(const Typed& a, const Typed& b);
TypedPtr Clone(const Typed& typed);
// Nodes in the tree.
int64_t TreeSize(const Typed& typed);
bool ContainsAggregate(const Typed& typed);
bool ContainsColumn(const Typed& typed);

// Nothing if it needs more than kMaxExprStack slots or is unreasonably long. An
// aggregate is emitted as the column of its index.
std::optional<Expr> Emit(const Typed& typed);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_TYPED_H_
