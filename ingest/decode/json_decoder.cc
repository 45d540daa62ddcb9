#include "ingest/decode/json_decoder.h"

#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "ingest/decode/convert.h"

namespace tidegate {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kNoColumn = -1;
// Fields whose place in the record is remembered, and the longest such name.
constexpr size_t kMaxShapeFields = 512;
constexpr size_t kMaxShapeKeyBytes = 128;
// Above this every integral double stands for a range of integers.
constexpr double kMaxExactDouble = 9007199254740992.0;  // 2^53
// The scratch copy shrinks back to this after a larger record.
constexpr size_t kMaxIdleScratchBytes = 4u << 20;

absl::Status Malformed(simdjson::error_code error) {
  const char* what = "not JSON";
  switch (error) {
    case simdjson::EMPTY:
      what = "nothing in it";
      break;
    case simdjson::UTF8_ERROR:
      what = "invalid UTF-8";
      break;
    case simdjson::UNCLOSED_STRING:
      what = "a string is not closed";
      break;
    case simdjson::UNESCAPED_CHARS:
      what = "control character in a string";
      break;
    case simdjson::STRING_ERROR:
      what = "bad escape in a string";
      break;
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      what = "truncated, or more text after the object";
      break;
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      what = "too large";
      break;
    default:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("malformed JSON: ", what));
}

// The scalar at `value` as it stands in the record.
absl::string_view Token(ondemand::value& value) {
  const std::string_view raw = value.raw_json_token();
  const absl::string_view token(raw.data(), raw.size());
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

// The kind and, for scalars, the text of what stands at `value`.
std::string Found(ondemand::value value) {
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return "malformed JSON";
  const char* kind = "";
  switch (type) {
    case ondemand::json_type::array:
      return "an array";
    case ondemand::json_type::object:
      return "an object";
    case ondemand::json_type::number:
      kind = "number ";
      break;
    case ondemand::json_type::string:
      kind = "string ";
      break;
    case ondemand::json_type::boolean:
    case ondemand::json_type::null:
      break;
  }
  absl::string_view token = Token(value);
  if (type == ondemand::json_type::string && token.size() >= 2) {
    token = token.substr(1, token.size() - 2);
    return absl::StrCat(kind, Quoted(token));
  }
  if (token.size() > kMaxQuotedBytes) return absl::StrCat(kind, Quoted(token));
  return absl::StrCat(kind, token);
}

// From just after the opening quote; `end` is the end of the record.
absl::string_view RawKey(const char* raw, const char* end) {
  const char* at = raw;
  while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
  return absl::string_view(raw, std::min(at, end) - raw);
}

class JsonDecoder : public Decoder {
 public:
  JsonDecoder(const std::vector<Column>& columns, const std::vector<bool>& used)
      : columns_(columns) {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (used[i]) by_name_[columns[i].name] = static_cast<int>(i);
    }
  }

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    for (Datum& datum : row) datum = Datum::Null();
    CopyPadded(value);
    end_ = scratch_.data() + value.size();
    ondemand::document document;
    const auto error = parser_
                           .iterate(simdjson::padded_string_view(
                               scratch_.data(), value.size(), scratch_.size()))
                           .get(document);
    if (error != simdjson::SUCCESS) return Malformed(error);
    ondemand::json_type type;
    if (document.type().get(type) != simdjson::SUCCESS) {
      return Malformed(simdjson::TAPE_ERROR);
    }
    if (type != ondemand::json_type::object) {
      return absl::InvalidArgumentError("malformed JSON: not an object");
    }
    RETURN_IF_ERROR(DecodeFields(&document, row));
    // What is left after the object, if anything is.
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return Malformed(simdjson::INCOMPLETE_ARRAY_OR_OBJECT);
    }
    return absl::OkStatus();
  }

 private:
  // What stood at this place in the last record that had so many fields.
  struct ShapeField {
    std::string raw_key;  // escapes and all
    int column = kNoColumn;
  };

  void CopyPadded(absl::string_view value) {
    const size_t needed = value.size() + simdjson::SIMDJSON_PADDING;
    if (scratch_.size() < needed ||
        (scratch_.size() > kMaxIdleScratchBytes && needed < scratch_.size())) {
      scratch_.resize(needed);
      scratch_.shrink_to_fit();
    }
    if (!value.empty()) memcpy(scratch_.data(), value.data(), value.size());
    memset(scratch_.data() + value.size(), ' ', simdjson::SIMDJSON_PADDING);
  }

  absl::Status DecodeFields(ondemand::document* document, MutableRow row) {
    ondemand::object object;
    if (const auto error = document->get_object().get(object);
        error != simdjson::SUCCESS) {
      return Malformed(error);
    }
    size_t place = 0;
    for (auto item : object) {
      ondemand::field field;
      if (const auto error = std::move(item).get(field);
          error != simdjson::SUCCESS) {
        return Malformed(error);
      }
      int column = kNoColumn;
      RETURN_IF_ERROR(ColumnOf(place++, field, &column));
      if (column == kNoColumn) continue;
      RETURN_IF_ERROR(Convert(columns_[column], field.value(), &row[column]));
    }
    return absl::OkStatus();
  }

  // Records mostly have the same fields in the same order, so the name is
  // compared with what stood at this place last time, and looked up only if it
  // differs.
  absl::Status ColumnOf(size_t place, ondemand::field& field, int* column) {
    const char* const raw = field.key().raw();
    if (place < shape_.size()) {
      const ShapeField& expected = shape_[place];
      const size_t size = expected.raw_key.size();
      if (size < static_cast<size_t>(end_ - raw) && raw[size] == '"' &&
          memcmp(raw, expected.raw_key.data(), size) == 0) {
        *column = expected.column;
        return absl::OkStatus();
      }
    }
    const absl::string_view raw_key = RawKey(raw, end_);
    absl::string_view name = raw_key;
    if (raw_key.find('\\') != absl::string_view::npos) {
      std::string_view unescaped;
      if (field.unescaped_key().get(unescaped) != simdjson::SUCCESS) {
        return Malformed(simdjson::STRING_ERROR);
      }
      name = absl::string_view(unescaped.data(), unescaped.size());
    }
    const auto found = by_name_.find(name);
    *column = found == by_name_.end() ? kNoColumn : found->second;
    if (raw_key.size() > kMaxShapeKeyBytes) return absl::OkStatus();
    if (place == shape_.size() && place < kMaxShapeFields) {
      shape_.emplace_back();
    }
    if (place < shape_.size()) {
      shape_[place] = {std::string(raw_key), *column};
    }
    return absl::OkStatus();
  }

  static absl::Status Convert(const Column& column, ondemand::value value,
                              Datum* datum) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS) {
      return WrongValue(column, "malformed JSON");
    }
    if (type == ondemand::json_type::null) {
      bool is_null = false;
      if (value.is_null().get(is_null) != simdjson::SUCCESS || !is_null) {
        return WrongValue(column, Found(value));
      }
      *datum = Datum::Null();
      return absl::OkStatus();
    }
    switch (column.type) {
      case Type::kBoolean:
        return ConvertBoolean(column, value, datum);
      case Type::kInt:
        return ConvertInteger(column, value,
                              std::numeric_limits<int32_t>::min(),
                              std::numeric_limits<int32_t>::max(), datum);
      case Type::kBigint:
        return ConvertInteger(column, value,
                              std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max(), datum);
      case Type::kDouble:
        return ConvertDouble(column, value, datum);
      case Type::kVarchar:
        return ConvertText(column, value, datum);
      case Type::kTimestamptz:
        return ConvertTimestamp(column, value, type, datum);
    }
    return absl::OkStatus();
  }

  static absl::Status ConvertBoolean(const Column& column,
                                     ondemand::value value, Datum* datum) {
    bool b = false;
    if (value.get_bool().get(b) != simdjson::SUCCESS) {
      return WrongValue(column, Found(value));
    }
    *datum = Datum::Bool(b);
    return absl::OkStatus();
  }

  static absl::Status ConvertInteger(const Column& column,
                                     ondemand::value value, int64_t min,
                                     int64_t max, Datum* datum) {
    int64_t i = 0;
    if (value.get_int64().get(i) != simdjson::SUCCESS) {
      double d = 0;
      if (value.get_double().get(d) != simdjson::SUCCESS ||
          std::abs(d) > kMaxExactDouble || d != std::trunc(d)) {
        return WrongValue(column, Found(value));
      }
      i = static_cast<int64_t>(d);
    }
    if (i < min || i > max) {
      return WrongValue(column, absl::StrCat("number ", i, " (out of range)"));
    }
    *datum = Datum::Int(i);
    return absl::OkStatus();
  }

  static absl::Status ConvertDouble(const Column& column, ondemand::value value,
                                    Datum* datum) {
    double d = 0;
    if (value.get_double().get(d) != simdjson::SUCCESS || !std::isfinite(d)) {
      return WrongValue(column, Found(value));
    }
    *datum = Datum::Double(d);
    return absl::OkStatus();
  }

  // Borrows from the scratch copy, or, unescaped, from the parser's buffer.
  static absl::Status GetText(const Column& column, ondemand::value value,
                              absl::string_view* text) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS ||
        type != ondemand::json_type::string) {
      return WrongValue(column, Found(value));
    }
    const absl::string_view token = Token(value);
    if (token.size() < 2 || token.back() != '"') {
      return WrongValue(column, "malformed JSON");
    }
    *text = token.substr(1, token.size() - 2);
    if (memchr(text->data(), '\\', text->size()) != nullptr) {
      std::string_view unescaped;
      // The record is valid UTF-8 as a whole; an escape (a surrogate without
      // its partner) can still make the text invalid.
      if (value.get_string().get(unescaped) != simdjson::SUCCESS ||
          !simdjson::validate_utf8(unescaped)) {
        return WrongValue(column, "a string with a bad escape");
      }
      *text = absl::string_view(unescaped.data(), unescaped.size());
    }
    if (text->size() > kMaxTextBytes) {
      return WrongValue(column,
                        absl::StrCat("a string of ", text->size(), " bytes"));
    }
    return absl::OkStatus();
  }

  static absl::Status ConvertText(const Column& column, ondemand::value value,
                                  Datum* datum) {
    absl::string_view text;
    RETURN_IF_ERROR(GetText(column, value, &text));
    *datum = Datum::Text(text);
    return absl::OkStatus();
  }

  static absl::Status ConvertTimestamp(const Column& column,
                                       ondemand::value value,
                                       ondemand::json_type type, Datum* datum) {
    int64_t micros = 0;
    if (type == ondemand::json_type::string) {
      absl::string_view text;
      RETURN_IF_ERROR(GetText(column, value, &text));
      const absl::StatusOr<int64_t> parsed = ParseTimestamp(text);
      if (!parsed.ok()) {
        return WrongValue(column, absl::StrCat("string ", Quoted(text)));
      }
      micros = *parsed;
    } else {
      Datum millis;
      RETURN_IF_ERROR(
          ConvertInteger(column, value, std::numeric_limits<int64_t>::min(),
                         std::numeric_limits<int64_t>::max(), &millis));
      if (!MillisToMicros(millis.i, &micros)) {
        return WrongValue(column,
                          absl::StrCat("number ", millis.i, " (out of range)"));
      }
    }
    *datum = Datum::Int(micros);
    return absl::OkStatus();
  }

  const std::vector<Column> columns_;
  absl::flat_hash_map<std::string, int> by_name_;
  ondemand::parser parser_;
  std::vector<char> scratch_;
  const char* end_ = nullptr;  // of the record in scratch_
  std::vector<ShapeField> shape_;
};

}  // namespace

std::unique_ptr<Decoder> MakeJsonDecoder(const std::vector<Column>& columns,
                                         const std::vector<bool>& used) {
  return std::make_unique<JsonDecoder>(columns, used);
}

}  // namespace tidegate
