// Definitions as text that is equal when they mean the same.
#ifndef TIDEGATE_VIEWS_SQL_CANONICAL_H_
#define TIDEGATE_VIEWS_SQL_CANONICAL_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "views/sql/ast.h"
#include "views/sql/lexer.h"

namespace tidegate::sql {

// The statement's tokens with one space between them. WITH options are sorted,
// and those that no row depends on are left out: idle.timeout,
// dead.letter.topic, key and pipeline. Of a source, the columns that are not in
// `used` (by position; empty: all are) are left out too, so that a source can
// grow without its views being rebuilt.
std::string CanonicalText(absl::Span<const Token> tokens,
                          const Statement& statement,
                          const std::vector<bool>& used = {});

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_CANONICAL_H_
