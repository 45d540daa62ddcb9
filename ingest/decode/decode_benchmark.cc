// CPU per record of the decoders on the order that the baselines are taken
// with: about 64 bytes in Protobuf and Avro, 115 in JSON; four columns used of
// six.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "ingest/decode/avro_decoder.h"
#include "ingest/decode/avro_testing.h"
#include "ingest/decode/decoder.h"

namespace tidegate {
namespace {

constexpr int kRecords = 1000;

SourcePlan Orders() {
  SourcePlan source;
  source.name = "orders";
  source.columns = {{"order_id", Type::kVarchar}, {"driver_id", Type::kBigint},
                    {"region", Type::kVarchar},   {"amount", Type::kDouble},
                    {"ts", Type::kTimestamptz},   {"note", Type::kVarchar}};
  return source;
}
const std::vector<bool> kUsed = {false, true, true, true, true, false};

void Run(benchmark::State& state, Decoder* decoder,
         const std::vector<std::string>& records) {
  std::vector<Datum> row(kUsed.size());
  int64_t bytes = 0;
  size_t next = 0;
  for (auto _ : state) {
    const std::string& record = records[next++ % records.size()];
    if (!decoder->Decode(record, absl::MakeSpan(row)).ok()) std::abort();
    benchmark::DoNotOptimize(row.data());
    bytes += record.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}

void DecodeJson(benchmark::State& state) {
  std::vector<std::string> records;
  records.reserve(kRecords);
  for (int i = 0; i < kRecords; ++i) {
    records.push_back(absl::StrCat(
        R"({"order_id":"o-)", 1'000'000 + i, R"(","driver_id":)", i * 37,
        R"(,"region":"north-west","amount":)", i, R"(.25,"ts":)",
        1'700'000'000'000 + i, R"(,"note":"at the door"})"));
  }
  const auto decoder = MakeDecoder(Orders(), kUsed, ".");
  Run(state, decoder->get(), records);
}
BENCHMARK(DecodeJson);

void DecodeProtobuf(benchmark::State& state) {
  const std::string name =
      absl::StrCat("decode_benchmark.", getpid(), ".proto");
  const auto dir = std::filesystem::temp_directory_path();
  std::ofstream(dir / name) << R"(syntax = "proto3";
    message Order { string order_id = 1; int64 driver_id = 2; string region = 3;
                    double amount = 4; int64 ts = 5; string note = 6; })";
  SourcePlan source = Orders();
  source.encodings = {{.format = Format::kProtobuf,
                       .proto_message = "Order",
                       .proto_file = name}};
  const auto decoder = MakeDecoder(source, kUsed, dir.string());
  std::filesystem::remove(dir / name);
  if (!decoder.ok()) {
    std::cerr << decoder.status() << "\n";
    std::abort();
  }
  std::vector<std::string> records;
  records.reserve(kRecords);
  for (int i = 0; i < kRecords; ++i) {
    std::string record;
    PutTag(&record, 1, WireType::kLengthDelimited);
    PutLengthPrefixed(&record, absl::StrCat("o-", 1'000'000 + i));
    PutTag(&record, 2, WireType::kVarint);
    PutVarint64(&record, uint64_t{37} * i);
    PutTag(&record, 3, WireType::kLengthDelimited);
    PutLengthPrefixed(&record, "north-west");
    PutTag(&record, 4, WireType::kFixed64);
    PutFixed64LittleEndian(&record, 0x4039000000000000);
    PutTag(&record, 5, WireType::kVarint);
    PutVarint64(&record, 1'700'000'000'000 + i);
    PutTag(&record, 6, WireType::kLengthDelimited);
    PutLengthPrefixed(&record, "at the door");
    records.push_back(std::move(record));
  }
  Run(state, decoder->get(), records);
}
BENCHMARK(DecodeProtobuf);

void DecodeAvro(benchmark::State& state) {
  WriterSchema schema;
  schema.text = R"({"type": "record", "name": "Order", "fields": [
      {"name": "order_id", "type": "string"},
      {"name": "driver_id", "type": "long"},
      {"name": "region", "type": ["null", "string"]},
      {"name": "amount", "type": "double"},
      {"name": "ts", "type": "long"}, {"name": "note", "type": "string"}]})";
  const auto decoder = MakeAvroWriterDecoder(Orders(), kUsed, schema);
  if (!decoder.ok()) {
    std::cerr << decoder.status() << "\n";
    std::abort();
  }
  std::vector<std::string> records;
  records.reserve(kRecords);
  for (int i = 0; i < kRecords; ++i) {
    AvroBytes record;
    record.Text(absl::StrCat("o-", 1'000'000 + i)).Long(int64_t{37} * i);
    record.Long(1).Text("north-west").Double(25);
    record.Long(1'700'000'000'000 + i).Text("at the door");
    records.push_back(record.text());
  }
  Run(state, decoder->get(), records);
}
BENCHMARK(DecodeAvro);

}  // namespace
}  // namespace tidegate

BENCHMARK_MAIN();
