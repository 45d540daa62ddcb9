// Type names and intervals.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "views/sql/literals.h"
#include "views/sql/parser.h"

namespace tidegate::sql {
namespace {

using TypeMap = absl::flat_hash_map<std::string, Type>;

const TypeMap& Types() {
  static const auto* const kTypes = new TypeMap{
      {"boolean", Type::kBoolean},
      {"bool", Type::kBoolean},
      {"int", Type::kInt},
      {"integer", Type::kInt},
      {"int4", Type::kInt},
      {"bigint", Type::kBigint},
      {"int8", Type::kBigint},
      {"double", Type::kDouble},
      {"float8", Type::kDouble},
      {"varchar", Type::kVarchar},
      {"text", Type::kVarchar},
      {"string", Type::kVarchar},
      {"timestamptz", Type::kTimestamptz},
  };
  return *kTypes;
}

struct RefusedType {
  absl::string_view name;
  absl::string_view use;
};

constexpr RefusedType kRefusedTypes[] = {
    {"decimal", "use DOUBLE PRECISION, or BIGINT for cents"},
    {"numeric", "use DOUBLE PRECISION, or BIGINT for cents"},
    {"smallint", "use INT"},
    {"int2", "use INT"},
    {"tinyint", "use INT"},
    {"real", "use DOUBLE PRECISION"},
    {"float", "use DOUBLE PRECISION"},
    {"float4", "use DOUBLE PRECISION"},
    {"char", "use VARCHAR"},
    {"character", "use VARCHAR"},
    {"uuid", "use VARCHAR"},
    {"json", "use VARCHAR"},
    {"jsonb", "use VARCHAR"},
    {"bytea", ""},
    {"date", "use TIMESTAMPTZ"},
    {"time", ""},
    {"timestamp", "use TIMESTAMPTZ"},
    {"interval", ""},
    {"struct", ""},
    {"map", ""},
    {"array", ""},
    {"rw_int256", ""},
};

}  // namespace

bool Parser::RefuseType(const Token& name) {
  for (const RefusedType& refused : kRefusedTypes) {
    if (name.text == refused.name) {
      return Refuse(
          name.span,
          absl::StrCat("the type ", absl::AsciiStrToUpper(name.text),
                       refused.name == "timestamp" ? " WITHOUT TIME ZONE" : ""),
          std::string(refused.use));
    }
  }
  std::vector<std::string> names;
  for (const auto& [type_name, type] : Types()) names.push_back(type_name);
  std::sort(names.begin(), names.end());
  std::string near = Nearest(name.text, names);
  reporter_->Error(
      name.span, absl::StrCat("unknown type \"", name.text, "\""),
      near.empty()
          ? "the types are BOOLEAN, INT, BIGINT, DOUBLE PRECISION, VARCHAR "
            "and TIMESTAMPTZ"
          : absl::StrCat("did you mean ", absl::AsciiStrToUpper(near), "?"));
  return false;
}

bool Parser::ParseType(Type* type) {
  const Token& name = Peek();
  if (name.kind != TokenKind::kName || IsReserved(name.text)) {
    return Fail("a type",
                "the types are BOOLEAN, INT, BIGINT, DOUBLE "
                "PRECISION, VARCHAR and TIMESTAMPTZ");
  }
  Take();
  if (name.text == "timestamp" && AtWord("with") && Peek(1).IsWord("time")) {
    Take();
    Take();
    if (!ExpectWord("zone")) return false;
    *type = Type::kTimestamptz;
  } else {
    auto found = Types().find(name.text);
    if (found == Types().end()) return RefuseType(name);
    *type = found->second;
    if (name.text == "double") AcceptWord("precision");
  }
  if (AtSymbol("(")) {
    return Refuse(Peek().span,
                  absl::StrCat("a length or precision of ",
                               absl::AsciiStrToUpper(name.text)),
                  "leave it out");
  }
  if (AtSymbol("[")) return RefuseYet(Peek().span, "array types");
  return true;
}

// After the word INTERVAL.
bool Parser::ParseInterval(int64_t* micros) {
  const Token& first = Peek();
  Name text;
  if (!ExpectString("a string like '2' after INTERVAL", &text)) return false;
  std::string unit;
  if (Peek().kind == TokenKind::kName && IsIntervalUnit(Peek().text)) {
    unit = Take().text;
  }
  absl::StatusOr<int64_t> parsed = sql::ParseInterval(text.text, unit);
  if (!parsed.ok()) {
    reporter_->Error(SpanFrom(first), std::string(parsed.status().message()),
                     "write INTERVAL '2' SECOND, or INTERVAL '2 seconds'");
    return false;
  }
  *micros = *parsed;
  return true;
}

}  // namespace tidegate::sql
