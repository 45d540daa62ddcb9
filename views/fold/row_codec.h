// Rows and keys as bytes. A row is the Protobuf message that clients receive
// (<View>Row), so nothing is transcoded on the way out; a key is also kept
// memcomparable, so that byte order is key order.
#ifndef TIDEGATE_VIEWS_FOLD_ROW_CODEC_H_
#define TIDEGATE_VIEWS_FOLD_ROW_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "views/plan/datum.h"
#include "views/plan/expr.h"
#include "views/plan/plan.h"

namespace tidegate {

// A view's columns with their Protobuf field numbers (assigned once, kept in
// the catalog). Field types: BOOLEAN bool, INT int32, BIGINT int64, DOUBLE
// double, VARCHAR string, TIMESTAMPTZ google.protobuf.Timestamp. Every field
// is `optional`; NULL is an absent field. <View>Key has the key columns under
// the same numbers.
struct RowSchema {
  struct Field {
    std::string name;
    Type type = Type::kVarchar;
    uint32_t number = 0;
  };
  std::vector<Field> fields;     // by output column
  std::vector<int> key_columns;  // positions in `fields`, in key order
};

// Appends <View>Row; fields in ascending number. Deterministic.
void EncodeRow(const RowSchema& schema, Row row, std::string* out);
// Appends <View>Key of the key columns of `row` (a whole row).
void EncodeKeyMessage(const RowSchema& schema, Row row, std::string* out);

// Reads <View>Row into `row` (size of schema.fields); text borrows from
// `bytes`. Unknown fields are skipped; the last of a repeated one counts.
absl::Status DecodeRow(const RowSchema& schema, absl::string_view bytes,
                       MutableRow row);
// The same for some of the view's columns; `row` has their order, which is that
// of their numbers. The others are passed over: only their lengths are checked.
absl::Status DecodeColumns(absl::Span<const RowSchema::Field> columns,
                           absl::string_view bytes, MutableRow row);
// Reads a client's <View>Key into `key` (size of key_columns, key order).
// InvalidArgument names a field that is no key column, is malformed or is not
// UTF-8. Absent is NULL.
absl::Status DecodeKeyMessage(const RowSchema& schema, absl::string_view bytes,
                              MutableRow key);

// Appends the memcomparable form of key values (in key order): byte order is
// column order, NULLs last. Doubles: -0 is written as 0, every NaN alike, so
// equal keys have equal bytes.
void EncodeKey(absl::Span<const Type> types, Row key, std::string* out);
// The reverse; text is copied to `arena`. DataLoss if malformed.
absl::Status DecodeKey(absl::Span<const Type> types, absl::string_view bytes,
                       TextArena* arena, MutableRow key);
// memcomparable key bytes -> <View>Key, and a client's <View>Key -> bytes.
absl::Status KeyToMessage(const RowSchema& schema, absl::string_view key,
                          std::string* out);
absl::Status MessageToKey(const RowSchema& schema, absl::string_view message,
                          std::string* out);
// Of a client's <View>Key with only its leading key columns set: what exactly
// the keys with these values in these columns start with. InvalidArgument if
// none is set, or one after an absent one, which it names. An absent column is
// one that is not asked for: the keys where it is NULL cannot be asked for.
absl::StatusOr<std::string> KeyPrefixOf(const RowSchema& schema,
                                        absl::string_view key_message);

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_FOLD_ROW_CODEC_H_
