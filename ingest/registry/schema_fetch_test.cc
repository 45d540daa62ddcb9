#include "ingest/registry/schema_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  void PutById(int32_t id, int status, const std::string& body) {
    http_.Put(absl::StrCat(kUrl, "/schemas/ids/", id), status, body);
  }
  void PutVersion(const std::string& subject, int version,
                  const std::string& body) {
    http_.Put(absl::StrCat(kUrl, "/subjects/", subject, "/versions/", version,
                           "?deleted=true"),
              200, body);
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
  PutVersion("b%2Fb", 2,
             R"({"schema":"B","references":
                 [{"name":"c.proto","subject":"c","version":1}]})");
  PutVersion("c", 1, R"({"schema":"C"})");
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
    PutVersion("s", i,
               absl::StrCat(R"({"schema":"x","references":[{"name":"n",)",
                            R"("subject":"s","version":)", i + 1, "}]}"));
  }
  EXPECT_THAT(ErrorOf(3, absl::StatusCode::kFailedPrecondition),
              HasSubstr("nested deeper"));
  // One that refers to itself ends.
  http_.PutSchema(4, "AVRO", "x",
                  R"([{"name":"n","subject":"t","version":1}])");
  PutVersion("t", 1, R"({"schema":"y","references":
                         [{"name":"n","subject":"t","version":1}]})");
  EXPECT_TRUE(Fetch(4).ok());
}

TEST_F(SchemaFetchTest, SoManyReferences) {
  std::string references = "[";
  for (size_t i = 0; i <= kMaxSchemaReferences; ++i) {
    absl::StrAppend(&references, i == 0 ? "" : ",", R"({"name":"n","subject":)",
                    R"("s","version":)", i, "}");
    PutVersion("s", static_cast<int>(i), R"({"schema":"x"})");
  }
  http_.PutSchema(1, "AVRO", "x", references + "]");
  EXPECT_THAT(ErrorOf(1, absl::StatusCode::kFailedPrecondition),
              HasSubstr("more than 256 references"));
}

}  // namespace
}  // namespace tidegate
