// CREATE SOURCE and CREATE TABLE.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/sql/parser.h"

namespace tidegate::sql {
namespace {

constexpr absl::string_view kIncludePlace =
    "INCLUDE stands behind the columns, before WITH";

}  // namespace

bool Parser::ParseSource(Statement* statement) {
  const Token& first = Peek();
  if (AtWord("if") && Peek(1).IsWord("not")) {
    Take();
    return Refuse(SpanFrom(first), "IF NOT EXISTS",
                  "a views file says all there is");
  }
  if (!ExpectName(
          statement->source->is_table ? "a table name" : "a source name",
          &statement->name)) {
    return false;
  }
  if (!ParseColumns(statement)) return false;
  if (!ParseIncludes(&*statement->source)) return false;
  if (!ParseWith(statement)) return false;
  return ParseFormat(statement);
}

bool Parser::ParseColumns(Statement* statement) {
  if (!ExpectSymbol("(")) return false;
  do {
    if (!ParseColumn(&*statement->source)) {
      statement->broken = true;
      SkipItem();
    }
  } while (AcceptSymbol(","));
  return CloseList(!statement->broken);
}

bool Parser::ParseColumn(SourceDef* source) {
  if (AtWord("watermark") && Peek(1).IsWord("for")) {
    return ParseWatermark(source);
  }
  if (AtWord("primary") && Peek(1).IsWord("key")) {
    return ParseTablePrimaryKey(source);
  }
  ColumnDef column;
  column.first_token = at_;
  if (!ExpectName("a column name", &column.name) || !ParseType(&column.type) ||
      !ParseColumnConstraints(&column)) {
    return false;
  }
  if (!AtSymbol(",") && !AtSymbol(")")) return Fail("\",\" or \")\"");
  column.end_token = at_;
  source->columns.push_back(std::move(column));
  return true;
}

bool Parser::ParseColumnConstraints(ColumnDef* column) {
  if (AtWord("primary")) {
    Take();
    if (!ExpectWord("key")) return false;
    column->primary_key = true;
  }
  static constexpr absl::string_view kOthers[] = {
      "default", "unique",  "references", "check",     "generated",
      "as",      "collate", "null",       "constraint"};
  for (absl::string_view word : kOthers) {
    if (!AtWord(word)) continue;
    return Refuse(Peek().span, absl::StrCat("the column constraint ",
                                            absl::AsciiStrToUpper(word)));
  }
  if (AtWord("not") && Peek(1).IsWord("null")) {
    const Token& first = Take();
    Take();
    return Refuse(SpanFrom(first), "the column constraint NOT NULL",
                  "leave it out, and write WHERE … IS NOT NULL in the views "
                  "that need it");
  }
  return true;
}

bool Parser::ParseTablePrimaryKey(SourceDef* source) {
  const Token& first = Peek();
  std::vector<Name> names;
  if (!ParsePrimaryKey(&names)) return false;
  Span span = SpanFrom(first);
  if (source->primary_key_span.has_value()) {
    reporter_->Error(span, "second PRIMARY KEY", "a table has one");
    return false;
  }
  source->primary_key = std::move(names);
  source->primary_key_span = span;
  return true;
}

bool Parser::ParseWatermark(SourceDef* source) {
  const Token& first = Take();
  WatermarkDef watermark;
  Take();
  if (!ExpectName("a TIMESTAMPTZ column", &watermark.column)) return false;
  watermark.bound_first_token = at_;
  if (!ExpectWord("as") ||
      !ExpectName("the watermark's column", &watermark.operand)) {
    return false;
  }
  if (AcceptSymbol("-")) {
    const Token& bound = Peek();
    if (!ExpectWord("interval") || !ParseInterval(&watermark.bound_us)) {
      return false;
    }
    if (watermark.bound_us < 0) {
      reporter_->Error(SpanFrom(bound), "watermark bound is negative");
      return false;
    }
  } else if (!AtSymbol(",") && !AtSymbol(")")) {
    return Fail("\"-\" and an INTERVAL",
                "write WATERMARK FOR ts AS ts - INTERVAL '2' SECOND");
  }
  watermark.bound_end_token = at_;
  if (source->watermark.has_value()) {
    reporter_->Error(SpanFrom(first), "second WATERMARK", "a source has one");
    return false;
  }
  source->watermark = std::move(watermark);
  return true;
}

bool Parser::ParseFormat(Statement* statement) {
  SourceDef& source = *statement->source;
  if (AtWord("include")) return Fail("FORMAT", std::string(kIncludePlace));
  if (AtWord("with")) return Fail("FORMAT", "a statement has one WITH (…)");
  if (!AtWord("format")) {
    return Fail("FORMAT", source.is_table ? "write FORMAT UPSERT ENCODE JSON"
                                          : "write FORMAT PLAIN ENCODE JSON");
  }
  Take();
  Name format;
  if (!ExpectName("PLAIN or UPSERT", &format)) return false;
  source.format = std::move(format);
  if (AtWord("key")) {
    return Fail("ENCODE", "KEY ENCODE … comes last");
  }
  if (!ExpectWord("encode")) return false;
  source.encode_first_token = at_;
  const bool ok = ParseEncodes(&source);
  source.encode_end_token = at_;
  return ok && ParseKeyEncode(&source);
}

bool Parser::ParseEncodes(SourceDef* source) {
  do {
    // ENCODE JSON OR ENCODE PROTOBUF: what is meant is clear, but one way to
    // write it is enough.
    if (AtWord("encode")) {
      return Fail("an encoding", "write ENCODE once: JSON OR PROTOBUF (…)");
    }
    EncodeDef encode;
    if (!ExpectName("JSON, PROTOBUF or AVRO", &encode.name)) return false;
    const bool ok =
        !AtSymbol("(") ||
        ParseOptions(
            absl::StrCat("ENCODE ", absl::AsciiStrToUpper(encode.name.text)),
            &encode.options);
    source->encodes.push_back(std::move(encode));
    if (!ok) return false;
  } while (AcceptWord("or"));
  if (AtSymbol(",") || AtWord("and")) {
    return Fail("OR", "two encodings are written JSON OR PROTOBUF (…)");
  }
  return true;
}

bool Parser::ParseKeyEncode(SourceDef* source) {
  if (AtWord("include")) return Fail("\";\"", std::string(kIncludePlace));
  if (!AcceptWord("key")) return true;
  Name encode;
  if (!ExpectWord("encode") || !ExpectName("TEXT or JSON", &encode)) {
    return false;
  }
  source->key_encode = std::move(encode);
  return true;
}

}  // namespace tidegate::sql
