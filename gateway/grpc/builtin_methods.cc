#include "gateway/grpc/builtin_methods.h"

#include <optional>
#include <utility>

#include "base/status_macros.h"

namespace tidegate {
namespace {

// A stream without watches.
class PlainStream : public Stream {
 public:
  void Woken(Watch* /*watch*/) override {}
  ProcessingTime due() const override { return kNever; }
  bool awaits_rows() const override { return false; }
  bool behind() const override { return false; }
  void SetBlocked(bool /*blocked*/) override {}
  bool mid_range() const override { return false; }
};

// Answers one request after the other.
class ReflectionStream : public PlainStream {
 public:
  absl::StatusOr<bool> Next(ProcessingTime /*now*/, Message* message) override {
    if (!answer_.has_value()) return false;
    message->own = *std::exchange(answer_, std::nullopt);
    return true;
  }
  // Its clients ask again; an empty message would answer nothing.
  void Drain(ProcessingTime /*now*/, int64_t /*retry_after_ms*/,
             Message* message) override {
    message->own = answer_.value_or("");
  }
  bool free() const { return !answer_.has_value(); }
  void Answer(std::string answer) { answer_ = std::move(answer); }

 private:
  std::optional<std::string> answer_;
};

}  // namespace

class BuiltinMethods::HealthWatch : public PlainStream {
 public:
  HealthWatch(BuiltinMethods* owner, CallThread* thread, std::string request)
      : owner_(owner), thread_(thread), request_(std::move(request)) {
    MutexLock lock(&owner_->mutex_);
    owner_->watches_[thread_].insert(this);
  }
  ~HealthWatch() override {
    MutexLock lock(&owner_->mutex_);
    owner_->watches_[thread_].erase(this);
  }
  absl::StatusOr<bool> Next(ProcessingTime /*now*/, Message* message) override {
    ASSIGN_OR_RETURN(message->own, owner_->health_.Watch(request_));
    if (message->own == said_) return false;
    said_ = message->own;
    return true;
  }
  void Drain(ProcessingTime /*now*/, int64_t /*retry_after_ms*/,
             Message* message) override {
    // It was well-formed when the stream was opened.
    message->own = owner_->health_.Watch(request_).value_or("");
  }

 private:
  BuiltinMethods* const owner_;
  CallThread* const thread_;
  const std::string request_;
  std::optional<std::string> said_;
};

BuiltinMethods::BuiltinMethods(const google::protobuf::DescriptorPool* pool,
                               const std::vector<std::string>& services)
    : health_(services), reflection_(pool, services) {}

BuiltinMethods::~BuiltinMethods() = default;

void BuiltinMethods::AddMethods(MethodTable* methods) {
  AddHealth(methods);
  AddReflection(methods);
}

void BuiltinMethods::AddHealth(MethodTable* methods) {
  (*methods)["/grpc.health.v1.Health/Check"].unary =
      [this](const UnaryCall& call, const Method::Reply& reply) {
        reply(health_.Check(call.request));
      };
  (*methods)["/grpc.health.v1.Health/Watch"].open =
      [this](CallThread* thread, const std::string& request,
             WatchRegistry*) -> absl::StatusOr<std::unique_ptr<Stream>> {
    RETURN_IF_ERROR(health_.Watch(request).status());
    return std::make_unique<HealthWatch>(this, thread, request);
  };
}

void BuiltinMethods::AddReflection(MethodTable* methods) {
  for (const char* name :
       {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    Method& method = (*methods)[name];
    method.open = [](CallThread*, const std::string&, WatchRegistry*) {
      return std::make_unique<ReflectionStream>();
    };
    method.on_request = [this](CallThread*, Stream* stream,
                               const std::string& request) -> absl::Status {
      ASSIGN_OR_RETURN(std::string answer, reflection_.Answer(request));
      static_cast<ReflectionStream*>(stream)->Answer(std::move(answer));
      return absl::OkStatus();
    };
    method.accepts_requests = [](const Stream& stream) {
      return static_cast<const ReflectionStream&>(stream).free();
    };
  }
}

void BuiltinMethods::SetServing(bool serving) {
  if (health_.serving() == serving) return;
  health_.SetServing(serving);
  MutexLock lock(&mutex_);
  for (const auto& [thread, streams] : watches_) {
    thread->Post([this, thread = thread] {
      std::vector<StreamId> ids;
      {
        MutexLock lock(&mutex_);
        for (const HealthWatch* stream : watches_[thread]) {
          ids.push_back(stream->id());
        }
      }
      for (const StreamId id : ids) {
        thread->fan_out().Kick(id, thread->Now());
      }
    });
  }
}

}  // namespace tidegate
