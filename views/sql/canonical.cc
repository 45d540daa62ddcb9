#include "views/sql/canonical.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "views/sql/binder.h"

namespace tidegate::sql {
namespace {

bool RowsDependOn(const std::string& option) {
  return option != "idle.timeout" && option != "idle.advance" &&
         option != "dead.letter.topic" && option != "key" &&
         option != "pipeline";
}

std::vector<std::string> CanonicalOptions(const Statement& statement) {
  std::map<std::string, std::string> kept;
  for (const Option& option : statement.options) {
    if (!RowsDependOn(option.key.text)) continue;
    kept[option.key.text] = CanonicalToken(
        Token{TokenKind::kString, option.value.span, option.value.text});
  }
  std::vector<std::string> parts;
  if (kept.empty()) return parts;
  parts.push_back("with (");
  std::string separator;
  for (const auto& [key, value] : kept) {
    parts.push_back(absl::StrCat(separator, key, " = ", value));
    separator = ", ";
  }
  parts.push_back(")");
  return parts;
}

// Of ENCODE name (…): the options in one order, and of a registry only that it
// is there (JSON reads the same rows without).
std::string CanonicalEncoding(const EncodeDef& encode) {
  std::string options;
  for (absl::string_view key : {"message", "file", "schema.registry"}) {
    const Option* const option = FindOption(encode.options, key);
    if (option == nullptr || encode.name.text == "json") continue;
    absl::StrAppend(&options, options.empty() ? "" : " , ", key);
    if (key == "schema.registry") continue;
    absl::StrAppend(&options, " = ",
                    CanonicalToken(Token{TokenKind::kString, option->value.span,
                                         option->value.text}));
  }
  return options.empty() ? encode.name.text
                         : absl::StrCat(encode.name.text, " ( ", options, " )");
}

// JSON first; `only` is one by itself, -1 all of them.
std::string CanonicalEncodings(const std::vector<EncodeDef>& encodes,
                               int only) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < encodes.size(); ++i) {
    if (only >= 0 && static_cast<size_t>(only) != i) continue;
    texts.insert(encodes[i].name.text == "json" ? texts.begin() : texts.end(),
                 CanonicalEncoding(encodes[i]));
  }
  return absl::StrJoin(texts, " or ");
}

// Of an INCLUDE that is used, with the column's name.
std::string CanonicalInclude(absl::Span<const Token> tokens,
                             const IncludeDef& include) {
  std::string text = absl::StrCat(
      "include ", CanonicalToken(tokens[include.first_token + 1]), " ");
  if (!include.header.empty()) {
    absl::StrAppend(&text, CanonicalToken(tokens[include.first_token + 2]),
                    " ");
  }
  return absl::StrCat(
      text, "as ",
      CanonicalToken(
          Token{TokenKind::kQuotedName, include.name.span, include.name.text}));
}

// Past the column definition at `at` and its comma, if it is not used; else
// `at`.
size_t SkipUnusedColumn(absl::Span<const Token> tokens,
                        const Statement& statement,
                        const std::vector<bool>& used, size_t at) {
  if (!statement.source.has_value() || used.empty()) return at;
  const std::vector<ColumnDef>& columns = statement.source->columns;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].first_token != at || used[i]) continue;
    size_t end = columns[i].end_token;
    return tokens[end].IsSymbol(",") ? end + 1 : end;
  }
  return at;
}

// Past the clause at `at`, if no row depends on it; else `at`.
size_t SkipClause(const Statement& statement, WatermarkText text, size_t at) {
  if (statement.view.has_value()) {
    const ViewDef& view = *statement.view;
    bool skip = !view.emit_on_close && at == view.emit_first_token &&
                view.emit_first_token < view.emit_end_token;
    return skip ? view.emit_end_token : at;
  }
  const std::optional<WatermarkDef>& watermark = statement.source->watermark;
  bool skip = text == WatermarkText::kColumn && watermark.has_value() &&
              at == watermark->bound_first_token;
  return skip ? watermark->bound_end_token : at;
}

// What stands for the part of a source at `at`; moves `at` past it. False if
// the tokens themselves do.
bool TakeSourcePart(absl::Span<const Token> tokens, const Statement& statement,
                    const std::vector<bool>& used, int encoding, size_t* at,
                    std::vector<std::string>* parts) {
  if (!statement.source.has_value()) return false;
  const SourceDef& source = *statement.source;
  for (size_t i = 0; i < source.includes.size(); ++i) {
    const IncludeDef& include = source.includes[i];
    if (include.first_token != *at) continue;
    if (used.empty() || used[source.columns.size() + i]) {
      parts->push_back(CanonicalInclude(tokens, include));
    }
    *at = include.end_token;
    return true;
  }
  if (*at != source.encode_first_token || source.encodes.empty()) return false;
  parts->push_back(CanonicalEncodings(source.encodes, encoding));
  *at = source.encode_end_token;
  return true;
}

// With the source's encoding number `encoding` alone; -1: with all.
std::string Canonical(absl::Span<const Token> tokens,
                      const Statement& statement, WatermarkText watermark,
                      const std::vector<bool>& used, int encoding) {
  std::vector<std::string> parts;
  size_t at = statement.first_token;
  while (at < statement.end_token) {
    if (at == statement.with_first_token &&
        statement.with_first_token < statement.with_end_token) {
      for (std::string& part : CanonicalOptions(statement)) {
        parts.push_back(std::move(part));
      }
      at = statement.with_end_token;
      continue;
    }
    if (TakeSourcePart(tokens, statement, used, encoding, &at, &parts)) {
      continue;
    }
    size_t next = SkipUnusedColumn(tokens, statement, used, at);
    if (next == at) next = SkipClause(statement, watermark, at);
    if (next != at) {
      at = next;
      continue;
    }
    // The comma before the parenthesis is left over if what followed it was
    // not used.
    if (tokens[at].IsSymbol(")") && !parts.empty() && parts.back() == ",") {
      parts.pop_back();
    }
    parts.push_back(CanonicalToken(tokens[at++]));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace

std::string CanonicalText(absl::Span<const Token> tokens,
                          const Statement& statement, WatermarkText watermark,
                          const std::vector<bool>& used) {
  return Canonical(tokens, statement, watermark, used, -1);
}

std::vector<std::string> CanonicalTexts(absl::Span<const Token> tokens,
                                        const Statement& statement,
                                        WatermarkText watermark,
                                        const std::vector<bool>& used) {
  std::vector<std::string> texts = {
      CanonicalText(tokens, statement, watermark, used)};
  if (!statement.source.has_value()) return texts;
  const size_t encodings = statement.source->encodes.size();
  for (size_t i = 0; encodings > 1 && i < encodings; ++i) {
    texts.push_back(
        Canonical(tokens, statement, watermark, used, static_cast<int>(i)));
  }
  return texts;
}

std::string CanonicalTokens(absl::Span<const Token> tokens) {
  std::vector<std::string> parts;
  for (const Token& token : tokens) {
    if (token.kind != TokenKind::kEnd) parts.push_back(CanonicalToken(token));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace tidegate::sql
