// Reads requests and fills replies: what the service's methods share.
#ifndef TIDEGATE_GATEWAY_GRPC_REQUESTS_H_
#define TIDEGATE_GATEWAY_GRPC_REQUESTS_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"
#include "base/ids.h"
#include "gateway/core/delta_range.h"
#include "gateway/core/finality.h"
#include "tidegate/v1/view_service.pb.h"
#include "views/pipeline/catalog.h"
#include "views/pipeline/view_hub.h"
#include "views/store/materialized_store.h"

namespace tidegate {

// The view that a request is for, if it can be served now: the one that it
// names, or `own`, if it came to that view's own service, where it need not
// name it. Call it before a client is given rows or a position.
absl::StatusOr<const ViewHub::View*> ServedView(const ViewHub& hub,
                                                const std::string& name,
                                                const ViewHub::View* own);

// <View>Key messages as memcomparable keys, in the order given.
// InvalidArgument says what a key looks like, also where a column is absent
// that no row has NULL; ResourceExhausted beyond `limit`.
absl::StatusOr<std::vector<std::string>> ReadKeys(
    const CatalogView& view,
    const google::protobuf::RepeatedPtrField<std::string>& keys, size_t limit);

// Fills what `key_prefix` and `where` of a request, which may be empty, say of
// the rows that are wanted. InvalidArgument names the field.
absl::Status ReadRowFilter(const CatalogView& view,
                           absl::string_view key_prefix,
                           absl::string_view where, SubscriptionFilter* filter);

// The sequence that stands for `position`; 0 for an empty one.
absl::StatusOr<Seq> SeqToReach(const MaterializedStore& store,
                               const v1::Position& position);

void FillPosition(const MaterializedStore& store, Seq seq,
                  v1::Position* position);
// Leaves the field absent for kNoEventTime.
void FillTimestamp(EventTime time,
                   absl::FunctionRef<google::protobuf::Timestamp*()> field);
void FillDuration(int64_t micros, google::protobuf::Duration* duration);
void FillPartition(const PartitionWatermark& from, v1::PartitionWatermark* to);

WindowEnd WindowEndOf(const CatalogView& view);
v1::Finality ToProto(Finality finality);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_REQUESTS_H_
