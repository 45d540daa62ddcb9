// A JSON record: MASK RECORD, where MASK's bits are the columns that are used.
#include "ingest/decode/json_decoder.h"
#include "tests/fuzz/decoding.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tidegate::DecodeChecked;
  const std::vector<tidegate::Column> columns = tidegate::FuzzColumns();
  const std::vector<bool> all(columns.size(), true);
  // Kept: a decoder remembers the shape of the records before.
  static tidegate::Decoder* const kept =
      tidegate::MakeJsonDecoder(columns, all).release();

  tidegate::FuzzInput input(data, size);
  const std::vector<bool> used =
      tidegate::UsedColumns(columns.size(), input.Byte());
  const absl::string_view record = input.Rest();
  const auto row = DecodeChecked(kept, columns, all, record);
  const auto fresh = tidegate::MakeJsonDecoder(columns, all);
  FUZZ_EXPECT(DecodeChecked(fresh.get(), columns, all, record) == row,
              "a fresh decoder, against ", tidegate::Show(row));
  FUZZ_EXPECT(DecodeChecked(fresh.get(), columns, all, record) == row,
              "read again, against ", tidegate::Show(row));
  const auto some = tidegate::MakeJsonDecoder(columns, used);
  tidegate::CheckFewer(row, DecodeChecked(some.get(), columns, used, record),
                       used);
  return 0;
}
