#include "gateway/grpc/health.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "grpc/health/v1/health.pb.h"

namespace tidegate {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string Response(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

}  // namespace

void HealthService::SetServing(bool serving) {
  MutexLock lock(&mutex_);
  serving_ = serving;
}

bool HealthService::serving() const {
  MutexLock lock(&mutex_);
  return serving_;
}

absl::StatusOr<HealthService::Answer> HealthService::Judge(
    absl::string_view request, std::string* service) const {
  HealthCheckRequest parsed;
  if (!parsed.ParseFromArray(request.data(),
                             static_cast<int>(request.size()))) {
    return absl::InvalidArgumentError("malformed HealthCheckRequest");
  }
  *service = parsed.service();
  const bool known = service->empty() ||
                     std::find(services_.begin(), services_.end(), *service) !=
                         services_.end();
  if (!known) return Answer::kUnknownService;
  return serving() ? Answer::kServing : Answer::kNotServing;
}

absl::StatusOr<std::string> HealthService::Check(
    absl::string_view request) const {
  std::string service;
  ASSIGN_OR_RETURN(const Answer answer, Judge(request, &service));
  if (answer == Answer::kUnknownService) {
    return absl::NotFoundError(absl::StrCat("no service \"", service, "\""));
  }
  return Response(answer == Answer::kServing
                      ? HealthCheckResponse::SERVING
                      : HealthCheckResponse::NOT_SERVING);
}

absl::StatusOr<std::string> HealthService::Watch(
    absl::string_view request) const {
  std::string service;
  ASSIGN_OR_RETURN(const Answer answer, Judge(request, &service));
  switch (answer) {
    case Answer::kServing:
      return Response(HealthCheckResponse::SERVING);
    case Answer::kNotServing:
      return Response(HealthCheckResponse::NOT_SERVING);
    case Answer::kUnknownService:
      break;
  }
  return Response(HealthCheckResponse::SERVICE_UNKNOWN);
}

}  // namespace tidegate
