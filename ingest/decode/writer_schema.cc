#include "ingest/decode/writer_schema.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/avro_decoder.h"
#include "ingest/decode/json_decoder.h"
#include "ingest/decode/protobuf_decoder.h"
#include "ingest/decode/protobuf_schema.h"

namespace tidegate {
namespace {

Format FormatOf(WriterSchema::Type type) {
  switch (type) {
    case WriterSchema::Type::kProtobuf:
      return Format::kProtobuf;
    case WriterSchema::Type::kAvro:
      return Format::kAvro;
    case WriterSchema::Type::kJson:
      return Format::kJson;
  }
  return Format::kJson;
}

absl::string_view NameOf(WriterSchema::Type type) {
  switch (type) {
    case WriterSchema::Type::kProtobuf:
      return "Protobuf";
    case WriterSchema::Type::kAvro:
      return "Avro";
    case WriterSchema::Type::kJson:
      return "JSON";
  }
  return "?";
}

absl::StatusOr<std::unique_ptr<Decoder>> MakeProtobuf(
    const SourcePlan& source, const std::vector<bool>& used,
    const std::string& wanted, const WriterSchema& schema,
    const std::vector<int>& message_indexes) {
  ASSIGN_OR_RETURN(std::unique_ptr<ProtobufSchema> parsed,
                   ProtobufSchema::Parse(schema, message_indexes));
  const std::string came = parsed->message_name();
  if (!wanted.empty() && came != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the record is a ", came, ", and the source reads ", wanted));
  }
  return MakeProtobufWriterDecoder(source, used, std::move(parsed));
}

absl::StatusOr<std::unique_ptr<Decoder>> Make(
    const SourcePlan& source, const std::vector<bool>& used,
    const WriterSchema& schema, const std::vector<int>& message_indexes) {
  const Encoding* const encoding = source.FindEncoding(FormatOf(schema.type));
  if (encoding == nullptr || encoding->schema_registry.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is of type ", NameOf(schema.type),
                     ", which the source does not read"));
  }
  if (schema.type == WriterSchema::Type::kProtobuf) {
    return MakeProtobuf(source, used, encoding->proto_message, schema,
                        message_indexes);
  }
  return MakeJsonDecoder(source.columns, used);
}

bool ReadsFramedAvro(const SourcePlan& source) {
  const Encoding* const avro = source.FindEncoding(Format::kAvro);
  return avro != nullptr && !avro->schema_registry.empty();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeWriterDecoder(
    const SourcePlan& source, const std::vector<bool>& used,
    const WriterSchema& schema, const std::vector<int>& message_indexes) {
  // Columns of INCLUDE are no fields.
  std::vector<bool> fields = used;
  std::fill(
      fields.begin() + static_cast<std::ptrdiff_t>(source.value_columns()),
      fields.end(), false);
  if (schema.type == WriterSchema::Type::kAvro && ReadsFramedAvro(source)) {
    return MakeAvroWriterDecoder(source, fields, schema);
  }
  auto decoder = Make(source, fields, schema, message_indexes);
  if (!decoder.ok()) {
    return Annotate(decoder.status(), absl::StrCat("schema id=", schema.id));
  }
  return decoder;
}

}  // namespace tidegate
