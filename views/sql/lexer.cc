#include "views/sql/lexer.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/utf8.h"

namespace tidegate::sql {
namespace {

bool StartsName(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool ContinuesName(char c) { return absl::ascii_isalnum(c) || c == '_'; }

class Lexer {
 public:
  Lexer(absl::string_view text, Reporter* reporter)
      : text_(text), reporter_(reporter) {}

  std::vector<Token> Run() {
    if (absl::StartsWith(text_, "\xEF\xBB\xBF")) at_ = 3;
    while (true) {
      SkipBlanks();
      if (at_ >= text_.size()) break;
      Next();
    }
    uint32_t end = static_cast<uint32_t>(text_.size());
    tokens_.push_back(Token{TokenKind::kEnd, Span{end, end}, ""});
    return std::move(tokens_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool At(absl::string_view s) const {
    return absl::StartsWith(text_.substr(at_), s);
  }
  Span From(size_t begin) const {
    return Span{static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)};
  }
  void Add(TokenKind kind, size_t begin, std::string text) {
    tokens_.push_back(Token{kind, From(begin), std::move(text)});
  }

  // Moves over one character; reports a byte that is not UTF-8.
  bool Advance() {
    size_t length = Utf8SequenceLength(text_.substr(at_));
    if (length > 0) {
      at_ += length;
      return true;
    }
    size_t begin = at_++;
    reporter_->Error(From(begin),
                     absl::StrFormat("the file is not UTF-8 here: byte 0x%02x",
                                     static_cast<uint8_t>(text_[begin])),
                     "save the file as UTF-8");
    return false;
  }

  void SkipBlanks() {
    while (at_ < text_.size()) {
      if (absl::ascii_isspace(text_[at_])) {
        ++at_;
      } else if (At("--")) {
        while (at_ < text_.size() && text_[at_] != '\n') Advance();
      } else if (At("/*")) {
        SkipBlockComment();
      } else {
        return;
      }
    }
  }

  void SkipBlockComment() {
    size_t begin = at_;
    at_ += 2;
    Span open = From(begin);
    int depth = 1;
    while (at_ < text_.size()) {
      if (At("/*")) {
        ++depth;
        at_ += 2;
      } else if (At("*/")) {
        at_ += 2;
        if (--depth == 0) return;
      } else {
        Advance();
      }
    }
    reporter_->Error(open, "comment is not closed", "write */ at its end");
  }

  void Next() {
    char c = text_[at_];
    if (StartsName(c)) {
      size_t begin = at_;
      while (ContinuesName(Peek())) ++at_;
      Add(TokenKind::kName, begin,
          absl::AsciiStrToLower(text_.substr(begin, at_ - begin)));
    } else if (absl::ascii_isdigit(c) ||
               (c == '.' && absl::ascii_isdigit(Peek(1)))) {
      Number();
    } else if (c == '\'') {
      Quoted(TokenKind::kString, "string", "'");
    } else if (c == '"') {
      Quoted(TokenKind::kQuotedName, "quoted name", "\"");
    } else {
      Symbol();
    }
  }

  void Number() {
    size_t begin = at_;
    bool decimal = false;
    while (absl::ascii_isdigit(Peek())) ++at_;
    if (Peek() == '.') {
      decimal = true;
      ++at_;
      while (absl::ascii_isdigit(Peek())) ++at_;
    }
    if (Peek() == 'e' || Peek() == 'E') {
      size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 2 : 1;
      if (absl::ascii_isdigit(Peek(sign))) {
        decimal = true;
        at_ += sign;
        while (absl::ascii_isdigit(Peek())) ++at_;
      }
    }
    TokenKind kind = decimal ? TokenKind::kDecimal : TokenKind::kInteger;
    if (StartsName(Peek())) {
      while (ContinuesName(Peek())) ++at_;
      kind = TokenKind::kBad;
      reporter_->Error(
          From(begin),
          absl::StrCat("not a number: ", text_.substr(begin, at_ - begin)),
          "a name that starts with a digit must stand in double quotes");
    }
    Add(kind, begin, absl::AsciiStrToLower(text_.substr(begin, at_ - begin)));
  }

  // A string or quoted name ends on the line it starts on: so a forgotten
  // quote is reported where it is missing.
  void Quoted(TokenKind kind, absl::string_view what, absl::string_view quote) {
    size_t begin = at_++;
    std::string value;
    while (at_ < text_.size() && text_[at_] != '\n') {
      if (text_[at_] == quote[0]) {
        ++at_;
        if (Peek() != quote[0]) {
          FinishQuoted(kind, what, begin, std::move(value));
          return;
        }
      }
      size_t from = at_;
      if (!Advance()) kind = TokenKind::kBad;
      absl::StrAppend(&value, text_.substr(from, at_ - from));
    }
    reporter_->Error(From(begin), absl::StrCat(what, " is not closed"),
                     absl::StrCat("write ", quote, " at its end"));
    Add(TokenKind::kBad, begin, "");
  }

  void FinishQuoted(TokenKind kind, absl::string_view what, size_t begin,
                    std::string value) {
    if (kind == TokenKind::kQuotedName && value.empty()) {
      reporter_->Error(From(begin), absl::StrCat(what, " is empty"));
      kind = TokenKind::kBad;
    }
    Add(kind, begin, std::move(value));
  }

  void Symbol() {
    static constexpr absl::string_view kSymbols[] = {
        "<>", "<=", ">=", "!=", "||", "::", "(", ")", ",", ".", ";",
        "=",  "<",  ">",  "+",  "-",  "*",  "/", "%", "[", "]"};
    size_t begin = at_;
    for (absl::string_view symbol : kSymbols) {
      if (!At(symbol)) continue;
      at_ += symbol.size();
      Add(TokenKind::kSymbol, begin,
          std::string(symbol == "!=" ? "<>" : symbol));
      return;
    }
    bool utf8 = Advance();
    absl::string_view character = text_.substr(begin, at_ - begin);
    if (utf8) {
      std::string shown = static_cast<uint8_t>(character[0]) < ' '
                              ? absl::StrFormat("0x%02x", character[0])
                              : absl::StrCat("\"", character, "\"");
      reporter_->Error(From(begin),
                       absl::StrCat("unexpected character ", shown),
                       HelpFor(character));
    }
    // A run of strange characters is one error.
    while (at_ < text_.size() && static_cast<uint8_t>(text_[at_]) >= 0x80) {
      size_t length = Utf8SequenceLength(text_.substr(at_));
      at_ += length == 0 ? 1 : length;
    }
    Add(TokenKind::kBad, begin, "");
  }

  static std::string HelpFor(absl::string_view c) {
    if (c == "`") return "names that need quotes stand in \"double quotes\"";
    if (c == "\xE2\x80\x98" || c == "\xE2\x80\x99") {
      return "strings stand in plain 'single quotes'";
    }
    if (c == "\xE2\x80\x9C" || c == "\xE2\x80\x9D") {
      return "names stand in plain \"double quotes\"";
    }
    if (static_cast<uint8_t>(c[0]) >= 0x80) {
      return "a name with other characters than a-z, 0-9 and _ must stand in "
             "double quotes";
    }
    return "";
  }

  absl::string_view text_;
  Reporter* reporter_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Lex(absl::string_view text, Reporter* reporter) {
  return Lexer(text, reporter).Run();
}

bool IsReserved(absl::string_view word) {
  static const auto* const kWords = new absl::flat_hash_set<absl::string_view>{
      "and",   "as",       "between",   "by",   "case",  "cast",    "create",
      "cross", "distinct", "else",      "emit", "end",   "escape",  "except",
      "false", "fetch",    "for",       "from", "full",  "group",   "having",
      "in",    "inner",    "intersect", "is",   "join",  "lateral", "left",
      "like",  "limit",    "natural",   "not",  "null",  "offset",  "on",
      "or",    "order",    "outer",     "over", "right", "select",  "then",
      "true",  "union",    "using",     "when", "where", "window",  "with"};
  return kWords->contains(word);
}

std::string CanonicalToken(const Token& token) {
  switch (token.kind) {
    case TokenKind::kString:
      return absl::StrCat("'", absl::StrReplaceAll(token.text, {{"'", "''"}}),
                          "'");
    case TokenKind::kQuotedName: {
      bool plain = !absl::ascii_isdigit(token.text[0]);
      for (char c : token.text) {
        plain = plain && ContinuesName(c) && !absl::ascii_isupper(c);
      }
      if (plain && !IsReserved(token.text)) return token.text;
      return absl::StrCat(
          "\"", absl::StrReplaceAll(token.text, {{"\"", "\"\""}}), "\"");
    }
    default:
      return token.text;
  }
}

}  // namespace tidegate::sql
