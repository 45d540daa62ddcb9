// An Avro record, and the schema it was written with: MASK SCHEMA 0 RECORD,
// where MASK's bits are the columns that are used. Without SCHEMA it is
// kRecord.
#include <memory>

#include "base/utf8.h"
#include "ingest/decode/avro_decoder.h"
#include "tests/fuzz/decoding.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

constexpr char kRecord[] = R"({"type": "record", "name": "Record", "fields": [
  {"name": "b", "type": "boolean"},
  {"name": "skipped", "type": {"type": "array", "items":
    {"type": "map", "values": ["null", "bytes", "Record"]}}},
  {"name": "i", "type": ["null", "int"]},
  {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 3}},
  {"name": "l", "type": ["int", "long", "null"]},
  {"name": "d", "type": ["null", "float", "double"]},
  {"name": "s", "type": ["null", "string"]},
  {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
  {"name": "kind", "type": {"type": "enum", "name": "Kind",
                            "symbols": ["RIDE", "DELIVERY"]}}]})";
constexpr int32_t kSchemaId = 17;

absl::StatusOr<std::unique_ptr<Decoder>> Make(absl::string_view schema,
                                              const std::vector<bool>& used) {
  SourcePlan source;
  source.name = "records";
  source.columns = FuzzColumns();
  WriterSchema writer;
  writer.id = kSchemaId;
  writer.type = WriterSchema::Type::kAvro;
  writer.text = std::string(schema);
  return MakeAvroWriterDecoder(source, used, writer);
}

// A decoder of kRecord; made once.
Decoder* KnownDecoder(uint32_t mask) {
  static auto* const decoders = new std::vector<std::unique_ptr<Decoder>>(256);
  std::unique_ptr<Decoder>& decoder = (*decoders)[mask];
  if (decoder == nullptr) {
    auto made = Make(kRecord, UsedColumns(FuzzColumns().size(), mask));
    FUZZ_EXPECT(made.ok(), made.status().ToString());
    decoder = *std::move(made);
  }
  return decoder.get();
}

void Compare(Decoder* all, Decoder* some, const std::vector<bool>& used,
             absl::string_view record) {
  const std::vector<Column> columns = FuzzColumns();
  const std::vector<bool> every(columns.size(), true);
  const DecodedRow row = DecodeChecked(all, columns, every, record);
  FUZZ_EXPECT(DecodeChecked(all, columns, every, record) == row,
              "read again, against ", Show(row));
  CheckFewer(row, DecodeChecked(some, columns, used, record), used);
}

void TryOtherSchema(absl::string_view schema, const std::vector<bool>& used,
                    absl::string_view record) {
  const auto all = Make(schema, std::vector<bool>(used.size(), true));
  const auto some = Make(schema, used);
  for (const absl::Status& status : {all.status(), some.status()}) {
    if (status.ok()) continue;
    FUZZ_EXPECT(status.code() == absl::StatusCode::kInvalidArgument,
                status.ToString());
    FUZZ_EXPECT(IsValidUtf8(status.message()), status.message());
  }
  if (!all.ok()) return;
  FUZZ_EXPECT(some.ok(), some.status().ToString());
  Compare(all->get(), some->get(), used, record);
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::FuzzInput input(data, size);
  const uint8_t mask = input.Byte();
  const std::vector<bool> used =
      tidegate::UsedColumns(tidegate::FuzzColumns().size(), mask);
  const absl::string_view schema = input.Until('\0');
  const absl::string_view record = input.Rest();
  if (!schema.empty()) {
    tidegate::TryOtherSchema(schema, used, record);
    return 0;
  }
  constexpr uint32_t kAll = 0x7f;
  tidegate::Compare(tidegate::KnownDecoder(kAll), tidegate::KnownDecoder(mask),
                    used, record);
  return 0;
}
