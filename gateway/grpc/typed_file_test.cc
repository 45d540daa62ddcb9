#include "gateway/grpc/typed_file.h"

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/grpc/service_pool.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "tidegate/v1/view_service.pb.h"
#include "views/pipeline/view_hub.h"
#include "views/sql/literals.h"

namespace tidegate {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::ServiceDescriptor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

CatalogView MakeView(const std::string& name) {
  CatalogView view;
  view.name = name;
  view.schema.fields = {{"b", Type::kBoolean, 1}, {"i", Type::kInt, 2},
                        {"l", Type::kBigint, 3},  {"d", Type::kDouble, 4},
                        {"s", Type::kVarchar, 5}, {"t", Type::kTimestamptz, 9},
                        {"_z", Type::kInt, 10}};
  view.schema.key_columns = {2, 5};
  return view;
}

// The file of a view, in `pool`.
const FileDescriptor* Build(const CatalogView& view, DescriptorPool* pool) {
  google::protobuf::FileDescriptorSet set;
  DescribeTyped(view, &set);
  const FileDescriptor* last = nullptr;
  for (const auto& file : set.file()) {
    last = pool->FindFileByName(file.name());
    if (last == nullptr) last = pool->BuildFile(file);
    EXPECT_NE(last, nullptr) << file.DebugString();
  }
  return last;
}

bool IsOneOf(const FieldDescriptor& field, const std::set<std::string>& names) {
  return names.count(field.name()) > 0;
}

// Compares what is on the wire, message by message; notes each in `seen`.
class Comparison {
 public:
  explicit Comparison(std::string view) : view_(std::move(view)) {}

  void Compare(const Descriptor* typed, const Descriptor* contract) {
    if (!seen_.insert(contract->full_name()).second) return;
    SCOPED_TRACE(contract->full_name());
    for (int i = 0; i < contract->field_count(); ++i) {
      const FieldDescriptor* const field = contract->field(i);
      const FieldDescriptor* const ours =
          typed->FindFieldByNumber(field->number());
      if (field->name() == "view") {
        EXPECT_EQ(ours, nullptr);
        EXPECT_TRUE(typed->IsReservedNumber(field->number()));
        EXPECT_TRUE(typed->IsReservedName("view"));
        ++views_;
        continue;
      }
      ASSERT_NE(ours, nullptr) << field->name();
      CompareField(ours, field);
    }
    const int views = contract->FindFieldByName("view") == nullptr ? 0 : 1;
    EXPECT_EQ(typed->field_count(), contract->field_count() - views);
    EXPECT_EQ(typed->real_oneof_decl_count(),
              contract->real_oneof_decl_count());
  }
  size_t messages() const { return seen_.size(); }
  int views() const { return views_; }
  int rows_and_keys() const { return rows_and_keys_; }

 private:
  void CompareField(const FieldDescriptor* typed,
                    const FieldDescriptor* contract) {
    SCOPED_TRACE(contract->name());
    EXPECT_EQ(typed->name(), contract->name());
    EXPECT_EQ(typed->label(), contract->label());
    EXPECT_EQ(typed->has_presence(),
              contract->has_presence() || (!contract->is_repeated() &&
                                           typed->type() != contract->type()));
    EXPECT_EQ(typed->containing_oneof() == nullptr,
              contract->containing_oneof() == nullptr);
    if (contract->type() == FieldDescriptor::TYPE_BYTES &&
        !IsOneOf(*contract, {"resume_token", "incarnation"})) {
      ASSERT_EQ(typed->type(), FieldDescriptor::TYPE_MESSAGE);
      const bool row = IsOneOf(*contract, {"row", "rows", "upsert"});
      EXPECT_EQ(typed->message_type()->full_name(),
                absl::StrCat("tidegate.views.", view_, row ? "Row" : "Key"));
      ++rows_and_keys_;
      return;
    }
    ASSERT_EQ(typed->type(), contract->type());
    if (const EnumDescriptor* values = contract->enum_type()) {
      ASSERT_EQ(typed->enum_type()->value_count(), values->value_count());
      for (int i = 0; i < values->value_count(); ++i) {
        EXPECT_EQ(typed->enum_type()->value(i)->name(),
                  values->value(i)->name());
        EXPECT_EQ(typed->enum_type()->value(i)->number(),
                  values->value(i)->number());
      }
    }
    if (contract->message_type() == nullptr) return;
    if (absl::StartsWith(contract->message_type()->full_name(), "google.")) {
      EXPECT_EQ(typed->message_type()->full_name(),
                contract->message_type()->full_name());
    } else {
      Compare(typed->message_type(), contract->message_type());
    }
  }

  const std::string view_;
  std::set<std::string> seen_;
  int views_ = 0;
  int rows_and_keys_ = 0;
};

TEST(TypedFileTest, FieldNumbersAndTypesAgreeWithTheContract) {
  DescriptorPool pool;
  const FileDescriptor* const file = Build(MakeView("my_view"), &pool);
  const ServiceDescriptor* const typed = file->FindServiceByName("MyView");
  ASSERT_NE(typed, nullptr);
  EXPECT_EQ(typed->full_name(), TypedServiceName("my_view"));
  const ServiceDescriptor* const contract =
      v1::GetRequest::descriptor()->file()->service(0);
  Comparison comparison("MyView");
  for (int i = 0; i < typed->method_count(); ++i) {
    const auto* const ours = typed->method(i);
    const auto* const theirs = contract->FindMethodByName(ours->name());
    ASSERT_NE(theirs, nullptr);
    EXPECT_EQ(ours->client_streaming(), theirs->client_streaming());
    EXPECT_EQ(ours->server_streaming(), theirs->server_streaming());
    comparison.Compare(ours->input_type(), theirs->input_type());
    comparison.Compare(ours->output_type(), theirs->output_type());
  }
  EXPECT_EQ(typed->method_count(), 4);
  EXPECT_EQ(comparison.views(), 3);
  EXPECT_EQ(comparison.rows_and_keys(), 11);
  EXPECT_GE(comparison.messages(), 19u);
}

// The binder refuses views whose names would meet: it goes by this list.
TEST(TypedFileTest, TheTopLevelHasTheNamesThatTheBinderKnows) {
  DescriptorPool pool;
  const FileDescriptor* const file = Build(MakeView("my_view"), &pool);
  std::set<std::string> names;
  for (int i = 0; i < file->message_type_count(); ++i) {
    names.insert(file->message_type(i)->name());
  }
  std::set<std::string> known;
  for (const absl::string_view suffix : sql::kTypedSuffixes) {
    known.insert(absl::StrCat("MyView", suffix));
  }
  EXPECT_EQ(names, known);
  EXPECT_EQ(file->enum_type_count(), 0);
  EXPECT_EQ(file->service_count(), 1);
  for (int i = 0; i < file->dependency_count(); ++i) {
    EXPECT_TRUE(
        absl::StartsWith(file->dependency(i)->name(), "google/protobuf/"));
  }
}

TEST(TypedFileTest, FilesOfSeveralViewsStandInOnePool) {
  DescriptorPool pool;
  for (const char* name : {"a", "ab", "a_b", "things", "T"}) {
    EXPECT_NE(Build(MakeView(name), &pool), nullptr);
  }
  EXPECT_NE(pool.FindMessageTypeByName("tidegate.views.ABRow"), nullptr);
  EXPECT_NE(
      pool.FindMessageTypeByName("tidegate.views.AbSubscribeResponse.Change"),
      nullptr);
}

TEST(TypedFileTest, RowsAndKeysHaveEveryTypeAndAreOptional) {
  DescriptorPool pool;
  Build(MakeView("my_view"), &pool);
  const Descriptor* const row =
      pool.FindMessageTypeByName("tidegate.views.MyViewRow");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->field_count(), 7);
  for (int i = 0; i < row->field_count(); ++i) {
    EXPECT_TRUE(row->field(i)->has_optional_keyword());
  }
  EXPECT_EQ(row->FindFieldByNumber(3)->type(), FieldDescriptor::TYPE_INT64);
  EXPECT_EQ(row->FindFieldByNumber(9)->message_type()->full_name(),
            "google.protobuf.Timestamp");
  EXPECT_EQ(row->FindFieldByNumber(10)->name(), "_z");
  const Descriptor* const key =
      pool.FindMessageTypeByName("tidegate.views.MyViewKey");
  ASSERT_EQ(key->field_count(), 2);
  EXPECT_EQ(key->field(0)->number(), 3);
  EXPECT_EQ(key->field(1)->number(), 9);
}

TEST(TypedFileTest, WhatIsGoneIsReserved) {
  CatalogView view = MakeView("my_view");
  view.retired = {{"old", Type::kInt, 8},
                  {"s", Type::kInt, 6},  // another column has the name now
                  {"old", Type::kVarchar, 7},
                  {"older", Type::kInt, 12}};
  google::protobuf::FileDescriptorProto file;
  DescribeTyped(view, &file);
  for (int i = 0; i < 2; ++i) {
    const auto& message = file.message_type(i);
    EXPECT_THAT(message.reserved_name(), ElementsAre("old", "older"));
    std::vector<int> bounds;
    for (const auto& range : message.reserved_range()) {
      bounds.push_back(range.start());
      bounds.push_back(range.end());
    }
    EXPECT_THAT(bounds, ElementsAre(6, 9, 12, 13)) << message.name();
  }
  DescriptorPool pool;
  EXPECT_NE(Build(view, &pool), nullptr);
}

TEST(TypedFileTest, TheContractsCommentsComeAlong) {
  DescriptorPool pool;
  const FileDescriptor* const file = Build(MakeView("my_view"), &pool);
  google::protobuf::DebugStringOptions options;
  options.include_comments = true;
  const std::string text = file->DebugStringWithOptions(options);
  EXPECT_THAT(text, HasSubstr("// exclusive\n    uint64 from = 2;"));
  EXPECT_THAT(text, HasSubstr("// MyViewRow, whole\n"));
  EXPECT_THAT(text, HasSubstr("// Rows in key order, a page at a time"));
  EXPECT_THAT(text, HasSubstr("// Amended after its window had closed"));
  EXPECT_EQ(text.find("<View>"), std::string::npos);
  EXPECT_EQ(text.find("absent in typed requests"), std::string::npos);
}

class ServicePoolTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ServicePool>> Make(
      std::initializer_list<const char*> views) {
    for (const char* view : views) catalog_.views.push_back(MakeView(view));
    hub_.Add(&pipeline_);
    return ServicePool::Create(hub_);
  }
  Catalog catalog_;
  ServedPipeline pipeline_{"default", &catalog_, nullptr};
  ViewHub hub_;
};

TEST_F(ServicePoolTest, HasTheServicesOfAllViews) {
  const auto pool = Make({"a", "b_c"});
  ASSERT_TRUE(pool.ok()) << pool.status();
  EXPECT_THAT(
      (*pool)->services(),
      UnorderedElementsAre("tidegate.v1.ViewService", "grpc.health.v1.Health",
                           "grpc.reflection.v1.ServerReflection",
                           "tidegate.views.A", "tidegate.views.BC"));
  for (const std::string& name : (*pool)->services()) {
    EXPECT_NE((*pool)->descriptors()->FindServiceByName(name), nullptr) << name;
  }
}

TEST_F(ServicePoolTest, RefusesNamesThatMeet) {
  const auto pool = Make({"a", "a_row"});
  EXPECT_TRUE(absl::IsInvalidArgument(pool.status()));
  EXPECT_THAT(pool.status().message(), HasSubstr("view \"a_row\""));
  EXPECT_THAT(pool.status().message(), HasSubstr("tidegate/views/a.proto"));
}

}  // namespace
}  // namespace tidegate
