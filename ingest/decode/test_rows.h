// For the decoders' tests: rows as text.
#ifndef TIDEGATE_INGEST_DECODE_TEST_ROWS_H_
#define TIDEGATE_INGEST_DECODE_TEST_ROWS_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ingest/decode/decoder.h"
#include "views/plan/plan.h"

namespace tidegate {

inline std::string ShowDatum(Type type, const Datum& datum) {
  if (datum.is_null) return "NULL";
  switch (type) {
    case Type::kBoolean:
      return datum.b ? "true" : "false";
    case Type::kDouble:
      return absl::StrFormat("%.17g", datum.d);
    case Type::kVarchar:
      return absl::StrCat("'", datum.text(), "'");
    default:
      return absl::StrCat(datum.i);
  }
}

// "a=1 b=NULL", or the error's message.
inline std::string DecodeToText(Decoder* decoder,
                                const std::vector<Column>& columns,
                                absl::string_view value) {
  std::vector<Datum> row(columns.size(), Datum::Int(-77));
  const absl::Status status = decoder->Decode(value, absl::MakeSpan(row));
  if (!status.ok()) return absl::StrCat("error: ", status.message());
  std::string text;
  for (size_t i = 0; i < row.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ", columns[i].name, "=",
                    ShowDatum(columns[i].type, row[i]));
  }
  return text;
}

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_TEST_ROWS_H_
