// What fuzz targets of decoders check of any of them.
#ifndef TIDEGATE_TESTS_FUZZ_DECODING_H_
#define TIDEGATE_TESTS_FUZZ_DECODING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ingest/decode/decoder.h"
#include "views/plan/plan.h"

namespace tidegate {

// A column of each type, and two of VARCHAR.
std::vector<Column> FuzzColumns();

// Each column as text: equal for equal values only, doubles bit by bit. None:
// the record is refused.
using DecodedRow = std::optional<std::vector<std::string>>;

// Decodes `value` and checks that the row is one that the rest of the server
// may rely on: text is valid UTF-8, INTs and times are in range, columns that
// are not used are NULL.
DecodedRow DecodeChecked(Decoder* decoder, const std::vector<Column>& columns,
                         const std::vector<bool>& used,
                         absl::string_view value);
// `fewer` of the used columns alone, against the row of all: it may find less
// that is wrong, and reads no value differently.
void CheckFewer(const DecodedRow& all, const DecodedRow& fewer,
                const std::vector<bool>& used);
// For a message.
std::string Show(const DecodedRow& row);

// Flags of columns: bit i of `mask` for column i.
std::vector<bool> UsedColumns(size_t count, uint32_t mask);

}  // namespace tidegate

#endif  // TIDEGATE_TESTS_FUZZ_DECODING_H_
