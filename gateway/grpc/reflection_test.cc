#include "gateway/grpc/reflection.h"

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "gtest/gtest.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

ServerReflectionResponse Ask(const ServerReflectionRequest& request) {
  // Generated files join the pool when something of theirs is touched.
  v1::ListViewsRequest::descriptor();
  grpc::health::v1::HealthCheckRequest::descriptor();
  const Reflection reflection(
      google::protobuf::DescriptorPool::generated_pool(),
      {"tidegate.v1.ViewService", "grpc.health.v1.Health"});
  const auto bytes = reflection.Answer(request.SerializeAsString());
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  ServerReflectionResponse response;
  EXPECT_TRUE(response.ParseFromString(*bytes));
  EXPECT_EQ(response.original_request().SerializeAsString(),
            request.SerializeAsString());
  return response;
}

TEST(ReflectionTest, ListsItsServices) {
  ServerReflectionRequest request;
  request.set_list_services("*");
  const ServerReflectionResponse response = Ask(request);
  ASSERT_EQ(response.list_services_response().service_size(), 2);
  EXPECT_EQ(response.list_services_response().service(0).name(),
            "tidegate.v1.ViewService");
}

// A client builds a pool from the files in the order they come.
TEST(ReflectionTest, AFileComesAfterAllThatItImports) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("tidegate.v1.ViewService");
  const ServerReflectionResponse response = Ask(request);
  google::protobuf::DescriptorPool pool;
  for (const std::string& bytes :
       response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    ASSERT_NE(pool.BuildFile(file), nullptr) << file.name();
  }
  EXPECT_NE(pool.FindServiceByName("tidegate.v1.ViewService"), nullptr);
}

TEST(ReflectionTest, FindsAFileByItsName) {
  ServerReflectionRequest request;
  request.set_file_by_filename("grpc/health/v1/health.proto");
  EXPECT_EQ(
      Ask(request).file_descriptor_response().file_descriptor_proto_size(), 1);
}

TEST(ReflectionTest, WhatIsUnknownIsNamed) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("tidegate.v1.Nothing");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  EXPECT_EQ(Ask(request).error_response().error_message(),
            "no symbol \"tidegate.v1.Nothing\"");
  request.set_file_by_filename("no.proto");
  EXPECT_EQ(Ask(request).error_response().error_message(),
            "no file \"no.proto\"");
  request.mutable_file_containing_extension()->set_containing_type("X");
  request.mutable_file_containing_extension()->set_extension_number(7);
  EXPECT_EQ(Ask(request).error_response().error_message(),
            "no extension 7 of \"X\"");
  request.set_all_extension_numbers_of_type("X");
  EXPECT_EQ(Ask(request).error_response().error_message(),
            "no message type \"X\"");
  request.set_all_extension_numbers_of_type("tidegate.v1.Position");
  EXPECT_EQ(Ask(request).all_extension_numbers_response().base_type_name(),
            "tidegate.v1.Position");
  EXPECT_EQ(Ask(ServerReflectionRequest()).error_response().error_code(), 3);
}

TEST(ReflectionTest, RubbishIsRefused) {
  const Reflection reflection(
      google::protobuf::DescriptorPool::generated_pool(), {});
  EXPECT_TRUE(absl::IsInvalidArgument(reflection.Answer("\xff\xff").status()));
}

}  // namespace
}  // namespace tidegate
