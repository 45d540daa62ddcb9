#include "tests/simulation/simulated_subscriber.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/fold/row_codec.h"

namespace tidegate::simulation {
namespace {

constexpr int kMaxMessagesToFinish = 100'000;

// Fields of SubscribeResponse, by number.
struct Response {
  std::vector<absl::string_view> changes;
  std::vector<HistoryRange> ranges;
  std::string token;
  bool snapshot = false, end = false, fragment = false, drain = false;
  std::optional<HistoryPosition> position;
  std::optional<int64_t> watermark_us;
  std::optional<uint64_t> reset;  // the cause
};

int64_t Micros(absl::string_view timestamp) {
  WireField field;
  int64_t micros = 0;
  while (!timestamp.empty() && GetWireField(&timestamp, &field)) {
    const auto value = static_cast<int64_t>(field.varint);
    micros += field.number == 1 ? value * 1'000'000 : value / 1000;
  }
  return micros;
}

HistoryPosition ReadPosition(absl::string_view bytes) {
  HistoryPosition position;
  WireField field;
  while (!bytes.empty() && GetWireField(&bytes, &field)) {
    if (field.number == 1) {
      position.incarnation = std::string(field.bytes);
      continue;
    }
    absl::string_view body = field.bytes;
    WireField inner;
    uint64_t partition = 0;
    uint64_t seq = 0;
    while (!body.empty() && GetWireField(&body, &inner)) {
      (inner.number == 1 ? partition : seq) = inner.varint;
    }
    position.seqs[static_cast<uint32_t>(partition)] = seq;
  }
  return position;
}

HistoryRange ReadRange(absl::string_view bytes) {
  HistoryRange range;
  WireField field;
  while (!bytes.empty() && GetWireField(&bytes, &field)) {
    if (field.number == 1)
      range.partition = static_cast<uint32_t>(field.varint);
    if (field.number == 2) range.from = field.varint;
    if (field.number == 3) range.to = field.varint;
  }
  return range;
}

Response ReadResponse(absl::string_view bytes) {
  Response response;
  WireField field;
  while (!bytes.empty() && GetWireField(&bytes, &field)) {
    switch (field.number) {
      case 1:
        response.changes.push_back(field.bytes);
        break;
      case 2:
        response.ranges.push_back(ReadRange(field.bytes));
        break;
      case 3:
        response.token = std::string(field.bytes);
        break;
      case 4:
        response.snapshot = field.varint != 0;
        break;
      case 5:
        response.end = field.varint != 0;
        break;
      case 6:
        response.position = ReadPosition(field.bytes);
        break;
      case 7:
        response.watermark_us = Micros(field.bytes);
        break;
      case 10: {
        absl::string_view body = field.bytes;
        WireField inner;
        response.reset = 0;
        while (!body.empty() && GetWireField(&body, &inner)) {
          if (inner.number == 1) response.reset = inner.varint;
        }
        break;
      }
      case 11:
        response.drain = true;
        break;
      case 12:
        response.fragment = field.varint != 0;
        break;
      default:
        break;
    }
  }
  return response;
}

}  // namespace

SimulatedSubscriber::SimulatedSubscriber(const CatalogView* view,
                                         std::optional<SimWindowEnd> window,
                                         StateBook* book)
    : view_(*view), window_(window), checker_(view->name, book) {}

absl::Status SimulatedSubscriber::Verdict() const {
  if (!misjudged_.empty()) {
    return absl::InternalError(
        absl::StrCat("subscriber of ", view_.name, ": ", misjudged_));
  }
  if (checker_.counts().violations == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("subscriber of ", view_.name, ":\n  ",
                   absl::StrJoin(checker_.violations(), "\n  ")));
}

void SimulatedSubscriber::Cut() { subscription_.reset(); }

absl::Status SimulatedSubscriber::Read(MaterializedStore* store,
                                       ProcessingTime now, int messages) {
  if (subscription_ == nullptr) {
    SubscriptionSpec spec;
    spec.view_name = view_.name;
    spec.view_version = view_.version;
    spec.schema = &view_.schema;
    spec.window =
        WindowEndOf(view_.schema, view_.window_column, view_.window_add_us);
    spec.filter.view = view_.id;
    ASSIGN_OR_RETURN(subscription_,
                     Subscription::Create(std::move(spec), store, token_));
    first_response_ = true;
  }
  Message message;
  for (int i = 0; i < messages; ++i) {
    message.Clear();
    ASSIGN_OR_RETURN(const bool any, subscription_->Next(now, &message));
    if (!any && !subscription_->behind()) break;
    if (!any) continue;
    RETURN_IF_ERROR(Take(message.Flat()));
  }
  return Verdict();
}

void SimulatedSubscriber::Drain(ProcessingTime now) {
  if (subscription_ == nullptr || subscription_->mid_range()) return;
  Message message;
  subscription_->Drain(now, 10, &message);
  // A violation is found by the next Read.
  (void)Take(message.Flat());
  Cut();
}

// `judged_by_us`: the watermark by which it was said, nullopt if that is not
// known.
void SimulatedSubscriber::JudgeFinality(const std::vector<Datum>& row,
                                        RowFinality said,
                                        std::optional<int64_t> judged_by_us) {
  bool right = window_.has_value() == (said != RowFinality::kNone);
  if (right && window_.has_value() && judged_by_us.has_value()) {
    const int64_t end = row[window_->column].i + window_->add_us;
    right = (end > *judged_by_us) == (said == RowFinality::kProvisional);
  }
  if (!right && misjudged_.empty()) {
    misjudged_ = absl::StrCat("message ", messages_, " finality ",
                              static_cast<int>(said), " watermark ",
                              judged_by_us.value_or(0));
  }
}

void SimulatedSubscriber::TakeChange(absl::string_view change,
                                     std::optional<int64_t> judged_by_us) {
  HistoryEvent event;
  event.line = messages_;
  WireField field;
  std::vector<Datum> row(view_.schema.fields.size());
  while (!change.empty() && GetWireField(&change, &field)) {
    std::string key;
    if (field.number == 4) {
      event.finality = static_cast<RowFinality>(field.varint);
    } else if (field.number == 1) {
      event.kind = HistoryEvent::Kind::kUpsert;
      event.row = absl::BytesToHexString(field.bytes);
      if (!DecodeRow(view_.schema, field.bytes, absl::MakeSpan(row)).ok()) {
        event.kind = HistoryEvent::Kind::kError;
      }
      std::string message_key;
      EncodeKeyMessage(view_.schema, row, &message_key);
      if (!MessageToKey(view_.schema, message_key, &key).ok()) {
        event.kind = HistoryEvent::Kind::kError;
      }
    } else if (field.number == 2 || field.number == 3) {
      event.kind = field.number == 2 ? HistoryEvent::Kind::kDeleted
                                     : HistoryEvent::Kind::kLeft;
      if (!MessageToKey(view_.schema, field.bytes, &key).ok()) {
        event.kind = HistoryEvent::Kind::kError;
      }
    }
    if (!key.empty()) event.key = absl::BytesToHexString(key);
  }
  if (event.kind == HistoryEvent::Kind::kUpsert) {
    JudgeFinality(row, event.finality, judged_by_us);
  }
  checker_.Add(event);
}

absl::Status SimulatedSubscriber::Take(absl::string_view message) {
  ++messages_;
  const Response response = ReadResponse(message);
  HistoryEvent event;
  event.line = messages_;
  event.position = response.position;
  event.watermark_us = response.watermark_us;
  if (response.position.has_value() &&
      !response.position->incarnation.empty()) {
    incarnation_ = response.position->incarnation;
  }
  if (std::exchange(first_response_, false)) {
    HistoryEvent connect;
    connect.kind = HistoryEvent::Kind::kConnect;
    connect.line = messages_;
    connect.subject = view_.name;
    connect.token = token_;
    connect.position = response.position;
    checker_.Add(connect);
  }
  if (response.reset.has_value()) {
    event.kind = HistoryEvent::Kind::kReset;
    event.cause =
        std::string(ResetCauseName(static_cast<ResetCause>(*response.reset)));
    token_.clear();
    checker_.Add(event);
    return absl::OkStatus();
  }
  const bool judged_here = !response.snapshot && !response.fragment;
  for (const absl::string_view change : response.changes) {
    TakeChange(change, judged_here ? response.watermark_us : std::nullopt);
  }
  if (response.fragment) return absl::OkStatus();
  if (!response.token.empty()) token_ = response.token;
  event.token = token_;
  event.ranges = response.ranges;
  event.in_snapshot = response.snapshot;
  if (response.drain) {
    event.kind = HistoryEvent::Kind::kDrain;
  } else if (response.end) {
    event.kind = HistoryEvent::Kind::kSnapshotEnd;
  } else if (!response.ranges.empty() && !event.position.has_value()) {
    event.position = HistoryPosition{incarnation_, {}};
    for (const HistoryRange& range : response.ranges) {
      event.position->seqs[range.partition] = range.to;
    }
  }
  if (event.position.has_value() && !event.position->seqs.empty()) {
    seq_ = event.position->seqs.begin()->second;
  }
  checker_.Add(event);
  return absl::OkStatus();
}

absl::Status SimulatedSubscriber::Finish(MaterializedStore* store,
                                         ProcessingTime now) {
  RETURN_IF_ERROR(Read(store, now, kMaxMessagesToFinish));
  // A progress makes known what did not concern it.
  const ProcessingTime later(now.value() + 2 * kDefaultProgressMs * 1000);
  RETURN_IF_ERROR(Read(store, later, kMaxMessagesToFinish));
  if (seq_ != store->head().value()) {
    return absl::InternalError(absl::StrCat(
        "subscriber of ", view_.name, " ends at ", seq_.value_or(0),
        ", the store is at ", store->head().value()));
  }
  std::map<std::string, std::string> rows;
  const auto it = store->HeadView()->NewIterator(view_.id);
  for (it->Seek(""); it->Valid(); it->Next()) {
    rows[absl::BytesToHexString(it->key())] = absl::BytesToHexString(it->row());
  }
  RETURN_IF_ERROR(it->status());
  checker_.CompareFinal(rows);
  return Verdict();
}

}  // namespace tidegate::simulation
