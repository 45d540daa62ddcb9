// Definitions as text that is equal when they mean the same.
#ifndef TIDEGATE_VIEWS_SQL_CANONICAL_H_
#define TIDEGATE_VIEWS_SQL_CANONICAL_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "views/sql/ast.h"
#include "views/sql/lexer.h"

namespace tidegate::sql {

// Of a source or table, what of its WATERMARK a view's rows depend on.
enum class WatermarkText {
  kColumn,  // which time decides what is newer
  kBound,   // and how long it waits for late events
};

// The statement's tokens with one space between them. WITH options are sorted,
// and those that no row depends on are left out: idle.timeout, idle.advance,
// dead.letter.topic, key and pipeline; so is EMIT ON UPDATE, which is the
// default. Of a source, the columns that are not in `used` (by position, those
// of INCLUDE behind the others; empty: all are) are left out too, so that a
// source can grow without its views being rebuilt, and the bound of its
// WATERMARK unless `watermark` asks for it. Of its encodings JSON comes first,
// and a schema registry is only said to be there: where it is says nothing of
// the rows.
std::string CanonicalText(absl::Span<const Token> tokens,
                          const Statement& statement, WatermarkText watermark,
                          const std::vector<bool>& used = {});

// CanonicalText, and if there are two encodings, then the texts with each of
// them alone: a definition that reads one encoding more than the one under
// which rows were made can go on with them.
std::vector<std::string> CanonicalTexts(absl::Span<const Token> tokens,
                                        const Statement& statement,
                                        WatermarkText watermark,
                                        const std::vector<bool>& used = {});

// The tokens with one space between them, each in its one spelling.
std::string CanonicalTokens(absl::Span<const Token> tokens);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_CANONICAL_H_
