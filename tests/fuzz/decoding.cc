#include "tests/fuzz/decoding.h"

#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"
#include "ingest/decode/convert.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

constexpr int64_t kMicros = 1'000'000;

void CheckDatum(const Column& column, bool used, const Datum& datum) {
  if (datum.is_null) return;
  FUZZ_EXPECT(used, column.name);
  switch (column.type) {
    case Type::kVarchar:
      FUZZ_EXPECT(IsValidUtf8(datum.text()), column.name);
      break;
    case Type::kInt:
      FUZZ_EXPECT(datum.i >= std::numeric_limits<int32_t>::min() &&
                      datum.i <= std::numeric_limits<int32_t>::max(),
                  column.name, " ", datum.i);
      break;
    case Type::kTimestamptz:
      FUZZ_EXPECT(datum.i >= kMinTimestampSeconds * kMicros &&
                      datum.i < (kMaxTimestampSeconds + 1) * kMicros,
                  column.name, " ", datum.i);
      break;
    case Type::kBoolean:
    case Type::kBigint:
    case Type::kDouble:
      break;
  }
}

std::string ShowDatum(Type type, const Datum& datum) {
  if (datum.is_null) return "NULL";
  if (type == Type::kVarchar) {
    return absl::StrCat("'", absl::CEscape(datum.text()), "'");
  }
  if (type == Type::kBoolean) return datum.b ? "true" : "false";
  if (type != Type::kDouble) return absl::StrCat(datum.i);
  uint64_t bits = 0;
  std::memcpy(&bits, &datum.d, sizeof(bits));
  return absl::StrCat(datum.d, "=", absl::Hex(bits));
}

}  // namespace

std::vector<Column> FuzzColumns() {
  return {{"b", Type::kBoolean},   {"i", Type::kInt},
          {"l", Type::kBigint},    {"d", Type::kDouble},
          {"s", Type::kVarchar},   {"t", Type::kTimestamptz},
          {"kind", Type::kVarchar}};
}

DecodedRow DecodeChecked(Decoder* decoder, const std::vector<Column>& columns,
                         const std::vector<bool>& used,
                         absl::string_view value) {
  std::vector<Datum> row(columns.size(), Datum::Int(-77));
  const absl::Status status = decoder->Decode(value, MutableRow(row));
  if (!status.ok()) {
    FUZZ_EXPECT(status.code() == absl::StatusCode::kInvalidArgument,
                status.ToString());
    FUZZ_EXPECT(IsValidUtf8(status.message()), status.message());
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (size_t i = 0; i < columns.size(); ++i) {
    CheckDatum(columns[i], used[i], row[i]);
    texts.push_back(ShowDatum(columns[i].type, row[i]));
  }
  return texts;
}

void CheckFewer(const DecodedRow& all, const DecodedRow& fewer,
                const std::vector<bool>& used) {
  if (!all.has_value()) return;
  FUZZ_EXPECT(fewer.has_value(), "refused with fewer columns: ", Show(all));
  for (size_t i = 0; i < used.size(); ++i) {
    FUZZ_EXPECT((*fewer)[i] == (used[i] ? (*all)[i] : "NULL"), "column ", i,
                ": ", Show(all), " / ", Show(fewer));
  }
}

std::string Show(const DecodedRow& row) {
  return row.has_value() ? absl::StrJoin(*row, " ") : "refused";
}

std::vector<bool> UsedColumns(size_t count, uint32_t mask) {
  std::vector<bool> used(count);
  for (size_t i = 0; i < count; ++i) used[i] = ((mask >> i) & 1) != 0;
  return used;
}

}  // namespace tidegate
