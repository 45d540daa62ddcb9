#include "gateway/grpc/scan_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "gateway/grpc/requests.h"
#include "gateway/grpc/server.h"
#include "tidegate/v1/view_service.pb.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

absl::Status OfAnother(absl::string_view what, absl::string_view view) {
  return absl::InvalidArgumentError(
      absl::StrCat("page_token belongs to another ", what, " of view \"", view,
                   "\": ask for all pages with that of the first"));
}

// `wanted` is what the request itself says.
absl::Status CheckToken(const CatalogView& view, const PageToken& wanted,
                        const PageToken& given, Seq least) {
  if (given.view_hash != wanted.view_hash) {
    return absl::InvalidArgumentError(absl::StrCat(
        "page_token belongs to another view than \"", view.name, "\""));
  }
  if (given.prefix_hash != wanted.prefix_hash) {
    return OfAnother("key_prefix", view.name);
  }
  if (given.where_hash != wanted.where_hash) {
    return OfAnother("where", view.name);
  }
  if (given.incarnation != wanted.incarnation) return ScanExpired(given);
  if (given.seq < least) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_token is of position ", given.seq.value(),
                     ", below min_position ", least.value(),
                     ": start again without page_token"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ScanExpired(const PageToken& token) {
  return absl::AbortedError(absl::StrCat(
      "scan expired, start again without page_token: position ",
      token.seq.value(), " is not kept any more; limits are ",
      kMaxScanAgeMs / 1000, " s and ", kMaxOpenScans, " scans at a time"));
}

absl::StatusOr<ScanSpec> MakeScan(const ViewHub::View& view,
                                  const v1::ScanRequest& request) {
  const CatalogView& of = *view.view;
  const MaterializedStore& store = view.pipeline->store();
  ScanSpec scan;
  scan.filter.view = of.id;
  RETURN_IF_ERROR(
      ReadRowFilter(of, request.key_prefix(), request.where(), &scan.filter));
  scan.window = WindowEndOf(of);
  scan.page_rows = request.page_size() == 0
                       ? kDefaultPageRows
                       : std::min(request.page_size(), kMaxPageRows);
  scan.token.view_hash = Fnv1a64(of.name);
  scan.token.prefix_hash = Fnv1a64(scan.filter.prefix);
  if (scan.filter.where != nullptr) {
    scan.token.where_hash = Fnv1a64(scan.filter.where->canonical());
  }
  scan.token.incarnation = store.incarnations().back().id;
  if (request.page_token().empty()) return scan;
  ASSIGN_OR_RETURN(PageToken given, DecodePageToken(request.page_token()));
  ASSIGN_OR_RETURN(const Seq least, SeqToReach(store, request.min_position()));
  RETURN_IF_ERROR(CheckToken(of, scan.token, given, least));
  scan.token = std::move(given);
  scan.first_page = false;
  return scan;
}

}  // namespace tidegate
