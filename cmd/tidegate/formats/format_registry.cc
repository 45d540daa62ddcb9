#include "cmd/tidegate/formats/format_registry.h"

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json_writer.h"
#include "ingest/registry/http_client.h"
#include "ingest/registry/schema_registry.h"

namespace tidegate {
namespace {

constexpr char kUrl[] = "http://registry.invalid";

// Byte 0, the schema's id in four; Protobuf's last is the first message.
constexpr absl::string_view kAvroFrame("\0\0\0\0\1", 5);
constexpr absl::string_view kProtobufFrame("\0\0\0\0\2\0", 6);
constexpr char kAvroPath[] = "/schemas/ids/1";
constexpr char kProtobufPath[] = "/schemas/ids/2";

HttpResponse Answer(absl::string_view type, absl::string_view schema) {
  HttpResponse response{.status = 200};
  JsonWriter json(&response.body);
  json.BeginObject();
  json.Key("schemaType").String(type);
  json.Key("schema").String(schema);
  json.EndObject();
  return response;
}

class LocalHttp final : public HttpClient {
 public:
  absl::StatusOr<HttpResponse> Get(const std::string& url) override {
    if (absl::EndsWith(url, kAvroPath)) return Answer("AVRO", kFormatAvro);
    if (absl::EndsWith(url, kProtobufPath)) {
      return Answer("PROTOBUF", kFormatProto);
    }
    return HttpResponse{.status = 404, .body = R"({"error_code":40403})"};
  }
  void Cancel() override {}
};

}  // namespace

std::unique_ptr<SchemaRegistries> MakeFormatRegistries() {
  return std::make_unique<HttpSchemaRegistries>(
      [](const std::string& /*url*/)
          -> absl::StatusOr<std::unique_ptr<HttpClient>> {
        return std::make_unique<LocalHttp>();
      });
}

std::string FramedEncodeClause(BenchFormat format) {
  switch (format) {
    case BenchFormat::kJson:
      return EncodeClause(format);
    case BenchFormat::kAvro:
      return absl::StrCat("AVRO (schema.registry = '", kUrl, "')");
    case BenchFormat::kProtobuf:
      return absl::StrCat(
          "PROTOBUF (message = 'bench.Order', schema.registry = '", kUrl, "')");
  }
  return "";
}

absl::string_view FormatFrame(BenchFormat format) {
  switch (format) {
    case BenchFormat::kJson:
      return "";
    case BenchFormat::kAvro:
      return kAvroFrame;
    case BenchFormat::kProtobuf:
      return kProtobufFrame;
  }
  return "";
}

}  // namespace tidegate
