// Resolves the names and types of an expression.
#ifndef TIDEGATE_VIEWS_SQL_BIND_EXPR_H_
#define TIDEGATE_VIEWS_SQL_BIND_EXPR_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/plan/function.h"
#include "views/plan/plan.h"
#include "views/sql/ast.h"
#include "views/sql/typed.h"

namespace tidegate::sql {

// Something with columns that stands in FROM or JOIN.
struct Relation {
  std::string alias;
  std::vector<Column> columns;
  int first = 0;  // of its columns in the input row
  // Columns may be missing: unknown ones are not reported.
  bool broken = false;
};

// In one view.
inline constexpr size_t kMaxAggregates = 1000;
inline constexpr size_t kMaxLags = 100;

struct Aggregate {
  AggregateKind kind = AggregateKind::kCountStar;
  TypedPtr argument;
  TypedPtr order_by;
  Type result = Type::kBigint;
};

// lag(argument, distance, default_value) OVER (PARTITION BY … ORDER BY ts)
struct Lag {
  TypedPtr argument;
  int64_t distance = 1;
  TypedPtr default_value;  // null if none is given
};

// Where lag is allowed: in the SELECT list of one view.
struct LagPlace {
  int first_column = 0;  // of the lags' results in the input row
  int time_column = -1;  // the source's WATERMARK column
  std::string time_name;
  std::string source;
  std::string watermark_help;  // if there is no such column
};

// Binds the expressions of one statement. Thread-compatible. Every function
// that returns a TypedPtr returns null after an error, which is reported, or
// was before.
class ExprBinder {
 public:
  ExprBinder(std::vector<Relation> relations, Reporter* reporter)
      : relations_(std::move(relations)), reporter_(reporter) {}

  // `place` names the clause in errors ("WHERE"). Aggregates are bound into
  // aggregates() if they are allowed there.
  TypedPtr Bind(const Node& node, absl::string_view place,
                bool allow_aggregates = false);
  // Bind, and it must be a BOOLEAN.
  TypedPtr BindCondition(const Node& node, absl::string_view place);

  // Converts to `target` where SQL does so without CAST; null and nothing
  // reported if it does not. Reports a string that is no time.
  TypedPtr Coerce(TypedPtr typed, Type target);
  static bool CanCoerce(const Typed& typed, Type target);

  // From here on, lag is allowed in the SELECT list.
  void AllowLags(LagPlace place) { lag_place_ = std::move(place); }
  // There will be a GROUP BY, and lag is refused.
  void set_grouped() { grouped_ = true; }
  const std::vector<Lag>& lags() const { return lags_; }
  // The PARTITION BY that all lags share.
  const std::vector<TypedPtr>& partition_by() const { return partition_by_; }
  // What to write where window_start or window_end is unknown.
  void set_window_help(std::string help) { window_help_ = std::move(help); }

  // The column, if the name stands for one; reports nothing.
  const Column* Find(absl::string_view name) const;

  std::vector<Aggregate>& aggregates() { return aggregates_; }
  const std::vector<Relation>& relations() const { return relations_; }

 private:
  // Of one statement, in nodes; bounds what copying operands can grow to.
  static constexpr int64_t kMaxNodes = 200'000;

  TypedPtr BindNode(const Node& node);
  TypedPtr BindLiteral(const Node& node);
  TypedPtr BindColumn(const Node& node);
  TypedPtr ReportUnknown(const Node& node);
  TypedPtr BindNegate(const Node& node);
  TypedPtr BindBinary(const Node& node);
  TypedPtr BindTimeShift(const Node& node);
  TypedPtr BindArithmetic(const Node& node, TypedPtr left, TypedPtr right);
  TypedPtr BindConcat(const Node& node, TypedPtr left, TypedPtr right);
  TypedPtr BindLogic(const Node& node);
  TypedPtr BindIsNull(const Node& node);
  TypedPtr BindIsTruth(const Node& node);
  TypedPtr BindCase(const Node& node);
  TypedPtr BindCast(const Node& node);
  TypedPtr BindIn(const Node& node);
  TypedPtr BindBetween(const Node& node);
  TypedPtr BindLike(const Node& node);
  // bind_call.cc
  TypedPtr BindCall(const Node& node);
  TypedPtr BindCoalesce(const Node& node);
  TypedPtr BindNullIf(const Node& node);
  TypedPtr BindAggregate(const Node& node, AggregateKind kind);
  bool CheckAggregateForm(const Node& node, AggregateKind kind);
  bool BindAggregateArguments(const Node& node, Aggregate* out);
  bool BindOrderBy(const Node& node, Aggregate* out);
  // Reports a NULL without a type.
  bool HasType(const Node& node, const Typed& typed);
  TypedPtr UseAggregate(const Node& node, Aggregate aggregate);
  TypedPtr RefuseFunction(const Node& node);
  // bind_function.cc
  TypedPtr BindFunction(const Node& node);
  TypedPtr BindAbs(const Node& node);
  TypedPtr BindChoice(const Node& node, Function function);
  // extract, date_part and date_trunc: the first argument names a part of the
  // time that the second one is.
  TypedPtr BindTimePart(const Node& node);
  TypedPtr BindArgument(const Node& node, const Node& argument, Type type);
  bool CheckCount(const Node& node, size_t min, size_t max);
  // Binds all of the node's arguments into `typed` and brings them to one type.
  bool BindAlike(const Node& node, Typed* typed);
  // bind_lag.cc
  TypedPtr BindLag(const Node& node);
  bool CheckLagForm(const Node& node);
  bool BindLagArguments(const Node& node, Lag* lag);
  bool BindLagDefault(const Node& node, Lag* lag);
  bool CheckLagOrder(const Node& node);
  bool BindPartitionBy(const Node& node);
  TypedPtr UseLag(const Node& node, Lag lag);
  // True, and reported, if the function belongs elsewhere than into an
  // expression.
  bool RefuseWindowFunction(const Node& node);

  // Both sides converted to one type, or an error that names both.
  TypedPtr Compare(Op op, Span span, TypedPtr left, TypedPtr right);
  // The type all values can take; what is reported names `what`.
  std::optional<Type> CommonType(const std::vector<const Typed*>& values,
                                 absl::string_view what);
  TypedPtr NeedBoolean(TypedPtr typed, absl::string_view what);
  TypedPtr MakeFunction(Function function, Type type, Span span);
  TypedPtr Operation(Op op, Type type, Span span, TypedPtr a,
                     TypedPtr b = nullptr);
  TypedPtr Not(TypedPtr typed);
  TypedPtr NullConstant(Type type, Span span);
  // A copy of `typed`; null, with an error, if the statement gets too large.
  TypedPtr Copy(const Typed& typed);

  std::vector<Relation> relations_;
  Reporter* reporter_;
  std::string place_;
  bool allow_aggregates_ = false;
  bool inside_aggregate_ = false;
  int64_t copied_nodes_ = 0;
  std::vector<Aggregate> aggregates_;
  std::optional<LagPlace> lag_place_;
  bool grouped_ = false;
  bool inside_lag_ = false;
  std::vector<Lag> lags_;
  std::vector<TypedPtr> partition_by_;
  std::string window_help_;
};

// "BIGINT", or "NULL" for a NULL whose type is not known.
std::string ShowType(const Typed& typed);

// Every scalar function with a name of its own.
std::vector<std::string> FunctionNames();

// What to write instead of `word`: the nearest name, else the list of all.
std::string SuggestName(absl::string_view word,
                        const std::vector<std::string>& names,
                        absl::string_view what);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_BIND_EXPR_H_
