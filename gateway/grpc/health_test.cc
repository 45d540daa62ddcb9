#include "gateway/grpc/health.h"

#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string Request(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request.SerializeAsString();
}

HealthCheckResponse::ServingStatus StatusOf(
    const absl::StatusOr<std::string>& bytes) {
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  HealthCheckResponse response;
  EXPECT_TRUE(response.ParseFromString(*bytes));
  return response.status();
}

TEST(HealthServiceTest, ServesWhenTold) {
  HealthService health({"a.B"});
  for (const char* const service : {"", "a.B"}) {
    health.SetServing(false);
    EXPECT_EQ(StatusOf(health.Check(Request(service))),
              HealthCheckResponse::NOT_SERVING);
    EXPECT_EQ(StatusOf(health.Watch(Request(service))),
              HealthCheckResponse::NOT_SERVING);
    health.SetServing(true);
    EXPECT_EQ(StatusOf(health.Check(Request(service))),
              HealthCheckResponse::SERVING);
    EXPECT_EQ(StatusOf(health.Watch(Request(service))),
              HealthCheckResponse::SERVING);
  }
}

TEST(HealthServiceTest, AnUnknownServiceIsNamed) {
  HealthService health({"a.B"});
  health.SetServing(true);
  const absl::Status status = health.Check(Request("a.C")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "no service \"a.C\"");
  EXPECT_EQ(StatusOf(health.Watch(Request("a.C"))),
            HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST(HealthServiceTest, RubbishIsRefused) {
  HealthService health({});
  EXPECT_TRUE(absl::IsInvalidArgument(health.Check("\xff").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(health.Watch("\xff").status()));
}

}  // namespace
}  // namespace tidegate
