#include "gateway/grpc/subscribe_request.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/grpc/requests.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate {
namespace {

constexpr int64_t kMaxIntervalSeconds = 86'400;

// In milliseconds.
absl::StatusOr<int64_t> ReadInterval(
    absl::string_view field, const google::protobuf::Duration& interval) {
  if (interval.seconds() < 0 || interval.nanos() < 0 ||
      interval.seconds() > kMaxIntervalSeconds) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " out of range: ", interval.seconds(),
                     " s, allowed are 0 to ", kMaxIntervalSeconds));
  }
  return interval.seconds() * 1000 + interval.nanos() / 1'000'000;
}

}  // namespace

absl::StatusOr<SubscriptionSpec> MakeSpec(const ViewHub::View& view,
                                          const v1::SubscribeRequest& request,
                                          const SpecOptions& options) {
  const CatalogView& of = *view.view;
  SubscriptionSpec spec;
  spec.view_name = of.name;
  spec.view_version = of.version;
  spec.schema = &of.schema;
  spec.window = WindowEndOf(of);
  spec.filter.view = of.id;
  spec.filter.all_rows = request.keys().empty();
  spec.filter.growing = options.growing && !spec.filter.all_rows;
  ASSIGN_OR_RETURN(spec.filter.keys,
                   ReadKeys(of, request.keys(), options.max_keys));
  if (!request.keys().empty() && !request.key_prefix().empty()) {
    return absl::InvalidArgumentError(
        "keys and key_prefix exclude each other, both are set");
  }
  RETURN_IF_ERROR(
      ReadRowFilter(of, request.key_prefix(), request.where(), &spec.filter));
  spec.skip_snapshot = request.skip_snapshot();
  if (request.has_progress_interval()) {
    ASSIGN_OR_RETURN(
        spec.progress_interval_ms,
        ReadInterval("progress_interval", request.progress_interval()));
  }
  if (request.has_min_interval()) {
    ASSIGN_OR_RETURN(spec.min_interval_ms,
                     ReadInterval("min_interval", request.min_interval()));
  }
  spec.ranges = options.ranges;
  spec.feeds = options.feeds;
  return spec;
}

}  // namespace tidegate
