#include "views/fold/row_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "absl/container/inlined_vector.h"
#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr uint32_t kSecondsField = 1;
constexpr uint32_t kNanosField = 2;

WireType WireTypeOf(Type type) {
  switch (type) {
    case Type::kBoolean:
    case Type::kInt:
    case Type::kBigint:
      return WireType::kVarint;
    case Type::kDouble:
      return WireType::kFixed64;
    case Type::kVarchar:
    case Type::kTimestamptz:
      break;
  }
  return WireType::kLengthDelimited;
}

// google.protobuf.Timestamp with its length before it.
void PutTimestamp(std::string* out, int64_t micros) {
  int64_t seconds = micros / kMicrosPerSecond;
  int64_t rest = micros % kMicrosPerSecond;
  if (rest < 0) {
    rest += kMicrosPerSecond;
    --seconds;
  }
  std::string message;  // at most 17 bytes
  if (seconds != 0) {
    PutTag(&message, kSecondsField, WireType::kVarint);
    PutVarint64(&message, static_cast<uint64_t>(seconds));
  }
  if (rest != 0) {
    PutTag(&message, kNanosField, WireType::kVarint);
    PutVarint64(&message, static_cast<uint64_t>(rest * 1000));
  }
  PutLengthPrefixed(out, message);
}

bool GetTimestamp(absl::string_view in, int64_t* micros) {
  int64_t seconds = 0, nanos = 0;
  WireField field;
  while (!in.empty()) {
    if (!GetWireField(&in, &field)) return false;
    if (field.number > kNanosField) continue;
    if (field.type != WireType::kVarint) return false;
    (field.number == kSecondsField ? seconds : nanos) =
        static_cast<int64_t>(field.varint);
  }
  if (nanos < 0 || nanos >= 1'000'000'000) return false;
  // The second that holds the earliest microsecond begins below 64 bits.
  const absl::int128 exact =
      absl::int128(seconds) * kMicrosPerSecond + nanos / 1000;
  *micros = static_cast<int64_t>(exact);
  return *micros == exact;
}

void PutField(std::string* out, const RowSchema::Field& field,
              const Datum& value) {
  if (value.is_null) return;
  PutTag(out, field.number, WireTypeOf(field.type));
  switch (field.type) {
    case Type::kBoolean:
      PutVarint64(out, value.b ? 1 : 0);
      break;
    case Type::kInt:
    case Type::kBigint:
      PutVarint64(out, static_cast<uint64_t>(value.i));
      break;
    case Type::kDouble:
      // One NaN, so that equal rows are equal bytes.
      PutFixed64LittleEndian(
          out,
          std::bit_cast<uint64_t>(std::isnan(value.d)
                                      ? std::numeric_limits<double>::quiet_NaN()
                                      : value.d));
      break;
    case Type::kVarchar:
      PutLengthPrefixed(out, value.text());
      break;
    case Type::kTimestamptz:
      PutTimestamp(out, value.i);
      break;
  }
}

// False if the field is not what `type` is written as.
bool ReadField(const WireField& field, Type type, Datum* value) {
  if (field.type != WireTypeOf(type)) return false;
  switch (type) {
    case Type::kBoolean:
      *value = Datum::Bool(field.varint != 0);
      return true;
    case Type::kInt:
      *value = Datum::Int(static_cast<int32_t>(field.varint));
      return true;
    case Type::kBigint:
      *value = Datum::Int(static_cast<int64_t>(field.varint));
      return true;
    case Type::kDouble:
      *value = Datum::Double(std::bit_cast<double>(field.varint));
      return true;
    case Type::kVarchar:
      if (field.bytes.size() > kMaxTextBytes) return false;
      *value = Datum::Text(field.bytes);
      return true;
    case Type::kTimestamptz: {
      int64_t micros;
      if (!GetTimestamp(field.bytes, &micros)) return false;
      *value = Datum::Int(micros);
      return true;
    }
  }
  return false;
}

absl::Status MalformedColumn(absl::string_view name) {
  return absl::DataLossError(
      absl::StrCat("malformed column \"", name, "\" in a row"));
}

int FieldWithNumber(const RowSchema& schema, uint32_t number) {
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (schema.fields[i].number == number) return static_cast<int>(i);
  }
  return -1;
}

using Datums = absl::InlinedVector<Datum, 8>;
using Types = absl::InlinedVector<Type, 8>;

Types KeyTypes(const RowSchema& schema) {
  Types types;
  for (const int column : schema.key_columns) {
    types.push_back(schema.fields[static_cast<size_t>(column)].type);
  }
  return types;
}

// <View>Key of `key`, in key order.
void EncodeKeyValues(const RowSchema& schema, Row key, std::string* out) {
  absl::InlinedVector<std::pair<uint32_t, size_t>, 8> order;
  for (size_t i = 0; i < schema.key_columns.size(); ++i) {
    const auto column = static_cast<size_t>(schema.key_columns[i]);
    order.emplace_back(schema.fields[column].number, i);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [number, i] : order) {
    const auto column = static_cast<size_t>(schema.key_columns[i]);
    PutField(out, schema.fields[column], key[i]);
  }
}

}  // namespace

void EncodeRow(const RowSchema& schema, Row row, std::string* out) {
  // Numbers ascend unless a column was added before others.
  uint32_t last = 0;
  size_t i = 0;
  for (; i < row.size() && schema.fields[i].number > last; ++i) {
    last = schema.fields[i].number;
  }
  if (i == row.size()) {
    for (i = 0; i < row.size(); ++i) PutField(out, schema.fields[i], row[i]);
    return;
  }
  absl::InlinedVector<std::pair<uint32_t, size_t>, 32> order;
  for (i = 0; i < row.size(); ++i) {
    order.emplace_back(schema.fields[i].number, i);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [number, column] : order) {
    PutField(out, schema.fields[column], row[column]);
  }
}

void EncodeKeyMessage(const RowSchema& schema, Row row, std::string* out) {
  Datums key;
  for (const int column : schema.key_columns) {
    key.push_back(row[static_cast<size_t>(column)]);
  }
  EncodeKeyValues(schema, key, out);
}

absl::Status DecodeRow(const RowSchema& schema, absl::string_view bytes,
                       MutableRow row) {
  std::fill(row.begin(), row.end(), Datum::Null());
  WireField field;
  // Fields come in the order of EncodeRow: the next one is a good guess.
  size_t guess = 0;
  while (!bytes.empty()) {
    if (!GetWireField(&bytes, &field)) {
      return absl::DataLossError("malformed row");
    }
    if (guess >= schema.fields.size() ||
        schema.fields[guess].number != field.number) {
      const int found = FieldWithNumber(schema, field.number);
      if (found < 0) continue;
      guess = static_cast<size_t>(found);
    }
    if (!ReadField(field, schema.fields[guess].type, &row[guess])) {
      return MalformedColumn(schema.fields[guess].name);
    }
    ++guess;
  }
  return absl::OkStatus();
}

absl::Status DecodeColumns(absl::Span<const RowSchema::Field> columns,
                           absl::string_view bytes, MutableRow row) {
  std::fill(row.begin(), row.end(), Datum::Null());
  WireField field;
  while (!bytes.empty()) {
    if (!GetWireField(&bytes, &field)) {
      return absl::DataLossError("malformed row");
    }
    const auto column =
        std::lower_bound(columns.begin(), columns.end(), field.number,
                         [](const RowSchema::Field& declared, uint32_t number) {
                           return declared.number < number;
                         });
    if (column == columns.end() || column->number != field.number) continue;
    Datum& value = row[static_cast<size_t>(column - columns.begin())];
    if (!ReadField(field, column->type, &value)) {
      return MalformedColumn(column->name);
    }
  }
  return absl::OkStatus();
}

absl::Status DecodeKeyMessage(const RowSchema& schema, absl::string_view bytes,
                              MutableRow key) {
  std::fill(key.begin(), key.end(), Datum::Null());
  WireField field;
  while (!bytes.empty()) {
    if (!GetWireField(&bytes, &field)) {
      return absl::InvalidArgumentError("malformed key message");
    }
    const int column = FieldWithNumber(schema, field.number);
    const auto place =
        std::find(schema.key_columns.begin(), schema.key_columns.end(), column);
    if (column < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("no key column has field number ", field.number));
    }
    const RowSchema::Field& declared =
        schema.fields[static_cast<size_t>(column)];
    if (place == schema.key_columns.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("column \"", declared.name, "\" is no key column"));
    }
    Datum& value = key[static_cast<size_t>(place - schema.key_columns.begin())];
    if (!ReadField(field, declared.type, &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("malformed key column \"", declared.name,
                       "\": not written as ", TypeName(declared.type)));
    }
    if (declared.type == Type::kVarchar && !IsValidUtf8(value.text())) {
      return absl::InvalidArgumentError(
          absl::StrCat("key column \"", declared.name, "\" is not UTF-8"));
    }
  }
  return absl::OkStatus();
}

absl::Status KeyToMessage(const RowSchema& schema, absl::string_view key,
                          std::string* out) {
  TextArena arena;
  Datums values(schema.key_columns.size());
  absl::Status status =
      DecodeKey(KeyTypes(schema), key, &arena, absl::MakeSpan(values));
  if (!status.ok()) return status;
  EncodeKeyValues(schema, values, out);
  return absl::OkStatus();
}

absl::Status MessageToKey(const RowSchema& schema, absl::string_view message,
                          std::string* out) {
  Datums values(schema.key_columns.size());
  absl::Status status =
      DecodeKeyMessage(schema, message, absl::MakeSpan(values));
  if (!status.ok()) return status;
  EncodeKey(KeyTypes(schema), values, out);
  return absl::OkStatus();
}

absl::StatusOr<std::string> KeyPrefixOf(const RowSchema& schema,
                                        absl::string_view key_message) {
  Datums values(schema.key_columns.size());
  RETURN_IF_ERROR(
      DecodeKeyMessage(schema, key_message, absl::MakeSpan(values)));
  const auto name = [&schema](size_t i) -> const std::string& {
    return schema.fields[static_cast<size_t>(schema.key_columns[i])].name;
  };
  size_t set = 0;
  while (set < values.size() && !values[set].is_null) ++set;
  for (size_t i = set + 1; i < values.size(); ++i) {
    if (values[i].is_null) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("a key prefix sets column \"", name(i),
                     "\" but not the one before it, \"", name(set), "\""));
  }
  if (set == 0) {
    return absl::InvalidArgumentError(
        values.empty() ? "a key prefix of a view without key columns"
                       : absl::StrCat("a key prefix sets no column; the first "
                                      "is \"",
                                      name(0), "\""));
  }
  std::string prefix;
  const Types types = KeyTypes(schema);
  // Each value says itself where it ends, so none is the start of another.
  EncodeKey(absl::MakeConstSpan(types).first(set), values, &prefix);
  return prefix;
}

}  // namespace tidegate
