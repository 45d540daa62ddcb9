// CREATE MATERIALIZED VIEW.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "views/sql/parser.h"

namespace tidegate::sql {
namespace {

// Clauses that end an expression or a list, and those refused by name.
constexpr absl::string_view kClauses[] = {
    "from",  "where", "group",  "having",    "order", "limit", "offset",
    "fetch", "union", "except", "intersect", "emit",  "window"};

}  // namespace

bool Parser::ParseView(Statement* statement) {
  const Token& first = Peek();
  if (AtWord("if") && Peek(1).IsWord("not")) {
    Take();
    return Refuse(SpanFrom(first), "IF NOT EXISTS",
                  "a views file says all there is");
  }
  if (!ExpectName("a view name", &statement->name)) return false;
  if (AtSymbol("(")) {
    const Token& open = Take();
    if (!AtWord("primary")) {
      return Fail("PRIMARY KEY",
                  "columns are named in the SELECT list; in parentheses stands "
                  "the key: (PRIMARY KEY (…))");
    }
    std::vector<Name> names;
    if (!ParsePrimaryKey(&names) || !ExpectSymbol(")")) return false;
    statement->view->primary_key = std::move(names);
    statement->view->primary_key_span = SpanFrom(open);
  }
  if (!ParseWith(statement)) return false;
  if (!ExpectWord("as")) return false;
  if (AtWord("with")) {
    return RefuseYet(Peek().span, "common table expressions (WITH)",
                     "write the SELECT over the source itself");
  }
  return ParseSelect(statement);
}

bool Parser::ParseSelect(Statement* statement) {
  ViewDef& view = *statement->view;
  if (!ExpectWord("select")) return false;
  if (AtWord("distinct")) {
    RefuseYet(Peek().span, "SELECT DISTINCT",
              "list the columns in GROUP BY: that keeps one row for each");
    Take();
    statement->broken = true;
    if (AtWord("on")) return false;
  }
  if (!ParseSelectList(statement)) return false;
  if (!AtWord("from")) {
    return Fail(AtSymbol(",") ? "FROM" : "\",\" or FROM");
  }
  Take();
  if (!ParseFrom(&view) || !ParseJoins(statement)) {
    statement->broken = true;
    SkipToClause();
  }
  if (AcceptWord("where")) {
    view.where = ParseExpression();
    if (view.where == nullptr) {
      statement->broken = true;
      SkipToClause();
    }
  }
  if (AtWord("group")) ParseGroupBy(statement);
  ParseTrailingClauses(statement);
  return true;
}

bool Parser::ParseSelectList(Statement* statement) {
  do {
    SelectItem item;
    if (ParseSelectItem(&item)) {
      statement->view->items.push_back(std::move(item));
      continue;
    }
    statement->broken = true;
    SkipItem("from");
    // A parenthesis that nobody opened.
    while (AtSymbol(")")) {
      Take();
      SkipItem("from");
    }
  } while (AcceptSymbol(","));
  return true;
}

bool Parser::ParseSelectItem(SelectItem* item) {
  const Token& first = Peek();
  if (AtSymbol("*")) {
    item->star = true;
    item->span = Take().span;
    return true;
  }
  bool name =
      first.kind == TokenKind::kName || first.kind == TokenKind::kQuotedName;
  if (name && Peek(1).IsSymbol(".") && Peek(2).IsSymbol("*")) {
    item->star = true;
    item->qualifier = Name{first.text, first.span};
    Take();
    Take();
    Take();
    item->span = SpanFrom(first);
    return true;
  }
  if (AtWord("from") || AtSymbol(",")) return Fail("a column");
  item->value = ParseExpression();
  if (item->value == nullptr) return false;
  item->span = item->value->span;
  if (AtWord("over")) {
    return RefuseYet(Peek().span, "window functions (OVER)");
  }
  if (AtWord("filter") && Peek(1).IsSymbol("(")) {
    return RefuseYet(Peek().span, "aggregates with FILTER",
                     "write the condition as sum(CASE WHEN … THEN … END)");
  }
  return ParseAlias(&item->alias) &&
         (AtSymbol(",") || AtClause() || AtStatementEnd() ||
          Fail("\",\", AS or FROM"));
}

// [AS] name, or nothing.
bool Parser::ParseAlias(Name* alias) {
  if (AcceptWord("as")) return ExpectName("a name after AS", alias);
  const Token& token = Peek();
  if (token.kind == TokenKind::kQuotedName ||
      (token.kind == TokenKind::kName && !IsReserved(token.text))) {
    return ExpectName("a name", alias);
  }
  return true;
}

bool Parser::RefuseFrom() {
  const Token& first = Peek();
  if (AtSymbol("(")) {
    return RefuseYet(first.span, "subqueries");
  }
  if (first.kind != TokenKind::kName || !Peek(1).IsSymbol("(")) return true;
  std::string upper = absl::AsciiStrToUpper(first.text);
  if (first.text == "cumulate") {
    return RefuseYet(first.span, absl::StrCat("windows (", upper, ")"),
                     "there are TUMBLE, HOP, SESSION and SLIDING");
  }
  if (first.text == "table") {
    return Refuse(first.span, "TABLE(…) in FROM",
                  "write the window alone: FROM TUMBLE(source, ts, INTERVAL "
                  "'1' MINUTE)");
  }
  std::string near =
      Nearest(first.text, {"tumble", "hop", "session", "sliding"});
  return Refuse(
      first.span, absl::StrCat("the table function ", first.text, "(…)"),
      near.empty()
          ? "there are TUMBLE, HOP, SESSION and SLIDING"
          : absl::StrCat("did you mean ", absl::AsciiStrToUpper(near), "?"));
}

bool Parser::ParseFrom(ViewDef* view) {
  if (WindowKindOf(Peek()).has_value() && Peek(1).IsSymbol("(")) {
    if (!ParseWindow(view)) return false;
  } else {
    if (!RefuseFrom()) return false;
    if (!ExpectName("a source name", &view->from)) return false;
    if (AtSymbol(".")) {
      view->from = Name{};
      return Refuse(Peek().span, "names with a schema",
                    absl::StrCat("write ", Peek(1).text));
    }
  }
  if (AtWord("for")) {
    return Refuse(Peek().span, "FOR SYSTEM_TIME on the stream",
                  "it belongs to the joined table");
  }
  view->from_alias = view->from;
  if (!ParseAlias(&view->from_alias)) return false;
  if (AtSymbol(",")) {
    return Refuse(
        Peek().span, "a list of sources in FROM",
        "join a table: JOIN … FOR SYSTEM_TIME AS OF PROCTIME() AS t ON …");
  }
  return true;
}

bool Parser::ParseJoins(Statement* statement) {
  ViewDef& view = *statement->view;
  while (AtWord("join") || AtWord("inner") || AtWord("left") ||
         AtWord("right") || AtWord("full") || AtWord("cross") ||
         AtWord("natural")) {
    if (view.join.has_value()) {
      return RefuseYet(Peek().span, "more than one JOIN in a view");
    }
    if (!ParseJoin(&view)) return false;
  }
  return true;
}

bool Parser::ParseJoin(ViewDef* view) {
  const Token& first = Peek();
  JoinDef join;
  for (absl::string_view other : {"right", "full", "cross", "natural"}) {
    if (!AtWord(other)) continue;
    return Refuse(first.span,
                  absl::StrCat(absl::AsciiStrToUpper(other), " JOIN"),
                  "there are [INNER] JOIN and LEFT [OUTER] JOIN");
  }
  if (AcceptWord("left")) {
    join.left = true;
    AcceptWord("outer");
  } else {
    AcceptWord("inner");
  }
  if (!ExpectWord("join")) return false;
  if (AtSymbol("(")) return RefuseYet(Peek().span, "subqueries");
  if (!ExpectName("a table name", &join.table)) return false;
  join.alias = join.table;
  if (!ParseSystemTime(&join) || !ParseAlias(&join.alias)) return false;
  join.span = SpanFrom(first);
  if (AtWord("using")) {
    return Refuse(Peek().span, "USING", "write ON a.key = b.key");
  }
  if (!ExpectWord("on")) return false;
  join.on = ParseExpression();
  if (join.on == nullptr) return false;
  view->join = std::move(join);
  return true;
}

bool Parser::ParseSystemTime(JoinDef* join) {
  if (!AtWord("for")) {
    std::string help = "write JOIN table FOR SYSTEM_TIME AS OF PROCTIME() AS t";
    if (AtWord("as") || AtWord("on") || Peek().kind == TokenKind::kName) {
      return RefuseYet(Peek().span, "a join without FOR SYSTEM_TIME AS OF",
                       std::move(help));
    }
    return Fail("FOR SYSTEM_TIME AS OF PROCTIME()", std::move(help));
  }
  Take();
  if (!ExpectWord("system_time") || !ExpectWord("as") || !ExpectWord("of")) {
    return false;
  }
  const Token& time = Peek();
  if (AtWord("proctime")) {
    Take();
    return ExpectSymbol("(") && ExpectSymbol(")");
  }
  if (time.kind == TokenKind::kName || time.kind == TokenKind::kQuotedName) {
    join->as_of = ParseColumnRef();
    return join->as_of != nullptr;
  }
  return Fail("PROCTIME() or the stream's event time");
}

void Parser::ParseGroupBy(Statement* statement) {
  ViewDef& view = *statement->view;
  Take();
  view.grouped = true;
  if (!ExpectWord("by")) {
    statement->broken = true;
    SkipToClause();
    return;
  }
  do {
    bool window = WindowKindOf(Peek()).has_value();
    if ((window || AtWord("rollup") || AtWord("cube")) &&
        Peek(1).IsSymbol("(")) {
      std::string upper = absl::AsciiStrToUpper(Peek().text);
      std::string what = absl::StrCat(upper, " in GROUP BY");
      if (window) {
        Refuse(Peek().span, what,
               absl::StrCat("write FROM ", upper,
                            "(…), and GROUP BY window_start"));
      } else {
        RefuseYet(Peek().span, what);
      }
      statement->broken = true;
      SkipToClause();
      return;
    }
    NodePtr key = ParseExpression();
    if (key == nullptr) {
      statement->broken = true;
      SkipToClause();
      return;
    }
    view.group_by.push_back(std::move(key));
  } while (AcceptSymbol(","));
}

bool Parser::AtClause() const {
  for (absl::string_view clause : kClauses) {
    if (AtWord(clause)) return true;
  }
  return false;
}

void Parser::SkipToClause() {
  int depth = 0;
  while (!AtStatementEnd() && (depth > 0 || !AtClause())) {
    if (AtSymbol("(")) ++depth;
    if (AtSymbol(")")) --depth;
    Take();
  }
}

void Parser::ParseTrailingClauses(Statement* statement) {
  while (AtClause() && !AtStatementEnd()) {
    if (AtWord("emit")) {
      if (ParseEmit(statement)) continue;
      statement->broken = true;
    } else {
      statement->broken = true;
      if (!RefuseClause(Take())) {
        SkipStatement();
        return;
      }
    }
    SkipToClause();
  }
}

// Whether what follows the clause can still be read.
bool Parser::RefuseClause(const Token& first) {
  std::string clause = absl::AsciiStrToUpper(first.text);
  if (first.text == "order") {
    AcceptWord("by");
    Refuse(SpanFrom(first), "ORDER BY",
           "a view is kept in the order of its key");
  } else if (first.text == "having") {
    RefuseYet(first.span, clause, "WHERE filters events, before they fold");
  } else if (first.text == "where" || first.text == "group" ||
             first.text == "from") {
    reporter_->Error(first.span, absl::StrCat("unexpected ", clause, " here"),
                     "the order is SELECT, FROM, WHERE, GROUP BY, EMIT");
  } else if (first.text == "limit" || first.text == "offset" ||
             first.text == "fetch") {
    Refuse(first.span, clause, "a client limits what it reads");
  } else {
    return RefuseYet(first.span, clause);
  }
  return true;
}

}  // namespace tidegate::sql
