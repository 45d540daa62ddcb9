#include "views/sql/parser.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/suggest.h"

namespace tidegate::sql {

std::string Parser::Describe(const Token& token) const {
  absl::string_view text = reporter_->TextOf(token.span);
  switch (token.kind) {
    case TokenKind::kEnd:
      return absl::StrCat("the end of the ", whole_);
    case TokenKind::kString:
      return absl::StrCat("the string ", text);
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
      return absl::StrCat("the number ", text);
    case TokenKind::kQuotedName:
      return std::string(text);
    default:
      return absl::StrCat("\"", text, "\"");
  }
}

const Token& Parser::Peek(size_t ahead) const {
  size_t last = tokens_.size() - 1;
  return tokens_[at_ + ahead < last ? at_ + ahead : last];
}

const Token& Parser::Take() {
  const Token& token = Peek();
  if (token.kind != TokenKind::kEnd) ++at_;
  return token;
}

// A forgotten semicolon costs one statement, not the rest of the file: CREATE
// is reserved.
bool Parser::AtStatementEnd() const {
  return Peek().kind == TokenKind::kEnd || AtSymbol(";") || AtWord("create");
}

bool Parser::AcceptWord(absl::string_view word) {
  if (!AtWord(word)) return false;
  Take();
  return true;
}

bool Parser::AcceptSymbol(absl::string_view symbol) {
  if (!AtSymbol(symbol)) return false;
  Take();
  return true;
}

bool Parser::ExpectWord(absl::string_view word) {
  if (AcceptWord(word)) return true;
  std::string upper = absl::AsciiStrToUpper(word);
  std::string suggestion;
  if (Peek().kind == TokenKind::kName &&
      !Nearest(Peek().text, {std::string(word)}).empty()) {
    suggestion = absl::StrCat("did you mean ", upper, "?");
  }
  return Fail(upper, std::move(suggestion));
}

bool Parser::ExpectSymbol(absl::string_view symbol) {
  if (AcceptSymbol(symbol)) return true;
  return Fail(absl::StrCat("\"", symbol, "\""));
}

bool Parser::ExpectName(absl::string_view what, Name* name) {
  const Token& token = Peek();
  if (token.kind == TokenKind::kName && IsReserved(token.text)) {
    return Fail(what, ReservedHelp(token));
  }
  if (token.kind != TokenKind::kName && token.kind != TokenKind::kQuotedName) {
    return Fail(what);
  }
  *name = Name{token.text, token.span};
  Take();
  return true;
}

// Only for words that may have been meant as a name.
std::string Parser::ReservedHelp(const Token& token) {
  for (absl::string_view word :
       {"by", "cross", "end", "escape", "fetch", "for", "full", "group", "left",
        "limit", "natural", "offset", "order", "outer", "over", "right",
        "window"}) {
    if (token.text != word) continue;
    return absl::StrCat("\"", word,
                        "\" is a reserved word: as a name it must stand in "
                        "double quotes");
  }
  return "";
}

bool Parser::ExpectString(absl::string_view what, Name* value) {
  const Token& token = Peek();
  if (token.kind != TokenKind::kString) {
    bool bare = token.kind == TokenKind::kName ||
                token.kind == TokenKind::kQuotedName ||
                token.kind == TokenKind::kInteger;
    return Fail(what, bare ? absl::StrCat("write '", token.text, "'") : "");
  }
  *value = Name{token.text, token.span};
  Take();
  return true;
}

bool Parser::Fail(absl::string_view expected, std::string suggestion) {
  const Token& found = Peek();
  if (found.kind == TokenKind::kBad) return false;
  reporter_->Error(
      found.span,
      absl::StrCat("expected ", expected, ", found ", Describe(found)),
      std::move(suggestion));
  return false;
}

bool Parser::Refuse(Span span, absl::string_view what, std::string suggestion) {
  reporter_->Error(span, absl::StrCat("not supported: ", what),
                   std::move(suggestion));
  return false;
}

bool Parser::RefuseYet(Span span, absl::string_view what,
                       std::string suggestion) {
  reporter_->Error(span, absl::StrCat("not supported yet: ", what),
                   std::move(suggestion));
  return false;
}

void Parser::SkipStatement() {
  while (!AtStatementEnd()) Take();
}

void Parser::SkipItem(absl::string_view stop) {
  int depth = 0;
  while (!AtStatementEnd()) {
    if (depth == 0) {
      if (AtSymbol(",") || AtSymbol(")")) return;
      if (!stop.empty() && AtWord(stop)) return;
    }
    if (AtSymbol("(")) ++depth;
    if (AtSymbol(")")) --depth;
    Take();
  }
}

bool Parser::CloseList(bool ok) {
  // After an error that swallowed the parenthesis, its lack is no news.
  if (!ok && AtStatementEnd()) return false;
  return ExpectSymbol(")");
}

Span Parser::SpanFrom(const Token& first) const {
  return at_ == 0 ? first.span : Join(first.span, tokens_[at_ - 1].span);
}

std::vector<Statement> Parser::ParseFile() {
  std::vector<Statement> statements;
  while (Peek().kind != TokenKind::kEnd) {
    if (AcceptSymbol(";")) continue;
    Statement statement;
    statement.first_token = at_;
    bool ok = ParseStatement(&statement);
    if (ok && !AtStatementEnd()) ok = Fail("\";\"");
    if (at_ == statement.first_token) Take();
    if (!ok) {
      statement.broken = true;
      SkipStatement();
    } else if (AtWord("create")) {
      Fail("\";\" between two statements");
    }
    statement.end_token = at_;
    if (!statement.name.text.empty()) {
      statements.push_back(std::move(statement));
    }
  }
  return statements;
}

bool Parser::ParseStatement(Statement* statement) {
  const Token& first = Peek();
  if (!AtWord("create")) return RefuseStatement();
  Take();
  if (AtWord("or") && Peek(1).IsWord("replace")) {
    return Refuse(SpanFrom(first), "CREATE OR REPLACE",
                  "a changed definition is found by `serve`, which says how "
                  "to rebuild the view");
  }
  if (AcceptWord("source")) {
    statement->source.emplace();
    return ParseSource(statement);
  }
  if (AcceptWord("table")) {
    statement->source.emplace();
    statement->source->is_table = true;
    return ParseSource(statement);
  }
  if (AcceptWord("materialized")) {
    if (!ExpectWord("view")) return false;
    statement->view.emplace();
    return ParseView(statement);
  }
  for (absl::string_view kind :
       {"view", "sink", "index", "function", "connection", "secret", "schema",
        "database", "type"}) {
    if (!AtWord(kind)) continue;
    Take();
    return Refuse(SpanFrom(first),
                  absl::StrCat("CREATE ", absl::AsciiStrToUpper(kind)),
                  kind == "view" ? "write CREATE MATERIALIZED VIEW" : "");
  }
  std::string near =
      Peek().kind == TokenKind::kName
          ? Nearest(Peek().text, {"source", "table", "materialized"})
          : "";
  return Fail("SOURCE, TABLE or MATERIALIZED VIEW",
              near.empty() ? ""
                           : absl::StrCat("did you mean ",
                                          absl::AsciiStrToUpper(near), "?"));
}

bool Parser::RefuseStatement() {
  static constexpr absl::string_view kOthers[] = {
      "drop",  "alter",  "insert", "select",  "update",  "delete",
      "set",   "show",   "with",   "explain", "grant",   "comment",
      "begin", "commit", "values", "use",     "describe"};
  for (absl::string_view word : kOthers) {
    if (!AtWord(word)) continue;
    Span span = Take().span;
    return Refuse(span,
                  absl::StrCat("the statement ", absl::AsciiStrToUpper(word)),
                  "a views file holds CREATE SOURCE, CREATE TABLE and CREATE "
                  "MATERIALIZED VIEW");
  }
  return ExpectWord("create");
}

bool Parser::ParseNames(absl::string_view what, std::vector<Name>* names) {
  if (!ExpectSymbol("(")) return false;
  do {
    Name name;
    if (!ExpectName(what, &name)) return false;
    names->push_back(std::move(name));
  } while (AcceptSymbol(","));
  return ExpectSymbol(")");
}

bool Parser::ParsePrimaryKey(std::vector<Name>* names) {
  return ExpectWord("primary") && ExpectWord("key") &&
         ParseNames("a column name", names);
}

bool Parser::ParseOption(Option* option) {
  const Token& first = Peek();
  std::string text;
  do {
    Name part;
    // Reserved words may be parts of an option's name.
    if (Peek().kind == TokenKind::kName) {
      part.text = Take().text;
    } else if (!ExpectName("an option name", &part)) {
      return false;
    }
    absl::StrAppend(&text, text.empty() ? "" : ".", part.text);
  } while (AcceptSymbol("."));
  option->key = Name{std::move(text), SpanFrom(first)};
  return ExpectSymbol("=") &&
         ExpectString(absl::StrCat("a value in single quotes for the option \"",
                                   option->key.text, "\""),
                      &option->value);
}

bool Parser::ParseOptions(absl::string_view what,
                          std::vector<Option>* options) {
  if (!ExpectSymbol("(")) return false;
  bool ok = true;
  do {
    if (AtSymbol(")")) {
      ok = Fail(absl::StrCat("an option of ", what));
      break;
    }
    Option option;
    if (ParseOption(&option)) {
      options->push_back(std::move(option));
    } else {
      ok = false;
      SkipItem();
    }
  } while (AcceptSymbol(","));
  return CloseList(ok) && ok;
}

bool Parser::ParseWith(Statement* statement) {
  if (!AtWord("with")) return true;
  statement->with_first_token = at_;
  Take();
  size_t before = at_;
  bool ok = ParseOptions("WITH", &statement->options);
  statement->with_end_token = at_;
  if (ok) return true;
  statement->broken = true;
  // If the list was closed, what follows it can still be read.
  return at_ > before && tokens_[at_ - 1].IsSymbol(")");
}

}  // namespace tidegate::sql
