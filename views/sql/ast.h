// The syntax tree of a views file. Names are as written (folded), types are
// the only thing resolved.
#ifndef TIDEGATE_VIEWS_SQL_AST_H_
#define TIDEGATE_VIEWS_SQL_AST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "views/plan/datum.h"
#include "views/plan/expr.h"
#include "views/plan/plan.h"
#include "views/sql/diagnostics.h"

namespace tidegate::sql {

struct Name {
  std::string text;
  Span span;
};

enum class NodeKind {
  kBad,  // already reported
  kNull,
  kBoolean,    // integer: 0 or 1
  kInteger,    // integer
  kDouble,     // number
  kString,     // text
  kTimestamp,  // integer: microseconds
  kInterval,   // integer: microseconds
  kColumn,     // qualifier, text
  kNegate,
  kNot,
  kBinary,   // op: arithmetic, comparison or concatenation
  kAnd,      // two args or more
  kOr,       // two args or more
  kIsNull,   // negated
  kIsTruth,  // integer: 0 IS FALSE, 1 IS TRUE; negated
  kCase,     // [operand] (when then)+ [else]
  kCast,     // type
  kCall,     // text: the function
  kIn,       // operand, values; negated
  kBetween,  // operand, low, high; negated
  kLike,     // operand, pattern; text: the escape if has_escape; negated
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

// OVER (PARTITION BY … ORDER BY …)
struct Over {
  std::vector<NodePtr> partition_by;
  NodePtr order_by;
};

struct Node {
  NodeKind kind = NodeKind::kBad;
  Span span;
  Span name_span;  // kColumn: the last name; kBinary, kNegate: the operator;
                   // kCall: the function's name
  std::string text;
  Name qualifier;
  Op op = Op::kAdd;
  Type type = Type::kVarchar;
  bool negated = false;
  bool star = false;         // kCall: count(*)
  bool has_operand = false;  // kCase
  bool has_else = false;     // kCase
  bool has_escape = false;   // kLike
  bool descending = false;   // kCall: ORDER BY … DESC
  int64_t integer = 0;
  double number = 0;
  int height = 1;  // of the tree below; at most kMaxExpressionDepth
  std::vector<NodePtr> args;
  NodePtr order_by;            // kCall
  std::unique_ptr<Over> over;  // kCall: lag
};

// Of nesting and of chains of one operator (AND, OR and lists excepted).
inline constexpr int kMaxExpressionDepth = 200;

// One of `WITH (key = 'value', …)`.
struct Option {
  Name key;
  Name value;
};

struct ColumnDef {
  Name name;
  Type type = Type::kVarchar;
  bool primary_key = false;
  size_t first_token = 0;
  size_t end_token = 0;
};

struct WatermarkDef {
  Name column;
  Name operand;
  int64_t bound_us = 0;
  // Of `AS ts - INTERVAL …`.
  size_t bound_first_token = 0;
  size_t bound_end_token = 0;
};

// `ENCODE name [(…)]`, or what follows OR.
struct EncodeDef {
  Name name;  // "json", "protobuf", "avro"
  std::vector<Option> options;
};

// `INCLUDE what ['header'] [AS name]`
struct IncludeDef {
  Metadata what = Metadata::kKey;
  std::string header;
  Name name;  // the default's span is that of `what`
  size_t first_token = 0;
  size_t end_token = 0;
};

struct SourceDef {
  bool is_table = false;
  std::vector<ColumnDef> columns;
  std::vector<Name> primary_key;  // table level
  std::optional<Span> primary_key_span;
  std::optional<WatermarkDef> watermark;
  std::vector<IncludeDef> includes;
  std::optional<Name> format;  // "plain", "upsert"
  std::vector<EncodeDef> encodes;
  // The tokens behind ENCODE, up to KEY or the end; empty if there are none.
  size_t encode_first_token = 0;
  size_t encode_end_token = 0;
  std::optional<Name> key_encode;  // "text", "json"
};

struct SelectItem {
  bool star = false;
  Name qualifier;  // of `q.*`; text empty for `*`
  NodePtr value;   // unless star
  Name alias;      // text empty if none
  Span span;
};

struct JoinDef {
  bool left = false;
  Name table;
  Name alias;     // the table's name if none is given
  NodePtr as_of;  // null: PROCTIME()
  NodePtr on;
  Span span;
};

struct IntervalArgument {
  int64_t micros = 0;
  Span span;
};

// FROM TUMBLE(source, time, INTERVAL …), and the like.
struct WindowDef {
  WindowKind kind = WindowKind::kTumble;
  Span span;  // of the call
  Name time;
  std::vector<IntervalArgument> intervals;
};

struct ViewDef {
  std::vector<Name> primary_key;
  std::optional<Span> primary_key_span;
  std::vector<SelectItem> items;
  Name from;  // text empty: already reported
  Name from_alias;
  std::optional<WindowDef> window;
  std::optional<JoinDef> join;
  NodePtr where;
  bool grouped = false;
  std::vector<NodePtr> group_by;
  bool emit_on_close = false;
  std::optional<Span> emit_span;
  // The tokens of `EMIT …`; empty if there is none.
  size_t emit_first_token = 0;
  size_t emit_end_token = 0;
};

struct Statement {
  Name name;
  // Part of it could not be read: nothing is said about what may be missing.
  bool broken = false;
  size_t first_token = 0;
  size_t end_token = 0;  // past the last one; the semicolon excluded
  // The tokens of `WITH (…)`, for both kinds; empty if there is none.
  size_t with_first_token = 0;
  size_t with_end_token = 0;
  std::vector<Option> options;
  std::optional<SourceDef> source;
  std::optional<ViewDef> view;
};

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_AST_H_
