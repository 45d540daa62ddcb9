#include "cmd/tidegate/formats/format_events.h"

#include <array>
#include <bit>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/json_writer.h"

namespace tidegate {
namespace {

constexpr std::array<absl::string_view, 8> kRegions = {
    "north", "south", "east", "west", "centre", "harbour", "hills", "river"};
constexpr std::array<absl::string_view, 8> kNotes = {
    "a ride across town",   "to the airport, terminal 2",
    "two large suitcases",  "please ring",
    "with a child seat",    "back entrance",
    "call when you arrive", "quiet ride"};

constexpr int64_t kFirstMs = 1'700'000'000'000;

// splitmix64
uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

void EncodeJson(const FormatEvent& event, std::string* out) {
  JsonWriter json(out);
  json.BeginObject();
  json.Key("order_id").Int(event.order_id);
  json.Key("driver_id").Int(event.driver_id);
  json.Key("region").String(event.region);
  json.Key("amount").Double(event.amount);
  json.Key("ts").Int(event.event_ms);
  json.Key("note").String(event.note);
  json.EndObject();
}

void PutAvroText(std::string* out, absl::string_view text) {
  PutVarint64(out, ZigZag(static_cast<int64_t>(text.size())));
  out->append(text.data(), text.size());
}

void EncodeAvro(const FormatEvent& event, std::string* out) {
  PutVarint64(out, ZigZag(event.order_id));
  PutVarint64(out, ZigZag(event.driver_id));
  PutAvroText(out, event.region);
  PutFixed64LittleEndian(out, std::bit_cast<uint64_t>(event.amount));
  PutVarint64(out, ZigZag(event.event_ms));
  PutAvroText(out, event.note);
}

void EncodeProtobuf(const FormatEvent& event, std::string* out) {
  PutTag(out, 1, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(event.order_id));
  PutTag(out, 2, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(event.driver_id));
  PutTag(out, 3, WireType::kLengthDelimited);
  PutLengthPrefixed(out, event.region);
  PutTag(out, 4, WireType::kFixed64);
  PutFixed64LittleEndian(out, std::bit_cast<uint64_t>(event.amount));
  PutTag(out, 5, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(event.event_ms));
  PutTag(out, 6, WireType::kLengthDelimited);
  PutLengthPrefixed(out, event.note);
}

}  // namespace

const absl::string_view kFormatProto = R"(syntax = "proto3";
package bench;
message Order {
  int64 order_id = 1;
  int64 driver_id = 2;
  string region = 3;
  double amount = 4;
  int64 ts = 5;
  string note = 6;
}
)";

const absl::string_view kFormatAvro = R"({
  "type": "record", "name": "Order", "namespace": "bench", "fields": [
    {"name": "order_id", "type": "long"},
    {"name": "driver_id", "type": "long"},
    {"name": "region", "type": "string"},
    {"name": "amount", "type": "double"},
    {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "note", "type": "string"}
  ]
}
)";

absl::string_view FormatName(BenchFormat format) {
  switch (format) {
    case BenchFormat::kJson:
      return "json";
    case BenchFormat::kAvro:
      return "avro";
    case BenchFormat::kProtobuf:
      return "protobuf";
  }
  return "";
}

FormatEvent MakeFormatEvent(int64_t i, int64_t drivers) {
  const uint64_t bits = Mix(static_cast<uint64_t>(i));
  FormatEvent event;
  event.order_id = 1'000'000 + i;
  event.driver_id = static_cast<int64_t>(bits % static_cast<uint64_t>(drivers));
  event.region = kRegions[(bits >> 20) % kRegions.size()];
  event.amount = static_cast<double>((bits >> 32) % 10'000) / 100;
  event.event_ms = kFirstMs + i / 10;
  event.note = kNotes[(bits >> 28) % kNotes.size()];
  return event;
}

FormatPool MakeFormatPool(int64_t events, int64_t drivers) {
  FormatPool pool;
  for (int64_t i = 0; i < events; ++i) {
    pool.events.push_back(MakeFormatEvent(i, drivers));
    pool.keys.push_back(absl::StrCat(pool.events.back().driver_id));
  }
  return pool;
}

void EncodeFormatEvent(BenchFormat format, const FormatEvent& event,
                       std::string* out) {
  out->clear();
  switch (format) {
    case BenchFormat::kJson:
      return EncodeJson(event, out);
    case BenchFormat::kAvro:
      return EncodeAvro(event, out);
    case BenchFormat::kProtobuf:
      return EncodeProtobuf(event, out);
  }
}

std::string EncodeClause(BenchFormat format) {
  switch (format) {
    case BenchFormat::kJson:
      return "JSON";
    case BenchFormat::kAvro:
      return absl::StrCat("AVRO (file = '", kFormatAvroFile, "')");
    case BenchFormat::kProtobuf:
      return absl::StrCat("PROTOBUF (message = 'bench.Order', file = '",
                          kFormatProtoFile, "')");
  }
  return "";
}

}  // namespace tidegate
