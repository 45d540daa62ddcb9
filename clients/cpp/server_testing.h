// For tests: a server that plays what it is told, apart from the real one.
#ifndef TIDEGATE_CLIENTS_CPP_SERVER_TESTING_H_
#define TIDEGATE_CLIENTS_CPP_SERVER_TESTING_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::client {

using SubscribeWriter = grpc::ServerWriter<v1::SubscribeResponse>;
using SessionStream =
    grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>;

// Serves on a port of 127.0.0.1 for as long as it lives. The last member of
// what it serves, so that it goes first.
class Listener {
 public:
  explicit Listener(
      grpc::Service* service, int port = 0,
      std::shared_ptr<grpc::ServerCredentials> credentials = nullptr) {
    if (credentials == nullptr) {
      credentials = grpc::InsecureServerCredentials();
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), credentials,
                             &port_);
    builder.RegisterService(service);
    server_ = builder.BuildAndStart();
  }
  ~Listener() {
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now());
    }
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int port() const { return port_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

inline grpc::Status Cut() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
}

using SubscribeScripts = std::vector<
    std::function<grpc::Status(grpc::ServerContext*, SubscribeWriter*)>>;
using SessionScripts = std::vector<
    std::function<grpc::Status(grpc::ServerContext*, SessionStream*)>>;

// Plays one script per stream, in order; refuses further streams for good.
class ScriptedServer : public v1::ViewService::Service {
 public:
  explicit ScriptedServer(SubscribeScripts scripts, int port = 0)
      : subscribes_(std::move(scripts)), listener_(this, port) {}
  explicit ScriptedServer(SessionScripts scripts)
      : sessions_(std::move(scripts)), listener_(this) {}

  std::string address() const { return listener_.address(); }
  int port() const { return listener_.port(); }
  // Of the subscriptions so far.
  std::vector<std::string> tokens() {
    MutexLock lock(&mutex_);
    return tokens_;
  }
  v1::SubscribeRequest last_request() {
    MutexLock lock(&mutex_);
    return last_request_;
  }
  // What DescribeView answers from now on; before, it is UNAVAILABLE `failures`
  // times.
  void Describe(v1::DescribeViewResponse description, int failures = 0) {
    MutexLock lock(&mutex_);
    description_ = std::move(description);
    describe_failures_ = failures;
  }
  // What every Get and Scan answers from now on.
  void Answer(v1::GetResponse get, v1::ScanResponse scan) {
    MutexLock lock(&mutex_);
    get_ = std::move(get);
    scan_ = std::move(scan);
  }

  grpc::Status Subscribe(grpc::ServerContext* context,
                         const v1::SubscribeRequest* request,
                         SubscribeWriter* writer) override {
    SubscribeScripts::value_type script;
    {
      MutexLock lock(&mutex_);
      if (tokens_.size() < subscribes_.size()) {
        script = subscribes_[tokens_.size()];
      }
      tokens_.push_back(request->resume_token());
      last_request_ = *request;
    }
    return script == nullptr ? Over() : script(context, writer);
  }

  grpc::Status Session(grpc::ServerContext* context,
                       SessionStream* stream) override {
    SessionScripts::value_type script;
    {
      MutexLock lock(&mutex_);
      if (streams_ < sessions_.size()) script = sessions_[streams_++];
    }
    return script == nullptr ? Over() : script(context, stream);
  }

  grpc::Status DescribeView(grpc::ServerContext*,
                            const v1::DescribeViewRequest*,
                            v1::DescribeViewResponse* response) override {
    MutexLock lock(&mutex_);
    if (describe_failures_ > 0) {
      --describe_failures_;
      return Cut();
    }
    *response = description_;
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest*,
                   v1::GetResponse* response) override {
    MutexLock lock(&mutex_);
    *response = get_;
    return grpc::Status::OK;
  }
  grpc::Status Scan(grpc::ServerContext*, const v1::ScanRequest*,
                    v1::ScanResponse* response) override {
    MutexLock lock(&mutex_);
    *response = scan_;
    return grpc::Status::OK;
  }

 private:
  static grpc::Status Over() {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "script is over");
  }

  const SubscribeScripts subscribes_;
  const SessionScripts sessions_;
  Mutex mutex_;
  std::vector<std::string> tokens_ ABSL_GUARDED_BY(mutex_);
  v1::SubscribeRequest last_request_ ABSL_GUARDED_BY(mutex_);
  size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::DescribeViewResponse description_ ABSL_GUARDED_BY(mutex_);
  int describe_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::GetResponse get_ ABSL_GUARDED_BY(mutex_);
  v1::ScanResponse scan_ ABSL_GUARDED_BY(mutex_);
  Listener listener_;
};

// A snapshot's end at `seq`, whose token is "t" and that number.
inline v1::SubscribeResponse End(uint64_t seq) {
  v1::SubscribeResponse response;
  response.mutable_position()->set_incarnation("i1");
  response.mutable_position()->add_partitions()->set_seq(seq);
  response.set_snapshot_end(true);
  response.set_resume_token(absl::StrCat("t", seq));
  return response;
}

inline v1::SubscribeResponse Delta(uint64_t from, uint64_t to) {
  v1::SubscribeResponse response;
  response.add_ranges()->set_from(from);
  response.mutable_ranges(0)->set_to(to);
  response.set_resume_token(absl::StrCat("t", to));
  return response;
}

// The next request as text: "watch 1 v keys=a,b token=t5", "keys 1 r3 +c -a".
inline std::string Asked(SessionStream* stream) {
  v1::SessionRequest request;
  if (!stream->Read(&request)) return "end";
  if (request.has_watch()) {
    const v1::SubscribeRequest& to = request.watch().subscribe();
    std::string text =
        absl::StrCat("watch ", request.watch().id(), " ", to.view());
    for (const std::string& key : to.keys()) absl::StrAppend(&text, " ", key);
    if (!to.where().empty()) absl::StrAppend(&text, " where ", to.where());
    return absl::StrCat(text, " token=", to.resume_token());
  }
  if (request.has_keys()) {
    std::string text =
        absl::StrCat("keys ", request.keys().id(), " r", request.request());
    for (const auto& key : request.keys().add())
      absl::StrAppend(&text, " +", key);
    for (const auto& key : request.keys().remove()) {
      absl::StrAppend(&text, " -", key);
    }
    return text;
  }
  return absl::StrCat("unwatch ", request.unwatch());
}

inline void SendUpdate(SessionStream* stream, uint32_t id,
                       const v1::SubscribeResponse& response,
                       uint64_t applied = 0) {
  v1::SessionResponse out;
  v1::SessionResponse::Update* const update = out.add_updates();
  update->set_id(id);
  *update->mutable_response() = response;
  update->set_keys_applied(applied);
  stream->Write(out);
}

inline void SendFailure(SessionStream* stream, uint32_t id,
                        grpc::StatusCode code) {
  v1::SessionResponse out;
  v1::SessionResponse::Update* const update = out.add_updates();
  update->set_id(id);
  update->mutable_failure()->set_code(code);
  update->mutable_failure()->set_message("no");
  stream->Write(out);
}

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_SERVER_TESTING_H_
