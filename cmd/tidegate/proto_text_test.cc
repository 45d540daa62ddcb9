#include "cmd/tidegate/proto_text.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "gateway/grpc/typed_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using client::ViewDescription;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

CatalogView MakeView(const std::string& name) {
  CatalogView view;
  view.name = name;
  view.version = 3;
  view.definition = "CREATE MATERIALIZED VIEW " + name + " AS\n\n  SELECT 1";
  // Names that a careless printer or resolver would take for something else.
  view.schema.fields = {{"google", Type::kTimestamptz, 4},
                        {"tidegate", Type::kVarchar, 1},
                        {"message", Type::kBoolean, 2},
                        {"_text", Type::kTimestamptz, 7}};
  view.schema.key_columns = {1, 0};
  view.retired = {{"old", Type::kInt, 3}, {"older", Type::kInt, 5}};
  return view;
}

ViewDescription Describe(const CatalogView& view) {
  ViewDescription description;
  description.name = view.name;
  description.version = view.version;
  description.definition = view.definition;
  FileDescriptorSet set;
  DescribeTyped(view, &set);
  description.descriptors = set.SerializeAsString();
  return description;
}

class Complaints : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    ADD_FAILURE() << line << ":" << column << ": " << message;
  }
};

// The file with every name resolved, as `FileDescriptor` writes it out.
FileDescriptorProto Resolved(const FileDescriptorProto& file) {
  FileDescriptorSet set;
  DescribeTyped(MakeView("any"), &set);
  DescriptorPool pool;
  for (int i = 0; i + 1 < set.file_size(); ++i) pool.BuildFile(set.file(i));
  FileDescriptorProto out;
  const FileDescriptor* const built = pool.BuildFile(file);
  EXPECT_NE(built, nullptr) << file.DebugString();
  if (built != nullptr) built->CopyTo(&out);
  return out;
}

// What protoc makes of the text.
FileDescriptorProto Compiled(const std::string& text, const std::string& name) {
  google::protobuf::io::ArrayInputStream in(text.data(),
                                            static_cast<int>(text.size()));
  Complaints complaints;
  google::protobuf::io::Tokenizer tokens(&in, &complaints);
  google::protobuf::compiler::Parser parser;
  parser.RecordErrorsTo(&complaints);
  FileDescriptorProto file;
  EXPECT_TRUE(parser.Parse(&tokens, &file)) << text;
  file.set_name(name);
  return Resolved(file);
}

TEST(ProtoTextTest, CompilesToTheDescriptorsItWasMadeFrom) {
  const CatalogView view = MakeView("driver_totals");
  const auto text = ProtoText({Describe(view)});
  ASSERT_TRUE(text.ok()) << text.status();
  FileDescriptorProto file;
  DescribeTyped(view, &file);
  EXPECT_EQ(Compiled(*text, file.name()).DebugString(),
            Resolved(file).DebugString())
      << *text;
}

TEST(ProtoTextTest, SaysWhatItWasMadeFrom) {
  const auto text = ProtoText({Describe(MakeView("driver_totals"))});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, StartsWith("// The gRPC service of a view of Tidegate"));
  EXPECT_THAT(*text, HasSubstr("// View driver_totals, version 3:\n//\n"
                               "//   CREATE MATERIALIZED VIEW driver_totals AS"
                               "\n//\n//     SELECT 1\n"));
  EXPECT_THAT(*text, HasSubstr("keeps its field number"));
  EXPECT_THAT(*text, HasSubstr("  reserved 3, 5;\n"));
  EXPECT_THAT(*text, HasSubstr("  reserved \"old\", \"older\";\n"));
  EXPECT_THAT(*text, HasSubstr("option go_package = \"tidegate/views\";"));
}

TEST(ProtoTextTest, ReadsAsWrittenByHand) {
  const auto text = ProtoText({Describe(MakeView("driver_totals"))});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("  rpc Get(DriverTotalsGetRequest) returns "
                               "(DriverTotalsGetResponse);"));
  EXPECT_THAT(*text, HasSubstr("  optional google.protobuf.Timestamp google"));
  EXPECT_THAT(*text, HasSubstr("    // exclusive\n    uint64 from = 2;"));
  EXPECT_THAT(*text, Not(HasSubstr(" .tidegate.")));
  const std::string body = text->substr(text->find("syntax ="));
  EXPECT_THAT(body, Not(HasSubstr("//  "))) << body;
}

TEST(ProtoTextTest, OneFileHasSeveralViews) {
  const CatalogView one = MakeView("driver_totals");
  const CatalogView two = MakeView("orders");
  const auto text = ProtoText({Describe(one), Describe(two)});
  ASSERT_TRUE(text.ok()) << text.status();
  FileDescriptorProto both;
  DescribeTyped(one, &both);
  FileDescriptorProto other;
  DescribeTyped(two, &other);
  for (const auto& message : other.message_type()) {
    *both.add_message_type() = message;
  }
  *both.add_service() = other.service(0);
  EXPECT_EQ(Compiled(*text, both.name()).DebugString(),
            Resolved(both).DebugString())
      << *text;
  EXPECT_THAT(*text, HasSubstr("// OrdersRow, whole"));
  EXPECT_THAT(*text, HasSubstr("// View orders, version 3:"));
}

TEST(ProtoTextTest, RefusesWhatAreNoDescriptors) {
  ViewDescription view;
  view.name = "v";
  EXPECT_TRUE(absl::IsInvalidArgument(ProtoText({view}).status()));
  view.descriptors = "\xff";
  EXPECT_TRUE(absl::IsInvalidArgument(ProtoText({view}).status()));
  // Twice the same view.
  const ViewDescription again = Describe(MakeView("w"));
  EXPECT_TRUE(absl::IsInvalidArgument(ProtoText({again, again}).status()));
}

}  // namespace
}  // namespace tidegate
