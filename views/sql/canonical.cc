#include "views/sql/canonical.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

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

}  // namespace

std::string CanonicalText(absl::Span<const Token> tokens,
                          const Statement& statement, WatermarkText watermark,
                          const std::vector<bool>& used) {
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

std::string CanonicalTokens(absl::Span<const Token> tokens) {
  std::vector<std::string> parts;
  for (const Token& token : tokens) {
    if (token.kind != TokenKind::kEnd) parts.push_back(CanonicalToken(token));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace tidegate::sql
