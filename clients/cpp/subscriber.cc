#include "clients/cpp/subscriber.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "clients/cpp/attempt_loop.h"
#include "clients/cpp/channel.h"
#include "clients/cpp/stream_cursor.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {
namespace {

using Handler = std::function<bool(Event)>;

class GrpcSubscriber : public Subscriber {
 public:
  explicit GrpcSubscriber(SubscriberOptions options)
      : options_(std::move(options)),
        loop_(options_),
        cursor_(options_.resume_token) {}

  absl::Status Run(Handler handler) override;
  void Stop() override { loop_.Stop(); }
  void Disconnect() override { loop_.Disconnect(); }

 private:
  Ending RunStream(const std::shared_ptr<grpc::Channel>& channel,
                   grpc::ClientContext* context, const Handler& handler);
  void ReadStream(grpc::ClientReader<v1::SubscribeResponse>* reader,
                  const Handler& handler, Ending* ending);
  v1::SubscribeRequest MakeRequest() const;

  const SubscriberOptions options_;
  AttemptLoop loop_;
  StreamCursor cursor_;  // Run()'s thread
};

v1::SubscribeRequest GrpcSubscriber::MakeRequest() const {
  v1::SubscribeRequest request;
  request.set_view(options_.view);
  for (const std::string& key : options_.keys) request.add_keys(key);
  request.set_key_prefix(options_.key_prefix);
  request.set_where(options_.where);
  request.set_resume_token(cursor_.token());
  if (options_.min_interval_ms > 0) {
    SetMillis(options_.min_interval_ms, request.mutable_min_interval());
  }
  if (options_.progress_interval_ms > 0) {
    SetMillis(options_.progress_interval_ms,
              request.mutable_progress_interval());
  }
  return request;
}

absl::Status GrpcSubscriber::Run(Handler handler) {
  return loop_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context) {
        return RunStream(channel, context, handler);
      },
      handler);
}

Ending GrpcSubscriber::RunStream(const std::shared_ptr<grpc::Channel>& channel,
                                 grpc::ClientContext* context,
                                 const Handler& handler) {
  cursor_.BeginStream();
  const auto stub = v1::ViewService::NewStub(channel);
  const auto reader = stub->Subscribe(context, MakeRequest());
  Ending ending;
  ReadStream(reader.get(), handler, &ending);
  if (ending.done) context->TryCancel();
  EndWith(reader->Finish(), &ending);
  return ending;
}

void GrpcSubscriber::ReadStream(
    grpc::ClientReader<v1::SubscribeResponse>* reader, const Handler& handler,
    Ending* ending) {
  v1::SubscribeResponse response;
  while (!ending->done && reader->Read(&response)) {
    ending->answered = true;
    const absl::Status taken =
        cursor_.Take(std::move(response), [&](Event event) {
          if (ending->done) return;
          if (event.kind == Event::Kind::kDrain) {
            ending->retry_after_ms = event.retry_after_ms;
          }
          if (!handler(std::move(event))) ending->done = true;
        });
    if (!taken.ok() && !ending->done) {
      Event broken;
      broken.kind = Event::Kind::kBroken;
      broken.detail = std::string(taken.message());
      handler(std::move(broken));
      ending->done = true;
      ending->status = taken;
    }
    response.Clear();
  }
}

}  // namespace

std::unique_ptr<Subscriber> Subscriber::Create(SubscriberOptions options) {
  return std::make_unique<GrpcSubscriber>(std::move(options));
}

}  // namespace tidegate::client
