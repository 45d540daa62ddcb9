#include "gateway/grpc/requests.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/grpc/descriptors.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/typed_file.h"
#include "views/sql/row_filter.h"

namespace tidegate {
namespace {

constexpr int64_t kMicros = 1'000'000;

v1::PartitionWatermark::State ToProto(PartitionState state) {
  switch (state) {
    case PartitionState::kActive:
      return v1::PartitionWatermark::ACTIVE;
    case PartitionState::kIdle:
      return v1::PartitionWatermark::IDLE;
    case PartitionState::kNoEvents:
      return v1::PartitionWatermark::NO_EVENTS;
    case PartitionState::kError:
      return v1::PartitionWatermark::ERROR;
    case PartitionState::kUnread:
      return v1::PartitionWatermark::UNREAD;
    case PartitionState::kReplaying:
      return v1::PartitionWatermark::REPLAYING;
    case PartitionState::kAwaitingSchema:
      return v1::PartitionWatermark::AWAITING_SCHEMA;
  }
  return v1::PartitionWatermark::STATE_UNSPECIFIED;
}

// InvalidArgument if the message lacks a key column that no row has NULL: a
// table's key has none, nor has the start of a window. Elsewhere an absent
// column is NULL.
absl::Status CheckIsWhole(const CatalogView& view, absl::string_view message) {
  for (const int column : view.schema.key_columns) {
    if (!view.is_table && column != view.window_column) continue;
    const RowSchema::Field& wanted = view.schema.fields[column];
    absl::string_view rest = message;
    WireField field;
    bool found = false;
    while (!found && GetWireField(&rest, &field)) {
      found = field.number == wanted.number;
    }
    if (found) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("key column \"", wanted.name, "\" is missing"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<const ViewHub::View*> ServedView(const ViewHub& hub,
                                                const std::string& name,
                                                const ViewHub::View* own) {
  const ViewHub::View* const view = own == nullptr ? hub.Find(name) : own;
  if (view == nullptr) return hub.NoSuchView(name);
  const std::string& found = view->view->name;
  if (own != nullptr && !name.empty() && name != found) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the request names view \"", name, "\", but ", TypedServiceName(found),
        " serves \"", found, "\" alone: leave `view` out"));
  }
  RETURN_IF_ERROR_CTX(view->pipeline->status(), absl::StrCat("view=", found));
  RETURN_IF_ERROR_CTX(view->pipeline->EndBuild(), absl::StrCat("view=", found));
  return view;
}

absl::StatusOr<std::vector<std::string>> ReadKeys(
    const CatalogView& view,
    const google::protobuf::RepeatedPtrField<std::string>& keys, size_t limit) {
  if (static_cast<size_t>(keys.size()) > limit) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "too many keys: ", keys.size(), " in one request, limit ", limit));
  }
  std::vector<std::string> out;
  out.reserve(keys.size());
  for (const std::string& message : keys) {
    std::string key;
    absl::Status status = MessageToKey(view.schema, message, &key);
    if (status.ok()) status = CheckIsWhole(view, message);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("key ", out.size(), " of view \"", view.name,
                       "\": ", status.message(), "; expected a serialized ",
                       KeyShape(view.name, view.schema)));
    }
    out.push_back(std::move(key));
  }
  return out;
}

absl::Status ReadRowFilter(const CatalogView& view,
                           absl::string_view key_prefix,
                           absl::string_view where,
                           SubscriptionFilter* filter) {
  if (!key_prefix.empty()) {
    absl::StatusOr<std::string> prefix = KeyPrefixOf(view.schema, key_prefix);
    if (!prefix.ok()) {
      return absl::Status(prefix.status().code(),
                          absl::StrCat("key_prefix of view \"", view.name,
                                       "\": ", prefix.status().message(),
                                       "; expected leading columns of ",
                                       KeyShape(view.name, view.schema)));
    }
    filter->prefix = *std::move(prefix);
  }
  if (where.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(filter->where, RowFilter::Compile(where, view.schema));
  return absl::OkStatus();
}

absl::StatusOr<Seq> SeqToReach(const MaterializedStore& store,
                               const v1::Position& position) {
  Seq seq;
  for (const v1::PartitionSeq& entry : position.partitions()) {
    if (entry.partition() != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("min_position names log partition ", entry.partition(),
                       ", there is only 0"));
    }
    seq = std::max(seq, Seq(entry.seq()));
  }
  if (seq == Seq(0)) return seq;
  // A position ahead of the head is waited for; only its history is judged.
  constexpr Seq kAnyHead{std::numeric_limits<uint64_t>::max()};
  if (!TokenHonoured(store.incarnations(), position.incarnation(), seq,
                     kAnyHead)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "min_position ", seq.value(),
        " is not part of this view's history; read again without it"));
  }
  return seq;
}

void FillPosition(const MaterializedStore& store, Seq seq,
                  v1::Position* position) {
  position->set_incarnation(store.incarnations().back().id);
  v1::PartitionSeq* entry = position->add_partitions();
  entry->set_partition(0);
  entry->set_seq(seq.value());
}

void FillTimestamp(EventTime time,
                   absl::FunctionRef<google::protobuf::Timestamp*()> field) {
  if (time == kNoEventTime) return;
  int64_t seconds = time.value() / kMicros;
  int64_t rest = time.value() % kMicros;
  if (rest < 0) {
    rest += kMicros;
    --seconds;
  }
  google::protobuf::Timestamp* const timestamp = field();
  timestamp->set_seconds(seconds);
  timestamp->set_nanos(static_cast<int32_t>(rest * 1000));
}

void FillDuration(int64_t micros, google::protobuf::Duration* duration) {
  duration->set_seconds(micros / kMicros);
  duration->set_nanos(static_cast<int32_t>(micros % kMicros * 1000));
}

void FillPartition(const PartitionWatermark& from, v1::PartitionWatermark* to) {
  to->set_topic(from.topic);
  to->set_partition(static_cast<uint32_t>(from.partition.value()));
  FillTimestamp(from.watermark, [to] { return to->mutable_watermark(); });
  to->set_state(ToProto(from.state));
  to->set_holds_back(from.holds_back);
}

WindowEnd WindowEndOf(const CatalogView& view) {
  return WindowEndOf(view.schema, view.window_column, view.window_add_us);
}

v1::Finality ToProto(Finality finality) {
  switch (finality) {
    case Finality::kUnspecified:
      break;
    case Finality::kProvisional:
      return v1::FINALITY_PROVISIONAL;
    case Finality::kFinal:
      return v1::FINALITY_FINAL;
    case Finality::kCorrected:
      return v1::FINALITY_CORRECTED;
  }
  return v1::FINALITY_UNSPECIFIED;
}

}  // namespace tidegate
