// A client's condition, and a <View>Row: TEXT 0 ROW. It is tried on the row's
// bytes as they are, and on rows that are well-formed.
#include <array>
#include <memory>

#include "absl/strings/match.h"
#include "tests/fuzz/fuzz.h"
#include "views/fold/row_codec.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

const RowSchema& Schema() {
  static const RowSchema* const schema = [] {
    auto* s = new RowSchema;
    s->fields = {{"b", Type::kBoolean, 1}, {"i", Type::kInt, 2},
                 {"l", Type::kBigint, 3},  {"d", Type::kDouble, 4},
                 {"s", Type::kVarchar, 5}, {"t", Type::kTimestamptz, 9},
                 {"2 odd", Type::kInt, 10}};
    s->key_columns = {1, 4};
    return s;
  }();
  return *schema;
}

std::string Encoded(const std::array<Datum, 7>& row) {
  std::string bytes;
  EncodeRow(Schema(), row, &bytes);
  return bytes;
}

// `text` makes the value of s.
std::vector<std::string> Rows(absl::string_view text, absl::string_view raw) {
  const Datum null = Datum::Null();
  return {std::string(raw), std::string(),
          Encoded({Datum::Bool(true), Datum::Int(-7), Datum::Int(INT64_MIN),
                   Datum::Double(1.5), Datum::Text(text), Datum::Int(0), null}),
          Encoded({null, Datum::Int(INT32_MAX), Datum::Int(0),
                   Datum::Double(-1e308), Datum::Text("a%é_\\"),
                   Datum::Int(1'700'000'000'000'000), Datum::Int(3)})};
}

// "true", "false", or the error.
std::string Verdict(const RowFilter& filter, absl::string_view row) {
  const auto matches = filter.Matches(row);
  if (matches.ok()) return *matches ? "true" : "false";
  FUZZ_EXPECT(matches.status().code() == absl::StatusCode::kDataLoss,
              matches.status().ToString());
  return matches.status().ToString();
}

void CheckError(const absl::Status& status) {
  FUZZ_EXPECT(status.code() == absl::StatusCode::kInvalidArgument,
              status.ToString());
  FUZZ_EXPECT(absl::StartsWith(status.message(), "where: "), status.message());
  constexpr size_t kSeparators = 64;
  FUZZ_EXPECT(
      status.message().size() <=
          RowFilter::kMaxErrors * (RowFilter::kMaxErrorBytes + kSeparators),
      status.message());
}

void Check(absl::string_view text, absl::string_view raw) {
  const auto filter = RowFilter::Compile(text, Schema());
  if (!filter.ok()) return CheckError(filter.status());
  const std::string& canonical = (*filter)->canonical();
  if (canonical.size() > RowFilter::kMaxTextBytes) return;
  const auto again = RowFilter::Compile(canonical, Schema());
  FUZZ_EXPECT(again.ok(), canonical, ": ", again.status().ToString());
  FUZZ_EXPECT((*again)->canonical() == canonical, canonical, " / ",
              (*again)->canonical());
  for (const std::string& row : Rows(text, raw)) {
    const std::string verdict = Verdict(**filter, row);
    FUZZ_EXPECT(verdict == Verdict(**again, row), verdict, ": ", canonical);
  }
  // What clients send; well-formed rows are never malformed to it.
  const std::vector<std::string> rows = Rows("", "");
  for (size_t i = 1; i < rows.size(); ++i) {
    FUZZ_EXPECT((*filter)->Matches(rows[i]).ok(), "row ", i, ": ", canonical);
  }
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::FuzzInput input(data, size);
  const absl::string_view text = input.Until('\0');
  tidegate::Check(text, input.Rest());
  return 0;
}
