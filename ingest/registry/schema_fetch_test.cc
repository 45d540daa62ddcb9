#include "ingest/registry/schema_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "ingest/registry/fake_http.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = RegistryOutcome;

constexpr char kUrl[] = "http://registry";

class SchemaFetchTest : public ::testing::Test {
 protected:
  absl::StatusOr<WriterSchema> Fetch(int32_t id) {
    outcomes_.clear();
    const auto client = http_.NewClient();
    return FetchSchema(client.get(), kUrl, id, [this](Outcome outcome) {
      outcomes_.push_back(outcome);
    });
  }
  std::string ErrorOf(int32_t id, absl::StatusCode code) {
    const absl::Status status = Fetch(id).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  // What becomes of a decoder of the schema, for a column that is its `kind`.
  absl::Status DecoderOf(int32_t id, Format format,
                         const std::vector<int>& indexes) {
    SourcePlan source;
    source.columns = {{"kind", Type::kVarchar}};
    Encoding encoding;
    encoding.format = format;
    encoding.schema_registry = kUrl;
    source.encodings = {encoding};
    const auto schema = Fetch(id);
    if (!schema.ok()) return schema.status();
    return MakeWriterDecoder(source, {true}, *schema, indexes).status();
  }
  void PutById(int32_t id, int status, const std::string& body) {
    http_.Put(absl::StrCat(kUrl, "/schemas/ids/", id), status, body);
  }

  FakeHttp http_;
  std::vector<Outcome> outcomes_;
};

TEST_F(SchemaFetchTest, ReadsASchemaOfEachType) {
  http_.PutSchema(1, "PROTOBUF", "syntax = \"proto3\";\nmessage A {}");
  http_.PutSchema(2, "JSON", "{}");
  // Avro has no type.
  PutById(3, 200, R"({"schema":"\"string\""})");
  const auto protobuf = Fetch(1);
  ASSERT_TRUE(protobuf.ok()) << protobuf.status();
  EXPECT_EQ(protobuf->id, 1);
  EXPECT_EQ(protobuf->type, WriterSchema::Type::kProtobuf);
  EXPECT_EQ(protobuf->text, "syntax = \"proto3\";\nmessage A {}");
  EXPECT_THAT(protobuf->references, IsEmpty());
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kOk));
  EXPECT_EQ(Fetch(2)->type, WriterSchema::Type::kJson);
  EXPECT_EQ(Fetch(3)->type, WriterSchema::Type::kAvro);
  EXPECT_EQ(Fetch(3)->text, "\"string\"");
}

TEST_F(SchemaFetchTest, ReferencesComeEachBeforeItsUsers) {
  http_.PutSchema(1, "PROTOBUF", "main",
                  R"([{"name":"b.proto","subject":"b/b","version":2},
                      {"name":"c.proto","subject":"c","version":1}])");
  http_.PutVersion("b%2Fb", 2, "PROTOBUF", "B",
                   R"([{"name":"c.proto","subject":"c","version":1}])");
  http_.PutVersion("c", 1, "PROTOBUF", "C");
  const auto schema = Fetch(1);
  ASSERT_TRUE(schema.ok()) << schema.status();
  ASSERT_EQ(schema->references.size(), 2u);
  EXPECT_EQ(schema->references[0].name, "c.proto");
  EXPECT_EQ(schema->references[0].text, "C");
  EXPECT_EQ(schema->references[1].name, "b.proto");
  EXPECT_EQ(schema->references[1].text, "B");
  EXPECT_EQ(schema->text, "main");
  EXPECT_EQ(http_.requests().size(), 3u);
}

TEST_F(SchemaFetchTest, OfTwoVersionsTheNearestIsTaken) {
  http_.PutVersion("common", 1, "PROTOBUF", "C1");
  http_.PutVersion("common", 2, "PROTOBUF", "C2");
  http_.PutVersion("customer", 1, "PROTOBUF", "B",
                   R"([{"name":"common","subject":"common","version":1}])");
  const std::string direct =
      R"({"name":"common","subject":"common","version":2})";
  const std::string through =
      R"({"name":"customer","subject":"customer","version":1})";
  http_.PutSchema(1, "PROTOBUF", "A",
                  absl::StrCat("[", direct, ",", through, "]"));
  http_.PutSchema(2, "PROTOBUF", "A",
                  absl::StrCat("[", through, ",", direct, "]"));
  for (const int32_t id : {1, 2}) {
    const auto schema = Fetch(id);
    ASSERT_TRUE(schema.ok()) << schema.status();
    ASSERT_EQ(schema->references.size(), 2u);
    EXPECT_EQ(schema->references[0].name, "common");
    EXPECT_EQ(schema->references[0].text, "C2");
    EXPECT_EQ(schema->references[1].name, "customer");
    EXPECT_EQ(outcomes_.size(), 3u);
  }
}

TEST_F(SchemaFetchTest, TwoVersionsOfAReferenceMakeADecoder) {
  constexpr char kSyntax[] = "syntax = \"proto3\"; ";
  http_.PutVersion("common", 1, "PROTOBUF",
                   absl::StrCat(kSyntax, "message Common { string a = 1; }"));
  http_.PutVersion("common", 2, "PROTOBUF",
                   absl::StrCat(kSyntax,
                                "message Common { string a = 1; }"
                                "enum Kind { NONE = 0; }"));
  http_.PutVersion(
      "customer", 1, "PROTOBUF",
      absl::StrCat(kSyntax,
                   "import \"common.proto\";"
                   "message Customer { Common common = 1; }"),
      R"([{"name":"common.proto","subject":"common","version":1}])");
  http_.PutSchema(
      1, "PROTOBUF",
      absl::StrCat(kSyntax,
                   "import \"customer.proto\"; import \"common.proto\";"
                   "message Order { Customer customer = 1; Kind kind = 2; }"),
      R"([{"name":"customer.proto","subject":"customer","version":1},
          {"name":"common.proto","subject":"common","version":2}])");
  EXPECT_EQ(DecoderOf(1, Format::kProtobuf, {0}), absl::OkStatus());
}

TEST_F(SchemaFetchTest, TwoVersionsOfANamedTypeMakeADecoder) {
  constexpr char kCommon[] =
      R"({"type":"enum","name":"Kind","symbols":["NONE"%s]})";
  http_.PutVersion("kind", 1, "AVRO", absl::StrFormat(kCommon, ""));
  http_.PutVersion("kind", 2, "AVRO", absl::StrFormat(kCommon, R"(,"RIDE")"));
  http_.PutVersion("customer", 1, "AVRO",
                   R"({"type":"record","name":"Customer","fields":[
                       {"name":"kind","type":"Kind"}]})",
                   R"([{"name":"Kind","subject":"kind","version":1}])");
  http_.PutSchema(2, "AVRO",
                  R"({"type":"record","name":"Order","fields":[
                      {"name":"customer","type":"Customer"},
                      {"name":"kind","type":"Kind"}]})",
                  R"([{"name":"Customer","subject":"customer","version":1},
                      {"name":"Kind","subject":"kind","version":2}])");
  EXPECT_EQ(DecoderOf(2, Format::kAvro, {}), absl::OkStatus());
}

TEST_F(SchemaFetchTest, NotFoundIsOnlyWhatTheRegistrySays) {
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kNotFound),
              HasSubstr("GET /schemas/ids/1: "));
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kNotFound));
  // A URL that is not a registry's must not send records away.
  PutById(2, 404, "<html>nginx</html>");
  EXPECT_THAT(ErrorOf(2, absl::StatusCode::kUnavailable),
              HasSubstr("HTTP 404: <html>nginx"));
  PutById(3, 404, R"({"error_code":404,"message":"HTTP 404 Not Found"})");
  ErrorOf(3, absl::StatusCode::kUnavailable);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kError));
  PutById(4, 200, R"({"schema":"x","references":
                      [{"name":"n","subject":"s","version":1}]})");
  EXPECT_THAT(ErrorOf(4, absl::StatusCode::kNotFound),
              HasSubstr("GET /subjects/s/versions/1"));
}

TEST_F(SchemaFetchTest, TroubleThatMayPass) {
  PutById(1, 503, "busy\n\x01");
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kUnavailable),
              HasSubstr("HTTP 503: busy  "));
  for (const int status : {401, 403}) {
    PutById(1, status, "{}");
    EXPECT_THAT(ErrorOf(1, absl::StatusCode::kPermissionDenied),
                HasSubstr("--schema-registry-config"));
    EXPECT_THAT(outcomes_, ElementsAre(Outcome::kDenied));
  }
  for (const char* body :
       {"<html>a proxy</html>", "[]", R"({"id":1})", R"({"schema":1})"}) {
    PutById(1, 200, body);
    EXPECT_THAT(ErrorOf(1, absl::StatusCode::kUnavailable),
                HasSubstr("not a schema registry's answer"));
  }
  PutById(1, 200, R"({"schema":"x","references":[{"name":"n"}]})");
  ErrorOf(1, absl::StatusCode::kUnavailable);
  http_.SetAway(true);
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kUnavailable),
              HasSubstr("connection refused"));
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kUnreachable));
}

TEST_F(SchemaFetchTest, WhatCanNeverBeUsed) {
  http_.PutSchema(1, "THRIFT", "x");
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kFailedPrecondition),
              HasSubstr("unknown type \"THRIFT\""));
  http_.PutSchema(2, "AVRO", std::string(kMaxSchemaBytes + 1, 'x'));
  EXPECT_THAT(ErrorOf(2, absl::StatusCode::kFailedPrecondition),
              HasSubstr("longer than"));
  // A chain without an end.
  http_.PutSchema(3, "AVRO", "x",
                  R"([{"name":"n","subject":"s","version":1}])");
  for (int i = 1; i < 100; ++i) {
    http_.PutVersion(
        "s", i, "AVRO", "x",
        absl::StrCat(R"([{"name":"n)", i, R"(","subject":"s","version":)",
                     i + 1, "}]"));
  }
  EXPECT_THAT(ErrorOf(3, absl::StatusCode::kFailedPrecondition),
              HasSubstr("nested deeper"));
  // One that refers to itself ends.
  http_.PutSchema(4, "AVRO", "x",
                  R"([{"name":"n","subject":"t","version":1}])");
  http_.PutVersion("t", 1, "AVRO", "y",
                   R"([{"name":"n","subject":"t","version":1}])");
  EXPECT_TRUE(Fetch(4).ok());
}

TEST_F(SchemaFetchTest, SoManyReferences) {
  std::string references = "[";
  for (size_t i = 0; i <= kMaxSchemaReferences; ++i) {
    absl::StrAppend(&references, i == 0 ? "" : ",", R"({"name":"n)", i,
                    R"(","subject":"s","version":)", i, "}");
    http_.PutVersion("s", static_cast<int>(i), "AVRO", "x");
  }
  http_.PutSchema(1, "AVRO", "x", references + "]");
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kFailedPrecondition),
              HasSubstr("more than 256 references"));
}

}  // namespace
}  // namespace tidegate
