// Operators, from the loosest to the tightest:
//   OR, AND, NOT, IS, comparison, BETWEEN/IN/LIKE, ||, + -, * / %, unary -, ::
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/parser.h"

namespace tidegate::sql {
namespace {

constexpr int kLevels = 3;  // ||, + -, * / %

std::optional<Op> ArithmeticOp(const Token& token, int level) {
  if (token.kind != TokenKind::kSymbol) return std::nullopt;
  if (level == 0 && token.text == "||") return Op::kConcat;
  if (level == 1 && token.text == "+") return Op::kAdd;
  if (level == 1 && token.text == "-") return Op::kSubtract;
  if (level == 2 && token.text == "*") return Op::kMultiply;
  if (level == 2 && token.text == "/") return Op::kDivide;
  if (level == 2 && token.text == "%") return Op::kModulo;
  return std::nullopt;
}

std::optional<Op> ComparisonOp(const Token& token) {
  if (token.kind != TokenKind::kSymbol) return std::nullopt;
  if (token.text == "=") return Op::kEqual;
  if (token.text == "<>") return Op::kNotEqual;
  if (token.text == "<") return Op::kLess;
  if (token.text == "<=") return Op::kLessEqual;
  if (token.text == ">") return Op::kGreater;
  if (token.text == ">=") return Op::kGreaterEqual;
  return std::nullopt;
}

}  // namespace

NodePtr Parser::MakeNode(NodeKind kind, Span span) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->span = span;
  return node;
}

bool Parser::Adopt(Node* parent, NodePtr child) {
  if (child == nullptr) return false;
  if (child->height >= parent->height) parent->height = child->height + 1;
  parent->span = Join(parent->span, child->span);
  bool fits = parent->height <= kMaxExpressionDepth;
  if (!fits) {
    reporter_->Error(
        parent->span,
        absl::StrCat("expression is nested too deep, the limit is ",
                     kMaxExpressionDepth));
  }
  parent->args.push_back(std::move(child));
  return fits;
}

NodePtr Parser::MakeBinary(Op op, Span name_span, NodePtr left, NodePtr right) {
  NodePtr node = MakeNode(NodeKind::kBinary, name_span);
  node->op = op;
  node->name_span = name_span;
  if (!Adopt(node.get(), std::move(left)) ||
      !Adopt(node.get(), std::move(right))) {
    return nullptr;
  }
  return node;
}

NodePtr Parser::ParseWholeExpression() {
  whole_ = "text";
  NodePtr node = ParseExpression();
  if (node != nullptr && Peek().kind != TokenKind::kEnd) {
    Fail("the end of the expression");
    return nullptr;
  }
  return node;
}

NodePtr Parser::ParseExpression() {
  if (depth_ >= kMaxExpressionDepth) {
    reporter_->Error(
        Peek().span,
        absl::StrCat("expression is nested too deep, the limit is ",
                     kMaxExpressionDepth));
    return nullptr;
  }
  ++depth_;
  NodePtr node = ParseChain(NodeKind::kOr);
  --depth_;
  return node;
}

// a OR b OR c is one node, as is a AND b AND c.
NodePtr Parser::ParseChain(NodeKind kind) {
  bool is_or = kind == NodeKind::kOr;
  absl::string_view word = is_or ? "or" : "and";
  auto part = [&] { return is_or ? ParseChain(NodeKind::kAnd) : ParseNot(); };
  NodePtr first = part();
  if (first == nullptr || !AtWord(word)) return first;
  NodePtr node = MakeNode(kind, first->span);
  if (!Adopt(node.get(), std::move(first))) return nullptr;
  while (AcceptWord(word)) {
    if (!Adopt(node.get(), part())) return nullptr;
  }
  return node;
}

NodePtr Parser::ParseNot() {
  std::vector<const Token*> nots;
  while (AtWord("not")) nots.push_back(&Take());
  NodePtr node = ParseIs();
  while (node != nullptr && !nots.empty()) {
    NodePtr outer = MakeNode(NodeKind::kNot, nots.back()->span);
    nots.pop_back();
    if (!Adopt(outer.get(), std::move(node))) return nullptr;
    node = std::move(outer);
  }
  return node;
}

NodePtr Parser::ParseIs() {
  NodePtr node = ParseComparison();
  while (node != nullptr && AtWord("is")) {
    const Token& is = Take();
    bool negated = AcceptWord("not");
    NodePtr outer = MakeNode(NodeKind::kIsNull, is.span);
    outer->negated = negated;
    if (AtWord("true") || AtWord("false")) {
      outer->kind = NodeKind::kIsTruth;
      outer->integer = AtWord("true") ? 1 : 0;
    } else if (AtWord("distinct")) {
      Take();
      AcceptWord("from");
      Refuse(SpanFrom(is), "IS DISTINCT FROM");
      return nullptr;
    } else if (!AtWord("null")) {
      Fail("NULL, TRUE or FALSE");
      return nullptr;
    }
    outer->span = Join(outer->span, Take().span);
    if (!Adopt(outer.get(), std::move(node))) return nullptr;
    node = std::move(outer);
  }
  return node;
}

NodePtr Parser::ParseComparison() {
  NodePtr left = ParsePredicate();
  if (left == nullptr) return nullptr;
  std::optional<Op> op = ComparisonOp(Peek());
  if (!op.has_value()) return left;
  Span span = Take().span;
  NodePtr right = ParsePredicate();
  if (right == nullptr) return nullptr;
  if (ComparisonOp(Peek()).has_value()) {
    reporter_->Error(Peek().span, "comparisons cannot be chained",
                     "write a < b AND b < c");
    return nullptr;
  }
  return MakeBinary(*op, span, std::move(left), std::move(right));
}

NodePtr Parser::ParsePredicate() {
  NodePtr left = ParseArithmetic(0);
  if (left == nullptr) return nullptr;
  bool negated =
      AtWord("not") && (Peek(1).IsWord("between") || Peek(1).IsWord("in") ||
                        Peek(1).IsWord("like") || Peek(1).IsWord("ilike"));
  if (negated) Take();
  if (AcceptWord("between")) return ParseBetween(std::move(left), negated);
  if (AcceptWord("in")) return ParseIn(std::move(left), negated);
  if (AcceptWord("like")) return ParseLike(std::move(left), negated);
  if (AtWord("ilike") || (AtWord("similar") && Peek(1).IsWord("to"))) {
    Refuse(Peek().span, AtWord("ilike") ? "ILIKE" : "SIMILAR TO", "use LIKE");
    return nullptr;
  }
  return left;
}

NodePtr Parser::ParseBetween(NodePtr operand, bool negated) {
  NodePtr node = MakeNode(NodeKind::kBetween, operand->span);
  node->negated = negated;
  if (!Adopt(node.get(), std::move(operand)) ||
      !Adopt(node.get(), ParseArithmetic(0)) || !ExpectWord("and") ||
      !Adopt(node.get(), ParseArithmetic(0))) {
    return nullptr;
  }
  return node;
}

NodePtr Parser::ParseIn(NodePtr operand, bool negated) {
  NodePtr node = MakeNode(NodeKind::kIn, operand->span);
  node->negated = negated;
  if (!Adopt(node.get(), std::move(operand)) || !ExpectSymbol("(")) {
    return nullptr;
  }
  if (AtWord("select")) {
    RefuseYet(Peek().span, "subqueries");
    return nullptr;
  }
  do {
    if (!Adopt(node.get(), ParseExpression())) return nullptr;
  } while (AcceptSymbol(","));
  const Token& close = Peek();
  if (!AcceptSymbol(")")) {
    Fail("\",\" or \")\"");
    return nullptr;
  }
  node->span = Join(node->span, close.span);
  return node;
}

NodePtr Parser::ParseLike(NodePtr operand, bool negated) {
  NodePtr node = MakeNode(NodeKind::kLike, operand->span);
  node->negated = negated;
  if (!Adopt(node.get(), std::move(operand)) ||
      !Adopt(node.get(), ParseArithmetic(0))) {
    return nullptr;
  }
  if (AcceptWord("escape")) {
    Name escape;
    if (!ExpectString("one character in single quotes", &escape)) {
      return nullptr;
    }
    node->has_escape = true;
    node->text = escape.text;
    node->name_span = escape.span;
    node->span = Join(node->span, escape.span);
  }
  return node;
}

NodePtr Parser::ParseArithmetic(int level) {
  if (level == kLevels) return ParseUnary();
  NodePtr left = ParseArithmetic(level + 1);
  while (left != nullptr) {
    std::optional<Op> op = ArithmeticOp(Peek(), level);
    if (!op.has_value()) break;
    Span span = Take().span;
    NodePtr right = ParseArithmetic(level + 1);
    if (right == nullptr) return nullptr;
    left = MakeBinary(*op, span, std::move(left), std::move(right));
  }
  return left;
}

NodePtr Parser::ParseUnary() {
  std::vector<const Token*> signs;
  while (AtSymbol("-") || AtSymbol("+")) {
    const Token& sign = Take();
    if (sign.text == "-") signs.push_back(&sign);
  }
  NodePtr node;
  bool number =
      Peek().kind == TokenKind::kInteger || Peek().kind == TokenKind::kDecimal;
  if (number && !signs.empty() && !Peek(1).IsSymbol("::")) {
    // -9223372036854775808 has no positive counterpart.
    node = ParseNumber(true, Join(signs.back()->span, Peek().span));
    signs.pop_back();
  } else {
    node = ParsePostfix();
  }
  while (node != nullptr && !signs.empty()) {
    NodePtr outer = MakeNode(NodeKind::kNegate, signs.back()->span);
    outer->name_span = signs.back()->span;
    signs.pop_back();
    if (!Adopt(outer.get(), std::move(node))) return nullptr;
    node = std::move(outer);
  }
  return node;
}

NodePtr Parser::ParsePostfix() {
  NodePtr node = ParsePrimary();
  while (node != nullptr && AcceptSymbol("::")) {
    NodePtr cast = MakeNode(NodeKind::kCast, node->span);
    if (!ParseType(&cast->type)) return nullptr;
    cast->span = Join(cast->span, tokens_[at_ - 1].span);
    if (!Adopt(cast.get(), std::move(node))) return nullptr;
    node = std::move(cast);
  }
  if (node != nullptr && AtSymbol("[")) {
    RefuseYet(Peek().span, "array access");
    return nullptr;
  }
  return node;
}

}  // namespace tidegate::sql
