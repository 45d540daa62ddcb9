#include "views/sql/row_filter.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "views/sql/ast.h"
#include "views/sql/canonical.h"
#include "views/sql/diagnostics.h"
#include "views/sql/expression.h"
#include "views/sql/lexer.h"

namespace tidegate {
namespace {

static_assert(RowFilter::kMaxTextBytes == kMaxFilterBytes);
static_assert(RowFilter::kMaxDepth == sql::kMaxExpressionDepth);

// Of the calling thread; no filter is evaluated within another.
struct Scratch {
  std::vector<Datum> values;
  TextArena arena{{.made_bytes = RowFilter::kMaxMadeBytes,
                   .like_steps = RowFilter::kMaxLikeSteps}};
};

Scratch& ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

// At most kMaxErrorBytes of `text`, cut between characters.
std::string Shorten(std::string text) {
  if (text.size() <= RowFilter::kMaxErrorBytes) return text;
  constexpr absl::string_view kCut = "…";
  size_t size = RowFilter::kMaxErrorBytes - kCut.size();
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  absl::StrAppend(&text, kCut);
  return text;
}

absl::Status Refused(const std::vector<Diagnostic>& errors) {
  std::vector<std::string> parts;
  for (const Diagnostic& error : errors) {
    if (parts.size() == RowFilter::kMaxErrors) {
      parts.push_back(absl::StrCat("errors not shown: ",
                                   errors.size() - RowFilter::kMaxErrors));
      break;
    }
    parts.push_back(Shorten(
        absl::StrCat(error.line, ":", error.column, ": ", error.message,
                     error.suggestion.empty() ? "" : "; ", error.suggestion)));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("where: ", absl::StrJoin(parts, "; ")));
}

absl::Status CheckText(absl::string_view text) {
  if (text.size() > RowFilter::kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("where: longer than %d bytes: %d",
                        RowFilter::kMaxTextBytes, text.size()));
  }
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = Utf8SequenceLength(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  if (at == text.size()) return absl::OkStatus();
  sql::Reporter reporter(text);
  const auto begin = static_cast<uint32_t>(at);
  reporter.Error(
      {begin, begin + 1},
      absl::StrFormat("not UTF-8: byte 0x%02x", static_cast<uint8_t>(text[at])),
      "text is UTF-8");
  return Refused(reporter.Take());
}

std::string CanonicalSpelling(absl::string_view text) {
  sql::Reporter reporter(text);
  return sql::CanonicalTokens(sql::Lex(text, &reporter));
}

// The columns of `fields` that `expr` reads, in the order of their numbers;
// `expr` reads them by their place in the result from here on.
std::vector<RowSchema::Field> KeepUsedColumns(
    absl::Span<const RowSchema::Field> fields, Expr* expr) {
  std::map<uint32_t, int32_t> used;  // place in `fields`, by number
  for (const Instruction& step : expr->code) {
    if (step.op != Op::kColumn) continue;
    used[fields[static_cast<size_t>(step.arg)].number] = step.arg;
  }
  std::vector<RowSchema::Field> columns;
  std::map<int32_t, int32_t> moved;
  for (const auto& [number, place] : used) {
    moved[place] = static_cast<int32_t>(columns.size());
    columns.push_back(fields[static_cast<size_t>(place)]);
  }
  for (Instruction& step : expr->code) {
    if (step.op == Op::kColumn) step.arg = moved[step.arg];
  }
  return columns;
}

}  // namespace

RowFilter::RowFilter(Expr expr, std::vector<RowSchema::Field> columns,
                     std::string canonical)
    : expr_(std::move(expr)),
      columns_(std::move(columns)),
      canonical_(std::move(canonical)) {}

absl::StatusOr<std::shared_ptr<const RowFilter>> RowFilter::Compile(
    absl::string_view text, const RowSchema& schema) {
  RETURN_IF_ERROR(CheckText(text));
  std::vector<OutputColumn> columns;
  for (const RowSchema::Field& field : schema.fields) {
    columns.push_back({field.name, field.type});
  }
  std::vector<Diagnostic> errors;
  absl::StatusOr<Expr> expr = CompileFilter(text, columns, &errors);
  if (!errors.empty()) return Refused(errors);
  RETURN_IF_ERROR(expr.status());
  if (expr->code.size() > kMaxInstructions) {
    return absl::InvalidArgumentError(absl::StrCat(
        "where: 1:1: expression is too large: it takes ", expr->code.size(),
        " instructions, the limit is ", kMaxInstructions));
  }
  std::vector<RowSchema::Field> used = KeepUsedColumns(schema.fields, &*expr);
  return std::shared_ptr<const RowFilter>(new RowFilter(
      *std::move(expr), std::move(used), CanonicalSpelling(text)));
}

absl::StatusOr<bool> RowFilter::Matches(absl::string_view row) const {
  Scratch& scratch = ThreadScratch();
  if (scratch.values.size() < columns_.size()) {
    scratch.values.resize(columns_.size());
  }
  const MutableRow values =
      absl::MakeSpan(scratch.values).first(columns_.size());
  RETURN_IF_ERROR(DecodeColumns(columns_, row, values));
  Datum result;
  const absl::Status evaluated =
      Evaluate(expr_, values, &scratch.arena, &result);
  scratch.arena.Reset();
  return evaluated.ok() && !result.is_null && result.b;
}

}  // namespace tidegate
