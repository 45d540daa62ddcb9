#include "views/sql/expression.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "views/sql/bind_expr.h"
#include "views/sql/lexer.h"
#include "views/sql/parser.h"

namespace tidegate {
namespace {

std::optional<Expr> Compile(absl::string_view text,
                            absl::Span<const OutputColumn> columns,
                            sql::Reporter* reporter) {
  if (text.size() > kMaxFilterBytes) {
    reporter->Error(sql::Span{}, absl::StrCat("the filter is larger than ",
                                              kMaxFilterBytes, " bytes"));
    return std::nullopt;
  }
  std::vector<sql::Token> tokens = sql::Lex(text, reporter);
  sql::NodePtr node = sql::Parser(tokens, reporter).ParseWholeExpression();
  if (node == nullptr) return std::nullopt;
  sql::Relation relation;
  for (const OutputColumn& column : columns) {
    relation.columns.push_back(Column{column.name, column.type});
  }
  std::vector<sql::Relation> relations;
  relations.push_back(std::move(relation));
  sql::ExprBinder binder(std::move(relations), reporter);
  sql::TypedPtr typed = binder.BindCondition(*node, "a filter");
  if (typed == nullptr) return std::nullopt;
  std::optional<Expr> expr = sql::Emit(*typed);
  if (!expr.has_value()) {
    reporter->Error(typed->span, "expression is too large");
  }
  return expr;
}

}  // namespace

absl::StatusOr<Expr> CompileFilter(absl::string_view text,
                                   absl::Span<const OutputColumn> columns,
                                   std::vector<Diagnostic>* diagnostics) {
  sql::Reporter reporter(text);
  std::optional<Expr> expr = Compile(text, columns, &reporter);
  std::vector<Diagnostic> errors = reporter.Take();
  absl::Status status;
  if (!errors.empty()) {
    const Diagnostic& first = errors.front();
    status = absl::InvalidArgumentError(absl::StrCat(
        "filter: ", first.message, first.suggestion.empty() ? "" : "; ",
        first.suggestion, ", at character ", first.column));
  }
  if (diagnostics != nullptr) *diagnostics = std::move(errors);
  if (!status.ok()) return status;
  if (!expr.has_value()) return absl::InternalError("filter: not compiled");
  return *std::move(expr);
}

}  // namespace tidegate
