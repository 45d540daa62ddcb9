// A Protobuf record of tests/fuzz/record.proto: MASK RECORD, where MASK's bits
// are the columns that are used.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>

#include <memory>

#include "ingest/decode/protobuf_decoder.h"
#include "ingest/decode/protobuf_schema.h"
#include "tests/fuzz/decoding.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

constexpr char kFile[] = "record.proto";
constexpr char kMessage[] = "fuzz.Record";

std::unique_ptr<Decoder> Make(const std::vector<bool>& used) {
  SourcePlan source;
  source.name = "records";
  source.columns = FuzzColumns();
  source.encodings = {{.format = Format::kProtobuf,
                       .proto_message = kMessage,
                       .proto_file = kFile}};
  auto decoder = MakeProtobufDecoder(source, used, TIDEGATE_FUZZ_DATA);
  FUZZ_EXPECT(decoder.ok(), decoder.status().ToString());
  return *std::move(decoder);
}

// Of all sets of columns that a mask can name; made once, since a schema takes
// as long as thousands of records.
Decoder* DecoderOf(uint32_t mask) {
  static auto* const decoders = new std::vector<std::unique_ptr<Decoder>>(256);
  std::unique_ptr<Decoder>& decoder = (*decoders)[mask];
  if (decoder == nullptr) {
    decoder = Make(UsedColumns(FuzzColumns().size(), mask));
  }
  return decoder.get();
}

google::protobuf::Message* Reference() {
  static const auto* const schema = [] {
    auto loaded = ProtobufSchema::Load(kFile, kMessage, TIDEGATE_FUZZ_DATA);
    FUZZ_EXPECT(loaded.ok(), loaded.status().ToString());
    return loaded->release();
  }();
  static auto* const factory = new google::protobuf::DynamicMessageFactory;
  static google::protobuf::Message* const message =
      factory->GetPrototype(schema->message())->New();
  return message;
}

}  // namespace
}  // namespace tidegate

// Protobuf's parser tells standard error of every text that is not UTF-8.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tidegate::DecodeChecked;
  const std::vector<tidegate::Column> columns = tidegate::FuzzColumns();
  const std::vector<bool> all(columns.size(), true);
  tidegate::FuzzInput input(data, size);
  const uint8_t mask = input.Byte();
  const absl::string_view record = input.Rest();
  tidegate::Decoder* const decoder = tidegate::DecoderOf(0x7f);
  const auto row = DecodeChecked(decoder, columns, all, record);
  const std::vector<bool> used = tidegate::UsedColumns(columns.size(), mask);
  tidegate::CheckFewer(
      row, DecodeChecked(tidegate::DecoderOf(mask), columns, used, record),
      used);
  // What Protobuf's own parser makes of the record reads the same.
  google::protobuf::Message* const reference = tidegate::Reference();
  if (row.has_value() && reference->ParseFromArray(
                             record.data(), static_cast<int>(record.size()))) {
    const auto again =
        DecodeChecked(decoder, columns, all, reference->SerializeAsString());
    FUZZ_EXPECT(again == row, tidegate::Show(row), " / ",
                tidegate::Show(again));
  }
  return 0;
}
