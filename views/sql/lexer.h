// Splits a views file into tokens.
#ifndef TIDEGATE_VIEWS_SQL_LEXER_H_
#define TIDEGATE_VIEWS_SQL_LEXER_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "views/sql/diagnostics.h"

namespace tidegate::sql {

enum class TokenKind {
  kEnd,
  kName,        // keyword or identifier; text folded to lower case
  kQuotedName,  // "…", text without the quotes
  kString,      // '…', text without the quotes
  kInteger,     // digits
  kDecimal,     // digits with a point or an exponent
  kSymbol,      // an operator or punctuation; != is spelled <>
  kBad,         // already reported; whoever meets it says no more
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
  std::string text;

  bool IsWord(absl::string_view word) const {
    return kind == TokenKind::kName && text == word;
  }
  bool IsSymbol(absl::string_view symbol) const {
    return kind == TokenKind::kSymbol && text == symbol;
  }
};

// Never fails: what is no token is reported and becomes kBad. Ends with kEnd.
std::vector<Token> Lex(absl::string_view text, Reporter* reporter);

// Words that name nothing unless they stand in double quotes.
bool IsReserved(absl::string_view word);

// The token as canonical text: one spelling for all that mean the same.
std::string CanonicalToken(const Token& token);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_LEXER_H_
