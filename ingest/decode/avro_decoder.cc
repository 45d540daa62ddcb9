#include "ingest/decode/avro_decoder.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "ingest/decode/avro_reader.h"
#include "ingest/decode/avro_schema.h"
#include "ingest/decode/avro_skipper.h"
#include "ingest/decode/convert.h"

namespace tidegate {
namespace {

// How a value's bytes become a datum.
enum class Conversion : uint8_t {
  kNull,
  kBool,
  kInt,
  kLong,
  kMillis,
  kMicros,
  kNanos,
  kDays,
  kFloat,
  kDouble,
  kText,
  kEnumNumber,
  kEnumName,
};

// One type that a column's field may have; all of them, if it is a union.
struct Branch {
  Conversion conversion = Conversion::kNull;
  const AvroType* type = nullptr;
};

struct Target {
  int column = 0;
  bool is_union = false;
  std::vector<Branch> branches;
};

enum class Op : uint8_t {
  kSkipBytes,  // `n` of them
  kSkipLongs,  // `n` whole numbers
  kSkipTexts,  // `n`
  kSkipType,   // a value of type `n`
  kRead,       // target `n`
};

struct Step {
  Op op = Op::kSkipBytes;
  uint64_t n = 0;
  int field = 0;         // of the record; the first one that it is about
  bool several = false;  // more than that one
};
// Of records in the record so many fields are skipped one by one; what a schema
// of a few lines can multiply without end.
constexpr size_t kMaxInlinedFields = 1024;

constexpr int64_t kMicrosPerDay = 86'400'000'000;

bool TimestampConversion(const AvroType& type, Conversion* conversion) {
  if (type.kind == AvroKind::kInt) {
    *conversion = Conversion::kDays;
    return type.logical == "date";
  }
  *conversion = type.logical == "timestamp-micros"  ? Conversion::kMicros
                : type.logical == "timestamp-nanos" ? Conversion::kNanos
                                                    : Conversion::kMillis;
  return *conversion != Conversion::kMillis || type.logical.empty() ||
         type.logical == "timestamp-millis";
}

// False if a column of type `to` cannot hold the values; unions aside.
bool ConversionFor(const AvroType& type, Type to, Conversion* conversion) {
  switch (type.kind) {
    case AvroKind::kNull:
      *conversion = Conversion::kNull;
      return true;
    case AvroKind::kBoolean:
      *conversion = Conversion::kBool;
      return to == Type::kBoolean;
    case AvroKind::kInt:
      if (to == Type::kTimestamptz) {
        return TimestampConversion(type, conversion);
      }
      *conversion = Conversion::kInt;
      return to == Type::kInt || to == Type::kBigint;
    case AvroKind::kLong:
      if (to == Type::kTimestamptz) {
        return TimestampConversion(type, conversion);
      }
      *conversion = Conversion::kLong;
      return to == Type::kBigint;
    case AvroKind::kFloat:
      *conversion = Conversion::kFloat;
      return to == Type::kDouble;
    case AvroKind::kDouble:
      *conversion = Conversion::kDouble;
      return to == Type::kDouble;
    case AvroKind::kString:
      *conversion = Conversion::kText;
      return to == Type::kVarchar;
    case AvroKind::kEnum:
      *conversion = to == Type::kVarchar ? Conversion::kEnumName
                                         : Conversion::kEnumNumber;
      return to == Type::kVarchar || to == Type::kInt || to == Type::kBigint;
    default:
      return false;
  }
}

class AvroDecoder : public Decoder {
 public:
  AvroDecoder(const SourcePlan& source, AvroSchema schema)
      : columns_(source.columns),
        fields_(source.value_columns()),
        schema_(std::move(schema)),
        skipper_(&schema_) {}

  // The used columns take the fields of their names that fit, and are NULL if
  // there is none. With `strict`, every column must have one.
  absl::Status Compile(const std::vector<bool>& used, bool strict) {
    const AvroType& record = Root();
    if (record.kind != AvroKind::kRecord) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the schema is no record: ", schema_.Describe(schema_.root())));
    }
    absl::flat_hash_map<absl::string_view, int> by_name;
    for (size_t i = 0; i < record.names.size(); ++i) {
      by_name.emplace(record.names[i], static_cast<int>(i));
    }
    std::vector<int> column_of(record.names.size(), -1);
    std::vector<std::string> errors;
    for (size_t i = 0; i < fields_; ++i) {
      if (!used[i] && !strict) continue;
      const auto found = by_name.find(columns_[i].name);
      const absl::Status status = found == by_name.end()
                                      ? NoField(columns_[i], strict)
                                      : Check(columns_[i], found->second);
      if (!status.ok()) errors.emplace_back(status.message());
      if (used[i] && found != by_name.end()) {
        column_of[found->second] = static_cast<int>(i);
      }
    }
    if (!errors.empty()) {
      return absl::InvalidArgumentError(absl::StrJoin(errors, "; "));
    }
    for (size_t f = 0; f < column_of.size(); ++f) {
      const int field = static_cast<int>(f);
      if (column_of[f] >= 0) {
        AddRead(field, column_of[f]);
      } else {
        AddSkip(record.parts[f], field);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    for (Datum& datum : row) datum = Datum::Null();
    AvroReader reader(value);
    for (const Step& step : steps_) {
      if (step.op == Op::kRead) {
        RETURN_IF_ERROR(Read(targets_[step.n], &reader, row));
      } else if (const char* const fault = Skip(step, &reader);
                 fault != nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(
            "malformed Avro: field ", Quoted(Root().names[step.field]),
            step.several ? " or one behind it" : "", ": ", fault));
      }
    }
    if (reader.left() == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "malformed Avro: bytes behind the last field: ", reader.left(), " of ",
        value.size()));
  }

 private:
  const AvroType& Root() const { return schema_.types()[schema_.root()]; }

  absl::Status NoField(const Column& column, bool strict) const {
    if (!strict) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "column \"", column.name, "\": record ", Root().name,
        " has no such field", DidYouMean(column.name, Root().names)));
  }

  // The types that a field's values may have.
  std::vector<int> BranchesOf(int field) const {
    const int type = Root().parts[field];
    const AvroType& whole = schema_.types()[type];
    return whole.kind == AvroKind::kUnion ? whole.parts
                                          : std::vector<int>{type};
  }

  absl::Status Check(const Column& column, int field) const {
    for (const int branch : BranchesOf(field)) {
      Conversion conversion = Conversion::kNull;
      if (ConversionFor(schema_.types()[branch], column.type, &conversion)) {
        continue;
      }
      return absl::InvalidArgumentError(
          absl::StrCat("column \"", column.name, "\": ", TypeName(column.type),
                       " cannot hold field ", Root().name, ".", column.name,
                       " of type ", schema_.Describe(Root().parts[field])));
    }
    return absl::OkStatus();
  }

  void AddRead(int field, int column) {
    Target target;
    target.column = column;
    target.is_union =
        schema_.types()[Root().parts[field]].kind == AvroKind::kUnion;
    for (const int part : BranchesOf(field)) {
      Branch branch;
      branch.type = &schema_.types()[part];
      ConversionFor(*branch.type, columns_[column].type, &branch.conversion);
      target.branches.push_back(branch);
    }
    steps_.push_back(Step{Op::kRead, targets_.size(), field});
    targets_.push_back(std::move(target));
  }

  void AddSkip(int type, int field) {
    const int64_t width = skipper_.WidthOf(type);
    const AvroType& skipped = schema_.types()[type];
    if (width >= 0) {
      AddStep(Op::kSkipBytes, static_cast<uint64_t>(width), field);
    } else if (skipped.kind == AvroKind::kInt ||
               skipped.kind == AvroKind::kLong ||
               skipped.kind == AvroKind::kEnum) {
      AddStep(Op::kSkipLongs, 1, field);
    } else if (skipped.kind == AvroKind::kBytes ||
               skipped.kind == AvroKind::kString) {
      AddStep(Op::kSkipTexts, 1, field);
    } else if (skipped.kind == AvroKind::kRecord &&
               inlined_ + skipped.parts.size() <= kMaxInlinedFields) {
      inlined_ += skipped.parts.size();
      for (const int part : skipped.parts) AddSkip(part, field);
    } else {
      steps_.push_back(Step{Op::kSkipType, static_cast<uint64_t>(type), field});
    }
  }

  // Joins the step before, if it is of the same kind.
  void AddStep(Op op, uint64_t n, int field) {
    if (n == 0) return;
    if (!steps_.empty() && steps_.back().op == op) {
      steps_.back().n += n;
      steps_.back().several |= steps_.back().field != field;
    } else {
      steps_.push_back(Step{op, n, field});
    }
  }

  const char* Skip(const Step& step, AvroReader* reader) const {
    switch (step.op) {
      case Op::kSkipBytes:
        return reader->Skip(step.n) ? nullptr : "the record ends within it";
      case Op::kSkipLongs:
        for (uint64_t i = 0; i < step.n; ++i) {
          if (!reader->SkipLong()) return "no number there";
        }
        return nullptr;
      case Op::kSkipTexts:
        for (uint64_t i = 0; i < step.n; ++i) {
          if (!reader->SkipText()) return "no text there";
        }
        return nullptr;
      case Op::kSkipType:
        return skipper_.Skip(reader, static_cast<int>(step.n));
      case Op::kRead:
        break;
    }
    return nullptr;
  }

  absl::Status Read(const Target& target, AvroReader* reader, MutableRow row) {
    const Column& column = columns_[target.column];
    const Branch* branch = target.branches.data();
    if (target.is_union) {
      int64_t number = 0;
      if (!reader->Long(&number)) return Ends(column);
      if (number < 0 || static_cast<size_t>(number) >= target.branches.size()) {
        return WrongValue(column, absl::StrCat("union branch ", number, " of ",
                                               target.branches.size()));
      }
      branch += number;
    }
    return Convert(*branch, column, reader, &row[target.column]);
  }

  static absl::Status Ends(const Column& column) {
    return WrongValue(column, "the end of the record");
  }

  absl::Status Convert(const Branch& branch, const Column& column,
                       AvroReader* reader, Datum* datum) {
    switch (branch.conversion) {
      case Conversion::kNull:
        return absl::OkStatus();
      case Conversion::kBool: {
        uint8_t byte = 0;
        if (!reader->Byte(&byte)) return Ends(column);
        if (byte > 1) return WrongValue(column, absl::StrCat("byte ", byte));
        *datum = Datum::Bool(byte == 1);
        return absl::OkStatus();
      }
      case Conversion::kFloat: {
        uint32_t bits = 0;
        if (!reader->Fixed(&bits)) return Ends(column);
        float value;
        memcpy(&value, &bits, sizeof(value));
        *datum = Datum::Double(value);
        return absl::OkStatus();
      }
      case Conversion::kDouble: {
        uint64_t bits = 0;
        if (!reader->Fixed(&bits)) return Ends(column);
        double value;
        memcpy(&value, &bits, sizeof(value));
        *datum = Datum::Double(value);
        return absl::OkStatus();
      }
      case Conversion::kText:
        return ConvertText(column, reader, datum);
      default:
        return ConvertLong(branch, column, reader, datum);
    }
  }

  static absl::Status ConvertText(const Column& column, AvroReader* reader,
                                  Datum* datum) {
    int64_t size = 0;
    if (!reader->Long(&size)) return Ends(column);
    absl::string_view text;
    if (size < 0 || !reader->Take(static_cast<uint64_t>(size), &text)) {
      return WrongValue(column, absl::StrCat("text of ", size, " bytes where ",
                                             reader->left(), " are left"));
    }
    return ParseText(column, text, datum);
  }

  // Of the conversions from a whole number.
  static absl::Status ConvertLong(const Branch& branch, const Column& column,
                                  AvroReader* reader, Datum* datum) {
    int64_t value = 0;
    if (!reader->Long(&value)) {
      return WrongValue(column, "no number, or the end of the record");
    }
    bool fits = true;
    int64_t stored = value;
    switch (branch.conversion) {
      case Conversion::kInt:
        fits = value >= std::numeric_limits<int32_t>::min() &&
               value <= std::numeric_limits<int32_t>::max();
        break;
      case Conversion::kMillis:
        fits = MillisToMicros(value, &stored);
        break;
      case Conversion::kMicros:
        fits = InTimestampRange(value);
        break;
      case Conversion::kNanos:
        stored = FloorDivide(value, 1000);
        break;
      case Conversion::kDays:
        fits = value >= std::numeric_limits<int32_t>::min() &&
               value <= std::numeric_limits<int32_t>::max() &&
               InTimestampRange(value * kMicrosPerDay);
        stored = fits ? value * kMicrosPerDay : 0;
        break;
      case Conversion::kEnumNumber:
      case Conversion::kEnumName:
        fits = value >= 0 &&
               static_cast<size_t>(value) < branch.type->names.size();
        break;
      default:
        break;
    }
    if (!fits) {
      return WrongValue(column,
                        absl::StrCat("number ", value, " (out of range)"));
    }
    *datum = branch.conversion == Conversion::kEnumName
                 ? Datum::Text(branch.type->names[value])
                 : Datum::Int(stored);
    return absl::OkStatus();
  }

  static bool InTimestampRange(int64_t micros) {
    return micros >= kMinTimestampSeconds * 1'000'000 &&
           micros <= kMaxTimestampSeconds * 1'000'000 + 999'999;
  }

  static int64_t FloorDivide(int64_t value, int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
  }

  const std::vector<Column> columns_;
  const size_t fields_;  // the first of columns_
  const AvroSchema schema_;
  const AvroSkipper skipper_;
  size_t inlined_ = 0;  // fields of records in the record
  std::vector<Step> steps_;
  std::vector<Target> targets_;
};

absl::StatusOr<std::unique_ptr<Decoder>> Make(
    const SourcePlan& source, const std::vector<bool>& used, bool strict,
    absl::string_view text, const std::vector<absl::string_view>& references) {
  ASSIGN_OR_RETURN(AvroSchema schema, AvroSchema::Parse(text, references));
  auto decoder = std::make_unique<AvroDecoder>(source, std::move(schema));
  RETURN_IF_ERROR(decoder->Compile(used, strict));
  return decoder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeAvroDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir) {
  const std::string& name = source.FindEncoding(Format::kAvro)->schema_file;
  const std::filesystem::path path = std::filesystem::path(base_dir) / name;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxSchemaBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (!file.is_open() || file.bad()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read \"", path.string(), "\""));
  }
  if (text.size() > kMaxSchemaBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", path.string(), "\" is larger than ", kMaxSchemaBytes, " bytes"));
  }
  auto decoder = Make(source, used, /*strict=*/true, text, {});
  if (!decoder.ok()) return Annotate(decoder.status(), name);
  return decoder;
}

absl::StatusOr<std::unique_ptr<Decoder>> MakeAvroWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const WriterSchema& schema) {
  std::vector<absl::string_view> references;
  references.reserve(schema.references.size());
  for (const WriterSchema::Reference& reference : schema.references) {
    references.push_back(reference.text);
  }
  auto decoder = Make(source, used, /*strict=*/false, schema.text, references);
  if (!decoder.ok()) {
    return Annotate(decoder.status(), absl::StrCat("schema id=", schema.id));
  }
  return decoder;
}

}  // namespace tidegate
