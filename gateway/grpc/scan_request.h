// What a client asks to scan: a ScanRequest, read and checked.
#ifndef TIDEGATE_GATEWAY_GRPC_SCAN_REQUEST_H_
#define TIDEGATE_GATEWAY_GRPC_SCAN_REQUEST_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "gateway/grpc/scans.h"
#include "views/pipeline/view_hub.h"

namespace tidegate {

namespace v1 {
class ScanRequest;
}  // namespace v1

struct ScanSpec {
  SubscriptionFilter filter;
  WindowEnd window;
  size_t page_rows = 0;
  // Of the page before; of the first page without `seq` and `last_key`.
  PageToken token;
  bool first_page = true;
};

// InvalidArgument names the field and what is wrong with it: a page_token
// belongs to one view, key_prefix and where, and to a position that must not be
// below min_position. Aborted if it is of another life of the server. The
// request's `view` is not looked at.
absl::StatusOr<ScanSpec> MakeScan(const ViewHub::View& view,
                                  const v1::ScanRequest& request);

// The error for a page of a scan that is not open any more.
absl::Status ScanExpired(const PageToken& token);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SCAN_REQUEST_H_
