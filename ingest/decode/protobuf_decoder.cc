#include "ingest/decode/protobuf_decoder.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "ingest/decode/convert.h"
#include "ingest/decode/protobuf_fields.h"
#include "ingest/decode/protobuf_schema.h"
#include "ingest/decode/wire_scanner.h"

namespace tidegate {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr int kNoSlot = -1;
constexpr int kNoOneof = -1;
// Field numbers below this are found without hashing.
constexpr uint32_t kDenseNumbers = 128;

struct EnumNames {
  absl::flat_hash_map<int32_t, std::string> by_number;
  bool closed = false;  // proto2: an unknown number counts as an unknown field
};

// One field that is looked at.
struct Slot {
  const Field* field = nullptr;
  Wire wire = Wire::kVarint;
  Conversion conversion = Conversion::kUnsetOneof;
  int column = -1;
  int oneof = kNoOneof;
  bool required = false;
  EnumNames names;
  std::string unknown_number;  // scratch: the digits the row borrows
  // Of a Timestamp in the record being read; several merge.
  int64_t seconds = 0;
  int32_t nanos = 0;
  bool seen = false;
};

class ProtobufDecoder : public Decoder {
 public:
  ProtobufDecoder(const SourcePlan& source,
                  std::unique_ptr<ProtobufSchema> schema)
      : schema_(std::move(schema)),
        columns_(source.columns),
        fields_(source.value_columns()) {
    dense_.fill(kNoSlot);
    initial_.resize(columns_.size());
  }

  // Resolves every column, or of a `writers` message those that are used and
  // that it has; reports all that do not fit.
  absl::Status Compile(const std::vector<bool>& used, bool writers) {
    std::vector<std::string> errors;
    const pb::Descriptor& message = *schema_->message();
    for (size_t i = 0; i < fields_; ++i) {
      if (writers &&
          (!used[i] || message.FindFieldByName(columns_[i].name) == nullptr)) {
        continue;
      }
      const absl::Status status = AddColumn(static_cast<int>(i), used[i]);
      if (!status.ok()) errors.emplace_back(status.message());
    }
    if (!errors.empty()) {
      return absl::InvalidArgumentError(absl::StrJoin(errors, "; "));
    }
    // Members of a oneof that no column reads still unset those that one does.
    std::vector<const Field*> unread;
    for (const Slot& slot : slots_) {
      const pb::OneofDescriptor* const oneof =
          slot.field->real_containing_oneof();
      if (oneof == nullptr) continue;
      for (int i = 0; i < oneof->field_count(); ++i) {
        if (Find(oneof->field(i)->number()) == kNoSlot) {
          unread.push_back(oneof->field(i));
        }
      }
    }
    for (const Field* field : unread) {
      if (Find(field->number()) != kNoSlot) continue;
      Slot slot;
      slot.field = field;
      AddSlot(std::move(slot));
    }
    return absl::OkStatus();
  }

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    memcpy(row.data(), initial_.data(), sizeof(Datum) * initial_.size());
    for (const int i : tracked_) slots_[i].seen = false;
    WireScanner scanner(value);
    while (scanner.Next()) {
      const int index = Find(scanner.number());
      if (index == kNoSlot) continue;
      Slot& slot = slots_[index];
      if (slot.wire != scanner.wire()) continue;
      RETURN_IF_ERROR(Apply(scanner, slot, row));
    }
    if (scanner.malformed()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "malformed Protobuf: truncated, or not a message of ", value.size(),
          " bytes", value[0] == '\0' ? ", starts with a zero byte" : ""));
    }
    for (const int i : tracked_) {
      RETURN_IF_ERROR(Finish(slots_[i], row));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status AddColumn(int index, bool used) {
    const Column& column = columns_[index];
    const pb::Descriptor& message = *schema_->message();
    const Field* const field = message.FindFieldByName(column.name);
    if (field == nullptr) {
      std::vector<std::string> names;
      names.reserve(message.field_count());
      for (int i = 0; i < message.field_count(); ++i) {
        names.push_back(message.field(i)->name());
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "column \"", column.name, "\": message ", message.full_name(),
          " has no such field", DidYouMean(column.name, names)));
    }
    Slot slot;
    slot.field = field;
    slot.column = index;
    if (field->is_repeated() ||
        !ConversionFor(*field, column.type, &slot.conversion)) {
      return absl::InvalidArgumentError(
          absl::StrCat("column \"", column.name, "\": ", TypeName(column.type),
                       " cannot hold field ", message.full_name(), ".",
                       field->name(), " of type ", FieldTypeName(*field)));
    }
    if (!used) return absl::OkStatus();
    slot.required = field->is_required();
    if (!field->has_presence() || field->has_default_value()) {
      RETURN_IF_ERROR(SetDefault(slot));
    }
    AddSlot(std::move(slot));
    return absl::OkStatus();
  }

  // Text borrows from the descriptor, which the decoder owns.
  absl::Status SetDefault(const Slot& slot) {
    const Field& field = *slot.field;
    Datum* const datum = &initial_[slot.column];
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        *datum = Datum::Bool(field.default_value_bool());
        break;
      case Field::CPPTYPE_INT32:
        return SetInteger(slot, field.default_value_int32(), datum);
      case Field::CPPTYPE_UINT32:
        return SetInteger(slot, field.default_value_uint32(), datum);
      case Field::CPPTYPE_INT64:
        return SetInteger(slot, field.default_value_int64(), datum);
      case Field::CPPTYPE_UINT64:
        return SetUnsigned(slot, field.default_value_uint64(), datum);
      case Field::CPPTYPE_FLOAT:
        *datum = Datum::Double(field.default_value_float());
        break;
      case Field::CPPTYPE_DOUBLE:
        *datum = Datum::Double(field.default_value_double());
        break;
      case Field::CPPTYPE_STRING:
        *datum = Datum::Text(field.default_value_string());
        break;
      case Field::CPPTYPE_ENUM:
        *datum = slot.conversion == Conversion::kEnumNumber
                     ? Datum::Int(field.default_value_enum()->number())
                     : Datum::Text(field.default_value_enum()->name());
        break;
      case Field::CPPTYPE_MESSAGE:
        break;
    }
    return absl::OkStatus();
  }

  void AddSlot(Slot slot) {
    slot.wire = WireOf(*slot.field);
    if (slot.field->type() == Field::TYPE_ENUM) {
      const pb::EnumDescriptor& type = *slot.field->enum_type();
      for (int i = type.value_count(); i-- > 0;) {  // the first alias stays
        slot.names.by_number[type.value(i)->number()] = type.value(i)->name();
      }
      slot.names.closed =
          slot.field->file()->syntax() != pb::FileDescriptor::SYNTAX_PROTO3;
    }
    if (const pb::OneofDescriptor* const oneof =
            slot.field->real_containing_oneof();
        oneof != nullptr) {
      slot.oneof = oneof->index();
    }
    const int index = static_cast<int>(slots_.size());
    const uint32_t number = slot.field->number();
    if (number < kDenseNumbers) {
      dense_[number] = index;
    } else {
      sparse_[number] = index;
    }
    if (slot.required || slot.conversion == Conversion::kTimestamp) {
      tracked_.push_back(index);
    }
    slots_.push_back(std::move(slot));
  }

  int Find(uint32_t number) const {
    if (number < kDenseNumbers) return dense_[number];
    const auto found = sparse_.find(number);
    return found == sparse_.end() ? kNoSlot : found->second;
  }

  void UnsetOthers(const Slot& set, MutableRow row) {
    for (Slot& slot : slots_) {
      if (slot.oneof != set.oneof || &slot == &set) continue;
      if (slot.column >= 0) row[slot.column] = initial_[slot.column];
      slot.seen = false;
    }
  }

  absl::Status SetInteger(const Slot& slot, int64_t value, Datum* datum) const {
    const Column& column = columns_[slot.column];
    int64_t stored = value;
    const bool fits = column.type == Type::kTimestamptz
                          ? MillisToMicros(value, &stored)
                      : column.type == Type::kInt
                          ? value >= std::numeric_limits<int32_t>::min() &&
                                value <= std::numeric_limits<int32_t>::max()
                          : true;
    if (!fits) {
      return WrongValue(column,
                        absl::StrCat("number ", value, " (out of range)"));
    }
    *datum = Datum::Int(stored);
    return absl::OkStatus();
  }

  absl::Status SetUnsigned(const Slot& slot, uint64_t value,
                           Datum* datum) const {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return WrongValue(columns_[slot.column],
                        absl::StrCat("number ", value, " (out of range)"));
    }
    return SetInteger(slot, static_cast<int64_t>(value), datum);
  }

  absl::Status Apply(const WireScanner& scanner, Slot& slot, MutableRow row) {
    if (slot.names.closed &&
        !slot.names.by_number.contains(Low(scanner.bits()))) {
      return absl::OkStatus();
    }
    if (slot.oneof != kNoOneof) UnsetOthers(slot, row);
    if (slot.conversion == Conversion::kUnsetOneof) return absl::OkStatus();
    if (!slot.seen) {
      slot.seconds = 0;
      slot.nanos = 0;
      slot.seen = true;
    }
    return Convert(scanner, slot, &row[slot.column]);
  }

  static int32_t Low(uint64_t bits) {
    return static_cast<int32_t>(static_cast<uint32_t>(bits));
  }

  absl::Status Convert(const WireScanner& scanner, Slot& slot, Datum* datum) {
    const uint64_t bits = scanner.bits();
    const int32_t low = Low(bits);
    switch (slot.conversion) {
      case Conversion::kBool:
        *datum = Datum::Bool(bits != 0);
        break;
      case Conversion::kInt32:
      case Conversion::kEnumNumber:
        *datum = Datum::Int(low);
        break;
      case Conversion::kSint32:
        *datum = Datum::Int(
            static_cast<int32_t>(UnZigZag(static_cast<uint32_t>(bits))));
        break;
      case Conversion::kUint32:
        return SetInteger(slot, static_cast<uint32_t>(bits), datum);
      case Conversion::kInt64:
        return SetInteger(slot, static_cast<int64_t>(bits), datum);
      case Conversion::kSint64:
        return SetInteger(slot, UnZigZag(bits), datum);
      case Conversion::kUint64:
        return SetUnsigned(slot, bits, datum);
      case Conversion::kFloat: {
        float value;
        memcpy(&value, &low, sizeof(value));
        *datum = Datum::Double(value);
        break;
      }
      case Conversion::kDouble: {
        double value;
        memcpy(&value, &bits, sizeof(value));
        *datum = Datum::Double(value);
        break;
      }
      case Conversion::kText:
        return ParseText(columns_[slot.column], scanner.bytes(), datum);
      case Conversion::kEnumName:
        *datum = Datum::Text(EnumName(slot, low));
        break;
      case Conversion::kTimestamp:
        return MergeTimestamp(scanner.bytes(), slot);
      case Conversion::kUnsetOneof:
        break;
    }
    return absl::OkStatus();
  }

  static absl::string_view EnumName(Slot& slot, int32_t number) {
    const auto found = slot.names.by_number.find(number);
    if (found != slot.names.by_number.end()) return found->second;
    slot.unknown_number = absl::StrCat(number);
    return slot.unknown_number;
  }

  absl::Status MergeTimestamp(absl::string_view bytes, Slot& slot) {
    WireScanner scanner(bytes);
    while (scanner.Next()) {
      if (scanner.wire() != Wire::kVarint) continue;
      if (scanner.number() == 1) {
        slot.seconds = static_cast<int64_t>(scanner.bits());
      } else if (scanner.number() == 2) {
        slot.nanos =
            static_cast<int32_t>(static_cast<uint32_t>(scanner.bits()));
      }
    }
    if (scanner.malformed()) {
      return WrongValue(columns_[slot.column], "a malformed message");
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const Slot& slot, MutableRow row) const {
    const Column& column = columns_[slot.column];
    if (!slot.seen) {
      if (!slot.required) return absl::OkStatus();
      return WrongValue(column, "no value for a required field");
    }
    if (slot.conversion != Conversion::kTimestamp) return absl::OkStatus();
    if (slot.seconds < kMinTimestampSeconds ||
        slot.seconds > kMaxTimestampSeconds || slot.nanos < 0 ||
        slot.nanos > 999'999'999) {
      return WrongValue(column, absl::StrCat(slot.seconds, " s and ",
                                             slot.nanos, " ns (out of range)"));
    }
    row[slot.column] = Datum::Int(slot.seconds * 1'000'000 + slot.nanos / 1000);
    return absl::OkStatus();
  }

  const std::unique_ptr<ProtobufSchema> schema_;
  const std::vector<Column> columns_;
  const size_t fields_;         // the first of columns_
  std::vector<Datum> initial_;  // the row of an empty message
  std::vector<Slot> slots_;
  std::vector<int> tracked_;  // slots that Finish() looks at
  std::array<int, kDenseNumbers> dense_;
  absl::flat_hash_map<uint32_t, int> sparse_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeProtobufDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir) {
  const Encoding& encoding = *source.FindEncoding(Format::kProtobuf);
  ASSIGN_OR_RETURN(std::unique_ptr<ProtobufSchema> schema,
                   ProtobufSchema::Load(encoding.proto_file,
                                        encoding.proto_message, base_dir));
  auto decoder = std::make_unique<ProtobufDecoder>(source, std::move(schema));
  RETURN_IF_ERROR(decoder->Compile(used, /*writers=*/false));
  return decoder;
}

absl::StatusOr<std::unique_ptr<Decoder>> MakeProtobufWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    std::unique_ptr<ProtobufSchema> schema) {
  auto decoder = std::make_unique<ProtobufDecoder>(source, std::move(schema));
  RETURN_IF_ERROR(decoder->Compile(used, /*writers=*/true));
  return decoder;
}

}  // namespace tidegate
