#include "ingest/decode/decoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/avro_decoder.h"
#include "ingest/decode/convert.h"
#include "ingest/decode/json_decoder.h"
#include "ingest/decode/mixed_decoder.h"
#include "ingest/decode/protobuf_decoder.h"

namespace tidegate {
namespace {

// The whole key is the text of one column.
class TextKeyDecoder : public Decoder {
 public:
  TextKeyDecoder(const Column& column, int index)
      : column_(column), index_(index) {}

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    for (Datum& datum : row) datum = Datum::Null();
    return ParseText(column_, value, &row[index_]);
  }

 private:
  const Column column_;
  const int index_;
};

// The key is a JSON object that has every primary key column.
class JsonKeyDecoder : public Decoder {
 public:
  JsonKeyDecoder(const SourcePlan& table, std::unique_ptr<Decoder> json)
      : columns_(table.columns),
        primary_key_(table.primary_key),
        json_(std::move(json)) {}

  absl::Status Decode(absl::string_view value, MutableRow row) override {
    RETURN_IF_ERROR(json_->Decode(value, row));
    for (const int i : primary_key_) {
      if (row[i].is_null) return WrongValue(columns_[i], "no value in the key");
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<Column> columns_;
  const std::vector<int> primary_key_;
  const std::unique_ptr<Decoder> json_;
};

// Of records without framing.
absl::StatusOr<std::unique_ptr<Decoder>> MakeBareDecoder(
    const SourcePlan& source, Format format, const std::vector<bool>& used,
    const std::string& base_dir) {
  switch (format) {
    case Format::kJson:
      return MakeJsonDecoder(source.columns, used);
    case Format::kProtobuf:
      return MakeProtobufDecoder(source, used, base_dir);
    case Format::kAvro:
      return MakeAvroDecoder(source, used, base_dir);
  }
  return absl::InternalError("unknown format");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& base_dir, std::unique_ptr<Decoder> framed) {
  std::vector<bool> fields = used;
  std::fill(
      fields.begin() + static_cast<std::ptrdiff_t>(source.value_columns()),
      fields.end(), false);
  LayoutDecoders decoders;
  decoders.framed = std::move(framed);
  for (const Encoding& encoding : source.encodings) {
    const bool json = encoding.format == Format::kJson;
    const bool is_framed = !encoding.schema_registry.empty();
    if (is_framed && decoders.framed == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("source=", source.name,
                       ": nobody asks the schema registry: schema.registry=",
                       encoding.schema_registry));
    }
    if (is_framed && !json) continue;
    auto decoder = MakeBareDecoder(source, encoding.format, fields, base_dir);
    if (!decoder.ok()) {
      return Annotate(decoder.status(), absl::StrCat("source=", source.name));
    }
    (json ? decoders.json : decoders.binary) = *std::move(decoder);
  }
  return MakeMixedDecoder(std::move(decoders));
}

absl::StatusOr<std::unique_ptr<Decoder>> MakeKeyDecoder(
    const SourcePlan& table) {
  switch (table.key_format) {
    case KeyFormat::kText:
      if (table.primary_key.size() != 1) {
        return absl::InvalidArgumentError(absl::StrCat(
            "source=", table.name,
            ": a text key holds one primary key column, the table has ",
            table.primary_key.size()));
      }
      return std::make_unique<TextKeyDecoder>(
          table.columns[table.primary_key[0]], table.primary_key[0]);
    case KeyFormat::kJson: {
      std::vector<bool> used(table.columns.size());
      for (const int i : table.primary_key) used[i] = true;
      return std::make_unique<JsonKeyDecoder>(
          table, MakeJsonDecoder(table.columns, used));
    }
  }
  return absl::InternalError("unknown key format");
}

}  // namespace tidegate
