// Recursive descent over the tokens of a views file, with recovery: an error
// ends the innermost list item, clause or statement, and parsing goes on.
#ifndef TIDEGATE_VIEWS_SQL_PARSER_H_
#define TIDEGATE_VIEWS_SQL_PARSER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "views/sql/ast.h"
#include "views/sql/lexer.h"

namespace tidegate::sql {

// Thread-compatible. Borrows the tokens, which end with kEnd.
class Parser {
 public:
  Parser(absl::Span<const Token> tokens, Reporter* reporter)
      : tokens_(tokens), reporter_(reporter) {}

  std::vector<Statement> ParseFile();
  // One expression and nothing after it; null after an error.
  NodePtr ParseWholeExpression();

 private:
  // parser.cc: the cursor, errors and recovery.
  const Token& Peek(size_t ahead = 0) const;
  const Token& Take();
  bool AtWord(absl::string_view word) const { return Peek().IsWord(word); }
  bool AtSymbol(absl::string_view s) const { return Peek().IsSymbol(s); }
  bool AtStatementEnd() const;
  bool AcceptWord(absl::string_view word);
  bool AcceptSymbol(absl::string_view symbol);
  bool ExpectWord(absl::string_view word);
  bool ExpectSymbol(absl::string_view symbol);
  bool ExpectName(absl::string_view what, Name* name);
  static std::string ReservedHelp(const Token& token);
  bool ExpectString(absl::string_view what, Name* value);
  // How an error names a token: "foo", the string 'text', the end of the file.
  std::string Describe(const Token& token) const;
  // Reports "expected …, found …"; always false.
  bool Fail(absl::string_view expected, std::string suggestion = "");
  // Reports "not supported yet: …" or "not supported: …"; always false.
  bool Refuse(Span span, absl::string_view what, std::string suggestion = "");
  bool RefuseYet(Span span, absl::string_view what,
                 std::string suggestion = "");
  void SkipStatement();
  // To the `,` or `)` that ends this list item, or to `stop`.
  void SkipItem(absl::string_view stop = "");
  // The parenthesis that ends a list, whose items were all well if `ok`.
  bool CloseList(bool ok);

  // parser.cc: statements.
  bool ParseStatement(Statement* statement);
  bool RefuseStatement();
  bool ParseNames(absl::string_view what, std::vector<Name>* names);
  bool ParsePrimaryKey(std::vector<Name>* names);
  bool ParseOptions(absl::string_view what, std::vector<Option>* options);
  bool ParseOption(Option* option);
  bool ParseWith(Statement* statement);

  // parse_source.cc
  bool ParseSource(Statement* statement);
  bool ParseColumns(Statement* statement);
  bool ParseColumn(SourceDef* source);
  bool ParseTablePrimaryKey(SourceDef* source);
  bool ParseWatermark(SourceDef* source);
  bool ParseColumnConstraints(ColumnDef* column);
  bool ParseFormat(Statement* statement);
  bool ParseEncodes(SourceDef* source);
  bool ParseKeyEncode(SourceDef* source);

  // parse_include.cc
  bool ParseIncludes(SourceDef* source);
  bool ParseInclude(IncludeDef* include);
  bool RefuseInclude(const Token& what);

  // parse_type.cc
  bool ParseType(Type* type);
  bool RefuseType(const Token& name);
  bool ParseInterval(int64_t* micros);

  // parse_view.cc
  bool ParseView(Statement* statement);
  bool ParseSelect(Statement* statement);
  bool ParseSelectList(Statement* statement);
  bool ParseSelectItem(SelectItem* item);
  bool ParseFrom(ViewDef* view);
  bool RefuseFrom();
  bool ParseAlias(Name* alias);
  bool ParseJoins(Statement* statement);
  bool ParseJoin(ViewDef* view);
  bool ParseSystemTime(JoinDef* join);
  void ParseGroupBy(Statement* statement);
  bool AtClause() const;
  void ParseTrailingClauses(Statement* statement);
  bool RefuseClause(const Token& first);
  void SkipToClause();

  // parse_window.cc
  bool ParseWindow(ViewDef* view);
  bool ParseWindowTime(absl::string_view function, WindowDef* window);
  bool ParseEmit(Statement* statement);
  bool ParseOver(Node* call);
  bool ParsePartitionBy(Node* call);
  bool ParseOverOrder(Node* call);

  // parse_expr.cc: null after an error, which was reported.
  NodePtr ParseExpression();
  NodePtr ParseChain(NodeKind kind);
  NodePtr ParseNot();
  NodePtr ParseIs();
  NodePtr ParseComparison();
  NodePtr ParsePredicate();
  NodePtr ParseBetween(NodePtr operand, bool negated);
  NodePtr ParseIn(NodePtr operand, bool negated);
  NodePtr ParseLike(NodePtr operand, bool negated);
  NodePtr ParseArithmetic(int level);
  NodePtr ParseUnary();
  NodePtr ParsePostfix();

  // parse_primary.cc
  NodePtr ParsePrimary();
  NodePtr ParseNumber(bool negative, Span span);
  NodePtr ParseParenthesized();
  NodePtr ParseNamed();
  NodePtr ParseTimestamp();
  NodePtr ParseIntervalLiteral();
  NodePtr ParseCase();
  bool ParseCaseArms(Node* node);
  NodePtr ParseCast();
  NodePtr ParseCall();
  bool ParseCallArguments(Node* node);
  bool ParseExtractArguments(Node* node);
  // Past the parenthesis that ends a call's arguments.
  void SkipArguments();
  NodePtr ParseColumnRef();

  NodePtr MakeNode(NodeKind kind, Span span);
  // Adds a child; false, with an error, if the tree gets too high.
  bool Adopt(Node* parent, NodePtr child);
  NodePtr MakeBinary(Op op, Span name_span, NodePtr left, NodePtr right);
  Span SpanFrom(const Token& first) const;

  absl::Span<const Token> tokens_;
  Reporter* reporter_;
  size_t at_ = 0;
  absl::string_view whole_ = "file";  // what errors call the text
  int depth_ = 0;  // of nested expressions; at most kMaxExpressionDepth
};

// TUMBLE, HOP, SESSION or SLIDING; nothing if the token is something else.
std::optional<WindowKind> WindowKindOf(const Token& token);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_PARSER_H_
