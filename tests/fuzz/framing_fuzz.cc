// What frames and a schema registry say. `f`: a record, as it is framed. `a`:
// what the registry answers, one answer a request, each STATUS BODY 0, where
// STATUS is the first digit of HTTP's, or `+`: too long; anything else: no
// answer.
#include <google/protobuf/stubs/logging.h>

#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/coding.h"
#include "base/utf8.h"
#include "ingest/registry/fake_registries.h"
#include "ingest/registry/framed_decoder.h"
#include "ingest/registry/framing.h"
#include "ingest/registry/schema_fetch.h"
#include "tests/fuzz/decoding.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

constexpr char kUrl[] = "http://registry";
constexpr int32_t kSchemaId = 17;
constexpr char kProtobuf[] = R"(syntax = "proto3";
message Other { message Inner { string s = 1; } }
message Record { bool b = 1; int32 i = 2; optional sint64 l = 3; double d = 4;
                 string s = 5; int64 t = 6; string kind = 7; })";
constexpr char kAvro[] = R"({"type": "record", "name": "R", "fields": [
  {"name": "i", "type": "int"}, {"name": "s", "type": ["null", "string"]}]})";

SourcePlan Source() {
  SourcePlan source;
  source.name = "records";
  source.columns = FuzzColumns();
  source.encodings.clear();
  for (const Format format :
       {Format::kJson, Format::kProtobuf, Format::kAvro}) {
    Encoding encoding;
    encoding.format = format;
    encoding.schema_registry = kUrl;
    source.encodings.push_back(std::move(encoding));
  }
  return source;
}

void ExpectSaid(const absl::Status& status,
                const std::set<absl::StatusCode>& codes) {
  FUZZ_EXPECT(codes.count(status.code()) > 0, status.ToString());
  FUZZ_EXPECT(IsValidUtf8(status.message()), status.message());
}

absl::Status ParseWhole(absl::string_view value, Frame* frame) {
  const absl::Status status = ParseFrame(value, frame);
  return status.ok() ? ParseMessageIndexes(value, frame) : status;
}

// That a frame says the same without what is behind it, and as we would write
// it.
void CheckFrame(absl::string_view value, const Frame& frame) {
  FUZZ_EXPECT(frame.size <= value.size(), frame.size);
  FUZZ_EXPECT(frame.schema_id >= 0, frame.schema_id);
  FUZZ_EXPECT(!frame.message_indexes.empty(), "");
  std::string path;
  PutVarint64(&path,
              ZigZag(static_cast<int64_t>(frame.message_indexes.size())));
  for (const int index : frame.message_indexes) {
    FUZZ_EXPECT(index >= 0, index);
    PutVarint64(&path, ZigZag(index));
  }
  const std::string written = FramedRecord(frame.schema_id, path, "");
  for (const absl::string_view bytes :
       {value.substr(0, frame.size), absl::string_view(written)}) {
    Frame again;
    const absl::Status status = ParseWhole(bytes, &again);
    FUZZ_EXPECT(status.ok(), status.ToString());
    FUZZ_EXPECT(again.schema_id == frame.schema_id, again.schema_id);
    FUZZ_EXPECT(again.message_indexes == frame.message_indexes, "");
    FUZZ_EXPECT(again.size == bytes.size(), again.size);
  }
}

// Of kProtobuf, kAvro, JSON, and one that is missing; others never come.
Decoder* KnownDecoder() {
  static auto* const registries = new FakeRegistries;
  static Decoder* const known = [] {
    const auto add = [](int32_t id, WriterSchema::Type type, const char* text) {
      WriterSchema schema;
      schema.id = id;
      schema.type = type;
      schema.text = text;
      registries->Add(std::move(schema));
    };
    add(1, WriterSchema::Type::kProtobuf, kProtobuf);
    add(2, WriterSchema::Type::kAvro, kAvro);
    add(3, WriterSchema::Type::kJson, "{}");
    registries->SetMissing(4);
    const std::vector<bool> used(FuzzColumns().size(), true);
    auto made = FramedDecoder::Create(Source(), used, registries, [] {});
    FUZZ_EXPECT(made.ok(), made.status().ToString());
    return made->release();
  }();
  return known;
}

void TryRecord(absl::string_view value) {
  Frame frame;
  const absl::Status framed = ParseWhole(value, &frame);
  if (framed.ok()) {
    CheckFrame(value, frame);
  } else {
    ExpectSaid(framed, {absl::StatusCode::kInvalidArgument});
  }
  const std::vector<Column> columns = FuzzColumns();
  std::vector<Datum> row(columns.size());
  const absl::Status status =
      KnownDecoder()->Decode(value, absl::MakeSpan(row));
  ExpectSaid(status,
             {absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument,
              absl::StatusCode::kUnavailable, absl::StatusCode::kNotFound,
              absl::StatusCode::kFailedPrecondition});
  if (!status.ok() && !absl::IsInvalidArgument(status)) return;
  const std::vector<bool> every(columns.size(), true);
  const DecodedRow decoded =
      DecodeChecked(KnownDecoder(), columns, every, value);
  FUZZ_EXPECT(decoded.has_value() == status.ok(), status.ToString());
}

class ScriptedHttp final : public HttpClient {
 public:
  explicit ScriptedHttp(FuzzInput* input) : input_(*input) {}
  absl::StatusOr<HttpResponse> Get(const std::string& url) override {
    ++requests_;
    FUZZ_EXPECT(absl::StartsWith(url, kUrl), url);
    for (const char c : url) FUZZ_EXPECT(absl::ascii_isgraph(c), url);
    const auto kind = static_cast<char>(input_.Byte());
    HttpResponse response;
    response.body = std::string(input_.Until('\0'));
    switch (kind) {
      case '2':
        response.status = 200;
        return response;
      case '4':
        response.status = 404;
        return response;
      case '1':
        response.status = 401;
        return response;
      case '5':
        response.status = 500;
        return response;
      case '+':
        return absl::ResourceExhaustedError("too long");
      default:
        return absl::UnavailableError("connection refused");
    }
  }
  void Cancel() override {}
  int requests() const { return requests_; }

 private:
  FuzzInput& input_;
  int requests_ = 0;
};

void CheckSchema(const WriterSchema& schema) {
  FUZZ_EXPECT(schema.id == kSchemaId, schema.id);
  FUZZ_EXPECT(schema.references.size() <= kMaxSchemaReferences,
              schema.references.size());
  std::set<std::string> names;
  size_t bytes = schema.text.size();
  for (const WriterSchema::Reference& reference : schema.references) {
    FUZZ_EXPECT(names.insert(reference.name).second, reference.name);
    bytes += reference.text.size();
  }
  FUZZ_EXPECT(bytes <= kMaxSchemaBytes, bytes);
  const std::vector<bool> used(FuzzColumns().size(), true);
  std::vector<int> indexes;
  if (schema.type == WriterSchema::Type::kProtobuf) indexes = {0};
  const auto decoder = MakeWriterDecoder(Source(), used, schema, indexes);
  ExpectSaid(decoder.status(),
             {absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument});
}

void TryAnswers(FuzzInput* input) {
  ScriptedHttp http(input);
  int told = 0;
  const auto schema =
      FetchSchema(&http, kUrl, kSchemaId, [&told](RegistryOutcome) { ++told; });
  FUZZ_EXPECT(told == http.requests(), told, " of ", http.requests());
  ExpectSaid(
      schema.status(),
      {absl::StatusCode::kOk, absl::StatusCode::kNotFound,
       absl::StatusCode::kFailedPrecondition,
       absl::StatusCode::kPermissionDenied, absl::StatusCode::kUnavailable});
  if (schema.ok()) CheckSchema(*schema);
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Whose parser warns of schemas without a syntax.
  static google::protobuf::LogHandler* const logged =
      google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(logged);
  tidegate::FuzzInput input(data, size);
  if (input.Byte() == 'a') {
    tidegate::TryAnswers(&input);
  } else {
    tidegate::TryRecord(input.Rest());
  }
  return 0;
}
