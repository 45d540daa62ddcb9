#include "gateway/grpc/call.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/grpc/status.h"
#include "grpc/slice.h"
#include "grpcpp/support/slice.h"

namespace tidegate {
namespace {

// Up to this a copy costs less than a reference.
constexpr size_t kMaxCopyBytes = 2048;

grpc::Slice OwningSlice(SharedBytes bytes) {
  auto* const holder = new SharedBytes(std::move(bytes));
  return grpc::Slice(
      const_cast<char*>((*holder)->data()), (*holder)->size(),
      [](void* data) { delete static_cast<SharedBytes*>(data); }, holder);
}

grpc::Slice OwnSlice(std::string bytes) {
  if (bytes.size() <= kMaxCopyBytes) return grpc::Slice(bytes);
  return OwningSlice(std::make_shared<const std::string>(std::move(bytes)));
}

// Both parts in a piece of memory of its own.
grpc::Slice CopiedSlice(const Message& message) {
  grpc_slice slice = grpc_slice_malloc(message.size());
  uint8_t* to = GRPC_SLICE_START_PTR(slice);
  if (message.shared != nullptr) {
    to = std::copy(message.shared->begin(), message.shared->end(), to);
  }
  std::copy(message.own.begin(), message.own.end(), to);
  return {slice, grpc::Slice::STEAL_REF};
}

std::string Flatten(const grpc::ByteBuffer& buffer) {
  std::string flat;
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return flat;
  flat.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return flat;
}

}  // namespace

std::string PeerAddress(absl::string_view peer) {
  return std::string(peer.substr(0, peer.rfind(':')));
}

grpc::ByteBuffer ToByteBuffer(Message message) {
  if (message.size() <= kMaxCopyBytes) {
    const grpc::Slice slice = CopiedSlice(message);
    return {&slice, 1};
  }
  const grpc::Slice own = OwnSlice(std::move(message.own));
  if (message.shared == nullptr) return {&own, 1};
  const grpc::Slice slices[] = {OwningSlice(std::move(message.shared)), own};
  return grpc::ByteBuffer(slices, slices[1].size() == 0 ? 1 : 2);
}

Call::Call(CallHost* host) : host_(host) {
  context_.AsyncNotifyWhenDone(&done_);
}

void Call::Expect(CallHost* host) {
  Call* const call = new Call(host);
  if (!host->Request(&call->context_, &call->stream_, &call->accept_)) {
    delete call;
  }
}

bool Call::Begin() {
  if (host_->closed()) return false;
  ++pending_;
  return true;
}

void Call::On(Event event, bool ok) {
  if (event == Event::kAccept) {
    if (!ok) {  // the server is shut down: no other event comes
      delete this;
      return;
    }
    host_->Accepted();
    OnAccept();
    return;
  }
  if (event != Event::kDone) --pending_;
  switch (event) {
    case Event::kRead:
      reading_ = false;
      ok ? OnRequest() : OnHalfClose();
      break;
    case Event::kWrite:
      OnWritten(ok);
      break;
    case Event::kDone:
      OnDone();
      break;
    case Event::kAccept:
    case Event::kHeaders:
    case Event::kFinish:
      break;
  }
  DeleteIfOver();
}

void Call::DeleteIfOver() {
  if (over_ && pending_ == 0) delete this;
}

void Call::OnAccept() {
  const auto at = host_->methods().find(context_.method());
  if (at == host_->methods().end()) {
    FinishWith(host_->Refusal(absl::UnimplementedError(
        absl::StrCat("no method ", context_.method(), " here"))));
    return;
  }
  method_ = &at->second;
  if (method_->on_request == nullptr) return Read();
  OpenStream("");
  if (finished_) return;
  // No message may come for long, and clients may wait for the headers.
  if (Begin()) stream_.SendInitialMetadata(&headers_);
  Read();
}

void Call::Read() {
  if (reading_ || half_closed_ || finished_ || over_ || !Begin()) return;
  reading_ = true;
  stream_.Read(&request_, &read_);
}

void Call::OnRequest() {
  if (finished_ || over_) return;
  std::string request = Flatten(request_);
  request_.Clear();
  if (method_->unary != nullptr) return StartUnary(std::move(request));
  if (method_->on_request == nullptr) return OpenStream(request);
  Stream* const stream = host_->fan_out().Find(stream_id_);
  if (stream == nullptr) return;
  const absl::Status status = method_->on_request(host_, stream, request);
  if (!status.ok()) {
    host_->fan_out().Gone(stream_id_);
    stream_id_ = 0;
    FinishWith(host_->Refusal(status));
    return;
  }
  host_->fan_out().Kick(stream_id_, host_->Now());
  if (method_->accepts_requests(*stream)) Read();
}

void Call::OnHalfClose() {
  half_closed_ = true;
  if (finished_ || over_) return;
  if (stream_id_ != 0) return host_->fan_out().Close(stream_id_, host_->Now());
  FinishWith(host_->Refusal(
      absl::InvalidArgumentError("the call came without a request")));
}

void Call::StartUnary(std::string request) {
  ++pending_;  // for the reply
  UnaryCall call;
  call.thread = host_;
  call.request = std::move(request);
  call.deadline = Deadline();
  method_->unary(std::move(call), [this](absl::StatusOr<std::string> answer) {
    Reply(std::move(answer));
  });
}

ProcessingTime Call::Deadline() const {
  const auto deadline = context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return kNever;
  return ProcessingTime(std::chrono::duration_cast<std::chrono::microseconds>(
                            deadline.time_since_epoch())
                            .count());
}

// May run within OnRequest, which holds an event: the call outlives it.
void Call::Reply(absl::StatusOr<std::string> answer) {
  --pending_;
  if (!over_ && answer.ok()) {
    if (Begin()) {
      finished_ = true;
      Message message;
      message.own = *std::move(answer);
      stream_.WriteAndFinish(ToByteBuffer(std::move(message)),
                             grpc::WriteOptions(), grpc::Status::OK, &finish_);
    }
  } else if (!over_) {
    FinishWith(host_->Refusal(answer.status()));
  }
  DeleteIfOver();
}

void Call::OpenStream(const std::string& request) {
  const absl::StatusOr<StreamId> id = host_->fan_out().Open(
      [&](WatchRegistry* registry) {
        return method_->open(host_, request, registry);
      },
      this, PeerAddress(context_.peer()), host_->Now());
  if (id.ok()) {
    stream_id_ = *id;
  } else {
    FinishWith(host_->Refusal(id.status()));
  }
}

void Call::Write(Message message) {
  if (!Begin()) return;
  stream_.Write(ToByteBuffer(std::move(message)), &write_);
}

void Call::OnWritten(bool ok) {
  if (stream_id_ == 0) return;
  if (!ok) {  // the last event follows
    host_->fan_out().Gone(stream_id_);
    stream_id_ = 0;
    return;
  }
  host_->fan_out().Written(stream_id_, host_->Now());
  if (stream_id_ == 0 || method_->on_request == nullptr) return;
  const Stream* const stream = host_->fan_out().Find(stream_id_);
  if (stream != nullptr && method_->accepts_requests(*stream)) Read();
}

void Call::Finish(const absl::Status& status, int64_t retry_after_ms) {
  stream_id_ = 0;
  FinishWith(retry_after_ms >= 0 ? ToGrpcWithRetry(status, retry_after_ms)
                                 : host_->Refusal(status));
}

void Call::FinishWith(const grpc::Status& status) {
  if (finished_ || !Begin()) return;
  finished_ = true;
  stream_.Finish(status, &finish_);
}

void Call::OnDone() {
  over_ = true;
  if (stream_id_ == 0) return;
  host_->StreamCut();
  host_->fan_out().Gone(stream_id_);
  stream_id_ = 0;
}

}  // namespace tidegate
