#include "clients/cpp/session_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "clients/cpp/attempt_loop.h"
#include "clients/cpp/channel.h"
#include "clients/cpp/session_watch.h"
#include "clients/cpp/stream_cursor.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

using std::chrono::steady_clock;
using Stream =
    grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;
using Handler = std::function<bool(SessionEvent)>;

// One watch and its place in the present stream.
struct Entry {
  explicit Entry(WatchOptions options)
      : token(options.resume_token),
        cursor(options.resume_token),
        watch(std::move(options)) {}
  // Guarded by the client's mutex.
  std::string token;  // as of the last message taken
  bool open = false;  // the server has been, or is being, asked for it
  std::optional<steady_clock::time_point> open_at;  // refused: ask again then
  int failures = 0;                                 // in a row
  uint32_t wire_id = 0;
  // Of Run()'s thread.
  StreamCursor cursor;
  // Guarded as well.
  SessionWatch watch;
};

class GrpcSessionClient : public SessionClient {
 public:
  explicit GrpcSessionClient(const SessionClientOptions& options)
      : loop_(options) {}

  uint32_t AddWatch(WatchOptions options) override;
  void RemoveWatch(uint32_t watch) override;
  absl::StatusOr<uint64_t> ChangeKeys(uint32_t watch,
                                      std::vector<std::string> add,
                                      std::vector<std::string> remove) override;
  absl::Status Run(std::function<bool(SessionEvent)> handler) override;
  void Stop() override { loop_.Stop(); }
  void Disconnect() override { loop_.Disconnect(); }

 private:
  Ending RunStream(const std::shared_ptr<grpc::Channel>& channel,
                   grpc::ClientContext* context, const Handler& handler);
  void ReadStream(Stream* stream, const Handler& handler, Ending* ending);
  void WriteStream(Stream* stream);
  // What to do with what came; false ends the stream, and the ending says how.
  bool Take(v1::SessionResponse* response, const Handler& handler,
            Ending* ending);
  bool TakeUpdate(v1::SessionResponse::Update* update, const Handler& handler,
                  Ending* ending);
  bool TakeFailure(uint32_t id, const v1::Failure& failure,
                   const Handler& handler);
  bool TellApplied(uint32_t id, const std::vector<uint64_t>& requests,
                   bool by_snapshot, const Handler& handler);
  bool Broken(uint32_t id, const absl::Status& status, const Handler& handler,
              Ending* ending);

  void BeginStream();
  void EndStream();
  void Forget(Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open(Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Opens those whose time has come; when the next one's comes.
  std::optional<steady_clock::time_point> OpenDue()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(v1::SessionRequest request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  AttemptLoop loop_;

  Mutex mutex_;
  CondVar wake_;
  bool streaming_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint32_t, std::shared_ptr<Entry>> watches_ ABSL_GUARDED_BY(mutex_);
  // Of the present stream: ids are not used twice.
  std::map<uint32_t, uint32_t> by_wire_id_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::SessionRequest> outbox_ ABSL_GUARDED_BY(mutex_);
  uint32_t last_watch_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t last_wire_id_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_request_ ABSL_GUARDED_BY(mutex_) = 0;
};

uint32_t GrpcSessionClient::AddWatch(WatchOptions options) {
  MutexLock lock(&mutex_);
  const uint32_t id = ++last_watch_;
  const auto entry = std::make_shared<Entry>(std::move(options));
  watches_[id] = entry;
  if (streaming_) Open(entry.get());
  return id;
}

void GrpcSessionClient::RemoveWatch(uint32_t watch) {
  MutexLock lock(&mutex_);
  const auto at = watches_.find(watch);
  if (at == watches_.end()) return;
  if (streaming_ && at->second->open) {
    v1::SessionRequest request;
    request.set_unwatch(at->second->wire_id);
    by_wire_id_.erase(at->second->wire_id);
    Send(std::move(request));
  }
  watches_.erase(at);
}

absl::StatusOr<uint64_t> GrpcSessionClient::ChangeKeys(
    uint32_t watch, std::vector<std::string> add,
    std::vector<std::string> remove) {
  MutexLock lock(&mutex_);
  const auto at = watches_.find(watch);
  if (at == watches_.end()) {
    return absl::NotFoundError(absl::StrCat("no watch ", watch));
  }
  Entry& entry = *at->second;
  if (!entry.watch.keyed()) {
    return absl::InvalidArgumentError(
        absl::StrCat("watch ", watch, " has no keys"));
  }
  if (entry.watch.pending() >= kMaxPendingKeyRequests) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "too many requests for keys wait, limit ", kMaxPendingKeyRequests));
  }
  const uint64_t request = ++last_request_;
  entry.watch.Ask(request, std::move(add), std::move(remove));
  if (!streaming_) return request;
  if (entry.open) {
    Send(entry.watch.LastRequest(entry.wire_id));
  } else if (!entry.open_at.has_value()) {
    Open(&entry);
  }
  return request;
}

void GrpcSessionClient::Send(v1::SessionRequest request) {
  outbox_.push_back(std::move(request));
  wake_.SignalAll();
}

// A new stream: what the watch was sent and had not completed is dropped.
void GrpcSessionClient::Forget(Entry* entry) {
  entry->open = false;
  entry->open_at.reset();
  if (!entry->watch.HasKeys()) {
    entry->token.clear();
    entry->cursor = StreamCursor("");
  }
  entry->cursor.BeginStream();
}

void GrpcSessionClient::Open(Entry* entry) {
  entry->open_at.reset();
  entry->watch.Forget();
  if (!entry->watch.HasKeys()) return;
  entry->open = true;
  entry->wire_id = ++last_wire_id_;
  for (const auto& [id, other] : watches_) {
    if (other.get() == entry) by_wire_id_[entry->wire_id] = id;
  }
  Send(entry->watch.Opening(entry->wire_id, entry->token));
  for (v1::SessionRequest& request : entry->watch.Requests(entry->wire_id)) {
    Send(std::move(request));
  }
}

void GrpcSessionClient::BeginStream() {
  MutexLock lock(&mutex_);
  streaming_ = true;
  outbox_.clear();
  by_wire_id_.clear();
  last_wire_id_ = 0;
  for (const auto& [id, entry] : watches_) {
    Forget(entry.get());
    Open(entry.get());
  }
}

void GrpcSessionClient::EndStream() {
  MutexLock lock(&mutex_);
  streaming_ = false;
  wake_.SignalAll();
}

std::optional<steady_clock::time_point> GrpcSessionClient::OpenDue() {
  std::optional<steady_clock::time_point> next;
  for (const auto& [id, entry] : watches_) {
    if (!entry->open_at.has_value()) continue;
    if (*entry->open_at <= steady_clock::now()) {
      Open(entry.get());
    } else if (!next.has_value() || *entry->open_at < *next) {
      next = entry->open_at;
    }
  }
  return next;
}

void GrpcSessionClient::WriteStream(Stream* stream) {
  while (true) {
    v1::SessionRequest request;
    {
      MutexLock lock(&mutex_);
      while (streaming_) {
        const auto next = OpenDue();
        if (!outbox_.empty()) break;
        if (!next.has_value()) {
          wake_.Wait(&mutex_);
          continue;
        }
        const auto left = *next - steady_clock::now();
        wake_.WaitFor(
            &mutex_,
            std::max(std::chrono::microseconds(1),
                     std::chrono::ceil<std::chrono::microseconds>(left)));
      }
      if (!streaming_) return;
      request = std::move(outbox_.front());
      outbox_.pop_front();
    }
    if (!stream->Write(request)) return;  // reading tells how it ended
  }
}

Ending GrpcSessionClient::RunStream(
    const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context,
    const Handler& handler) {
  BeginStream();
  const auto stub = v1::ViewService::NewStub(channel);
  const auto stream = stub->Session(context);
  std::thread writer([this, &stream] { WriteStream(stream.get()); });
  Ending ending;
  ReadStream(stream.get(), handler, &ending);
  if (ending.done) context->TryCancel();
  EndStream();
  writer.join();
  EndWith(stream->Finish(), &ending);
  return ending;
}

void GrpcSessionClient::ReadStream(Stream* stream, const Handler& handler,
                                   Ending* ending) {
  v1::SessionResponse response;
  while (stream->Read(&response)) {
    ending->answered = true;
    if (!Take(&response, handler, ending)) {
      ending->done = true;
      return;
    }
    response.Clear();
  }
}

bool GrpcSessionClient::Take(v1::SessionResponse* response,
                             const Handler& handler, Ending* ending) {
  for (v1::SessionResponse::Update& update : *response->mutable_updates()) {
    if (!TakeUpdate(&update, handler, ending)) return false;
  }
  if (!response->has_drain()) return true;
  SessionEvent event;
  event.kind = SessionEvent::Kind::kSession;
  event.event.kind = Event::Kind::kDrain;
  const auto& after = response->drain().retry_after();
  event.event.retry_after_ms =
      after.seconds() * 1000 + after.nanos() / 1'000'000;
  ending->retry_after_ms = event.event.retry_after_ms;
  return handler(std::move(event));
}

bool GrpcSessionClient::TakeUpdate(v1::SessionResponse::Update* update,
                                   const Handler& handler, Ending* ending) {
  uint32_t id = 0;
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(&mutex_);
    const auto at = by_wire_id_.find(update->id());
    if (at == by_wire_id_.end()) return true;  // it was removed meanwhile
    id = at->second;
    entry = watches_.at(id);
  }
  bool going = true;
  if (update->has_response()) {
    bool snapshot_ended = false;
    const absl::Status taken = entry->cursor.Take(
        std::move(*update->mutable_response()), [&](Event event) {
          if (!going) return;
          snapshot_ended = event.kind == Event::Kind::kSnapshotEnd;
          SessionEvent out;
          out.watch = id;
          out.event = std::move(event);
          going = handler(std::move(out));
        });
    if (!going) return false;
    if (!taken.ok()) return Broken(id, taken, handler, ending);
    std::vector<uint64_t> applied;
    {
      MutexLock lock(&mutex_);
      entry->token = entry->cursor.token();
      entry->failures = 0;
      if (snapshot_ended) applied = entry->watch.SnapshotEnded();
    }
    if (!TellApplied(id, applied, /*by_snapshot=*/true, handler)) return false;
  }
  if (update->keys_applied() != 0) {
    absl::Status applied;
    {
      MutexLock lock(&mutex_);
      applied = entry->watch.Applied(update->keys_applied());
    }
    if (!applied.ok()) return Broken(id, applied, handler, ending);
    if (!TellApplied(id, {update->keys_applied()}, /*by_snapshot=*/false,
                     handler)) {
      return false;
    }
  }
  return !update->has_failure() || TakeFailure(id, update->failure(), handler);
}

bool GrpcSessionClient::TellApplied(uint32_t id,
                                    const std::vector<uint64_t>& requests,
                                    bool by_snapshot, const Handler& handler) {
  for (const uint64_t request : requests) {
    SessionEvent event;
    event.kind = SessionEvent::Kind::kKeysApplied;
    event.watch = id;
    event.request = request;
    event.by_snapshot = by_snapshot;
    if (!handler(std::move(event))) return false;
  }
  return true;
}

bool GrpcSessionClient::Broken(uint32_t id, const absl::Status& status,
                               const Handler& handler, Ending* ending) {
  SessionEvent event;
  event.watch = id;
  event.event.kind = Event::Kind::kBroken;
  event.event.detail = std::string(status.message());
  handler(std::move(event));
  ending->status = status;
  return false;
}

bool GrpcSessionClient::TakeFailure(uint32_t id, const v1::Failure& failure,
                                    const Handler& handler) {
  SessionEvent event;
  event.watch = id;
  const absl::Status status(static_cast<absl::StatusCode>(failure.code()),
                            failure.message());
  {
    MutexLock lock(&mutex_);
    const auto at = watches_.find(id);
    if (at == watches_.end()) return true;
    Entry& entry = *at->second;
    by_wire_id_.erase(entry.wire_id);
    if (IsPermanent(status)) {
      event.kind = SessionEvent::Kind::kFailed;
      event.failure = status;
      watches_.erase(at);
    } else {
      Forget(&entry);
      event.event.kind = Event::Kind::kDisconnected;
      event.event.detail = std::string(status.message());
      event.event.retry_after_ms = loop_.NextBackoffMs(++entry.failures);
      entry.open_at = steady_clock::now() +
                      std::chrono::milliseconds(event.event.retry_after_ms);
      wake_.SignalAll();
    }
  }
  return handler(std::move(event));
}

absl::Status GrpcSessionClient::Run(Handler handler) {
  return loop_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context) {
        return RunStream(channel, context, handler);
      },
      [&](Event lost) {
        SessionEvent event;
        event.kind = SessionEvent::Kind::kSession;
        event.event = std::move(lost);
        return handler(std::move(event));
      });
}

}  // namespace

std::unique_ptr<SessionClient> SessionClient::Create(
    const SessionClientOptions& options) {
  return std::make_unique<GrpcSessionClient>(options);
}

}  // namespace tidegate::client
