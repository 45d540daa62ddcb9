// Literals, names, calls, CASE, CAST and parentheses.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "views/sql/parser.h"

namespace tidegate::sql {

NodePtr Parser::ParsePrimary() {
  const Token& token = Peek();
  switch (token.kind) {
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
      return ParseNumber(false, token.span);
    case TokenKind::kString: {
      Take();
      NodePtr node = MakeNode(NodeKind::kString, token.span);
      node->text = token.text;
      return node;
    }
    case TokenKind::kName:
    case TokenKind::kQuotedName:
      return ParseNamed();
    case TokenKind::kSymbol:
      if (token.text == "(") return ParseParenthesized();
      break;
    default:
      break;
  }
  Fail("an expression");
  return nullptr;
}

NodePtr Parser::ParseNumber(bool negative, Span span) {
  const Token& token = Take();
  std::string text = absl::StrCat(negative ? "-" : "", token.text);
  NodePtr node = MakeNode(NodeKind::kInteger, span);
  if (token.kind == TokenKind::kInteger) {
    if (absl::SimpleAtoi(text, &node->integer)) return node;
    reporter_->Error(span, absl::StrCat("number is out of range: ", text),
                     "write it with a decimal point for DOUBLE PRECISION");
    return nullptr;
  }
  node->kind = NodeKind::kDouble;
  if (absl::SimpleAtod(text, &node->number) && std::isfinite(node->number)) {
    return node;
  }
  reporter_->Error(span, absl::StrCat("number is out of range: ", text));
  return nullptr;
}

NodePtr Parser::ParseParenthesized() {
  const Token& open = Take();
  if (AtWord("select") || AtWord("with")) {
    RefuseYet(Peek().span, "subqueries");
    return nullptr;
  }
  NodePtr node = ParseExpression();
  if (node == nullptr) return nullptr;
  if (AtSymbol(",")) {
    Refuse(Peek().span, "row values");
    while (AcceptSymbol(",")) SkipItem();
    AcceptSymbol(")");
    return nullptr;
  }
  if (!ExpectSymbol(")")) return nullptr;
  node->span = SpanFrom(open);
  return node;
}

NodePtr Parser::ParseNamed() {
  const Token& token = Peek();
  if (token.kind == TokenKind::kName) {
    if (token.text == "null") return MakeNode(NodeKind::kNull, Take().span);
    if (token.text == "true" || token.text == "false") {
      NodePtr node = MakeNode(NodeKind::kBoolean, Take().span);
      node->integer = token.text == "true" ? 1 : 0;
      return node;
    }
    if (token.text == "case") return ParseCase();
    if (token.text == "cast") return ParseCast();
    if (token.text == "exists" && Peek(1).IsSymbol("(")) {
      RefuseYet(token.span, "subqueries");
      return nullptr;
    }
    bool string_follows = Peek(1).kind == TokenKind::kString;
    if (token.text == "interval" && string_follows) {
      return ParseIntervalLiteral();
    }
    if ((token.text == "timestamptz" && string_follows) ||
        (token.text == "timestamp" &&
         (string_follows || Peek(1).IsWord("with")))) {
      return ParseTimestamp();
    }
    if (IsReserved(token.text)) {
      Fail("an expression", ReservedHelp(token));
      return nullptr;
    }
    if (Peek(1).IsSymbol("(")) return ParseCall();
  }
  return ParseColumnRef();
}

NodePtr Parser::ParseTimestamp() {
  const Token& first = Peek();
  Type type;
  if (!ParseType(&type)) return nullptr;
  Name text;
  if (!ExpectString("a time in single quotes", &text)) return nullptr;
  NodePtr node = MakeNode(NodeKind::kTimestamp, SpanFrom(first));
  absl::StatusOr<int64_t> micros = tidegate::ParseTimestamp(text.text);
  if (!micros.ok()) {
    reporter_->Error(text.span, absl::StrCat("not a time: '", text.text, "'"),
                     "write '2013-01-01T10:00:00Z'");
    return nullptr;
  }
  node->integer = *micros;
  return node;
}

NodePtr Parser::ParseIntervalLiteral() {
  const Token& first = Take();
  int64_t micros = 0;
  if (!ParseInterval(&micros)) return nullptr;
  NodePtr node = MakeNode(NodeKind::kInterval, SpanFrom(first));
  node->integer = micros;
  return node;
}

NodePtr Parser::ParseCase() {
  const Token& first = Take();
  NodePtr node = MakeNode(NodeKind::kCase, first.span);
  if (!AtWord("when")) {
    node->has_operand = true;
    if (!Adopt(node.get(), ParseExpression())) return nullptr;
  }
  if (!ParseCaseArms(node.get())) return nullptr;
  if (!ExpectWord("end")) return nullptr;
  node->span = SpanFrom(first);
  return node;
}

bool Parser::ParseCaseArms(Node* node) {
  if (!AtWord("when")) return ExpectWord("when");
  while (AcceptWord("when")) {
    if (!Adopt(node, ParseExpression()) || !ExpectWord("then") ||
        !Adopt(node, ParseExpression())) {
      return false;
    }
  }
  if (!AcceptWord("else")) return true;
  node->has_else = true;
  return Adopt(node, ParseExpression());
}

NodePtr Parser::ParseCast() {
  const Token& first = Take();
  NodePtr node = MakeNode(NodeKind::kCast, first.span);
  if (!ExpectSymbol("(") || !Adopt(node.get(), ParseExpression()) ||
      !ExpectWord("as") || !ParseType(&node->type) || !ExpectSymbol(")")) {
    return nullptr;
  }
  node->span = SpanFrom(first);
  return node;
}

NodePtr Parser::ParseCall() {
  const Token& name = Take();
  NodePtr node = MakeNode(NodeKind::kCall, name.span);
  node->name_span = name.span;
  node->text = name.text;
  Take();  // the parenthesis
  const bool parsed = name.text == "extract" ? ParseExtractArguments(node.get())
                                             : ParseCallArguments(node.get());
  if (!parsed) return nullptr;
  if (node->text == "substring" && AtWord("from")) {
    Refuse(Peek().span, "substring(… FROM …)",
           "write substring(text, start, length)");
    SkipArguments();
    return nullptr;
  }
  if (!AcceptSymbol(")")) {
    Fail("\",\" or \")\"");
    return nullptr;
  }
  node->span = SpanFrom(name);
  if (AtWord("over") && !ParseOver(node.get())) return nullptr;
  node->span = SpanFrom(name);
  return node;
}

bool Parser::ParseCallArguments(Node* node) {
  if (AtSymbol(")")) return true;
  if (AcceptSymbol("*")) {
    node->star = true;
    return true;
  }
  if (AtWord("distinct")) {
    return RefuseYet(Peek().span, absl::StrCat(node->text, "(DISTINCT …)"));
  }
  do {
    if (!Adopt(node, ParseExpression())) return false;
  } while (AcceptSymbol(","));
  if (!AcceptWord("order")) return true;
  if (!ExpectWord("by")) return false;
  node->order_by = ParseExpression();
  if (node->order_by == nullptr) return false;
  node->height = std::max(node->height, node->order_by->height + 1);
  if (AcceptWord("desc")) {
    node->descending = true;
  } else {
    AcceptWord("asc");
  }
  if (AtSymbol(",")) {
    return RefuseYet(Peek().span, "ORDER BY with several columns",
                     "ties are broken by partition and offset");
  }
  if (AtWord("nulls")) return RefuseYet(Peek().span, "NULLS FIRST or LAST");
  return true;
}

// extract(field FROM ts) becomes the call extract('field', ts).
bool Parser::ParseExtractArguments(Node* node) {
  const Token& token = Peek();
  constexpr absl::string_view kHelp = "write extract(year FROM ts)";
  if (token.kind != TokenKind::kName && token.kind != TokenKind::kString) {
    Fail("a field of a time", std::string(kHelp));
    SkipArguments();
    return false;
  }
  NodePtr field = MakeNode(NodeKind::kString, Take().span);
  field->text = token.text;
  if (!Adopt(node, std::move(field))) return false;
  if (!AtWord("from")) {
    Fail("FROM", std::string(kHelp));
    SkipArguments();
    return false;
  }
  Take();
  return Adopt(node, ParseExpression());
}

void Parser::SkipArguments() {
  do {
    SkipItem();
  } while (AcceptSymbol(","));
  AcceptSymbol(")");
}

NodePtr Parser::ParseColumnRef() {
  const Token& first = Peek();
  NodePtr node = MakeNode(NodeKind::kColumn, first.span);
  Name name;
  if (!ExpectName("a column", &name)) return nullptr;
  if (AcceptSymbol(".")) {
    node->qualifier = std::move(name);
    if (AtSymbol("*")) {
      Fail("a column name");
      return nullptr;
    }
    if (!ExpectName("a column name", &name)) return nullptr;
    if (AtSymbol(".")) {
      RefuseYet(Peek().span, "fields of structures");
      return nullptr;
    }
  }
  node->text = name.text;
  node->name_span = name.span;
  node->span = SpanFrom(first);
  return node;
}

}  // namespace tidegate::sql
