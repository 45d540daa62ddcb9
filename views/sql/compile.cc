#include "views/sql/compile.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/binder.h"
#include "views/sql/lexer.h"
#include "views/sql/parser.h"

namespace tidegate {

CompileResult CompileViews(absl::string_view text) {
  CompileResult result;
  if (text.size() > kMaxViewsFileBytes) {
    Diagnostic too_large;
    too_large.message =
        absl::StrCat("the file is larger than ", kMaxViewsFileBytes, " bytes");
    result.diagnostics.push_back(std::move(too_large));
    return result;
  }
  sql::Reporter reporter(text);
  std::vector<sql::Token> tokens = sql::Lex(text, &reporter);
  std::vector<sql::Statement> statements =
      sql::Parser(tokens, &reporter).ParseFile();
  result.plans = sql::Binder(text, tokens, statements, &reporter).Run();
  result.diagnostics = reporter.Take();
  return result;
}

}  // namespace tidegate
