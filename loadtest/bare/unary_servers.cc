#include "loadtest/bare/unary_servers.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "tidegate/v1/view_service.grpc.pb.h"

namespace tidegate::bare {
namespace {

constexpr uint32_t kEntries = 1;  // of GetResponse
constexpr uint32_t kRow = 1;      // of an entry
// Calls that are accepted ahead.
constexpr int kAhead = 100;

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// False if it cannot listen.
bool Listen(const UnaryOptions& options, grpc::Service* service, int* port,
            std::unique_ptr<grpc::ServerCompletionQueue>* queue,
            std::unique_ptr<grpc::Server>* server) {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           port);
  builder.RegisterService(service);
  if (queue != nullptr) *queue = builder.AddCompletionQueue();
  *server = builder.BuildAndStart();
  return *server != nullptr && *port != 0;
}

// No method is synchronous: such have threads and queues of their own.
using CallbackService = v1::ViewService::WithRawCallbackMethod_Get<
    v1::ViewService::WithCallbackMethod_ListViews<
        v1::ViewService::WithCallbackMethod_DescribeView<
            v1::ViewService::WithCallbackMethod_Subscribe<
                v1::ViewService::WithCallbackMethod_Scan<
                    v1::ViewService::WithCallbackMethod_Session<
                        v1::ViewService::Service>>>>>>;
using QueueService = v1::ViewService::WithRawMethod_Get<
    v1::ViewService::WithAsyncMethod_ListViews<
        v1::ViewService::WithAsyncMethod_DescribeView<
            v1::ViewService::WithAsyncMethod_Subscribe<
                v1::ViewService::WithAsyncMethod_Scan<
                    v1::ViewService::WithAsyncMethod_Session<
                        v1::ViewService::Service>>>>>>;

class CallbackUnaryServer : public UnaryServer, private CallbackService {
 public:
  explicit CallbackUnaryServer(const UnaryOptions& options)
      : reply_(ToBuffer(MakeReply(options.reply_bytes))) {}
  ~CallbackUnaryServer() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  bool Start(const UnaryOptions& options) {
    return Listen(options, this, &port_, nullptr, &server_);
  }
  int port() const override { return port_; }

 private:
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer*,
                                grpc::ByteBuffer* response) override {
    *response = reply_;
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const grpc::ByteBuffer reply_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// One call; of the queue's thread. Its operation under way has its address as
// tag.
struct Call {
  grpc::ServerContext context;
  grpc::ByteBuffer request;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer{&context};
  bool answered = false;
};

class QueueUnaryServer : public UnaryServer {
 public:
  explicit QueueUnaryServer(const UnaryOptions& options)
      : reply_(ToBuffer(MakeReply(options.reply_bytes))) {}
  ~QueueUnaryServer() override;
  bool Start(const UnaryOptions& options);
  int port() const override { return port_; }

 private:
  void Accept();
  void Drain();

  const grpc::ByteBuffer reply_;
  int port_ = 0;
  QueueService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

QueueUnaryServer::~QueueUnaryServer() {
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  if (queue_ != nullptr) queue_->Shutdown();
  if (thread_.joinable()) thread_.join();
}

bool QueueUnaryServer::Start(const UnaryOptions& options) {
  if (!Listen(options, &service_, &port_, &queue_, &server_)) return false;
  for (int i = 0; i < kAhead; ++i) Accept();
  thread_ = std::thread([this] { Drain(); });
  return true;
}

void QueueUnaryServer::Accept() {
  auto call = std::make_unique<Call>();
  Call* const tag = call.release();  // Drain deletes it
  service_.RequestGet(&tag->context, &tag->request, &tag->writer, queue_.get(),
                      queue_.get(), tag);
}

void QueueUnaryServer::Drain() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    std::unique_ptr<Call> call(static_cast<Call*>(tag));
    if (call->answered || !ok) continue;
    Accept();
    call->answered = true;
    Call* const under_way = call.release();
    under_way->writer.Finish(reply_, grpc::Status::OK, under_way);
  }
}

template <class Server>
absl::StatusOr<std::unique_ptr<UnaryServer>> Make(const UnaryOptions& options) {
  auto server = std::make_unique<Server>(options);
  if (!server->Start(options)) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen));
  }
  return server;
}

}  // namespace

std::string MakeReply(size_t bytes) {
  std::string reply;
  for (size_t row = bytes; reply.empty() || reply.size() > bytes; --row) {
    std::string entry;
    PutTag(&entry, kRow, WireType::kLengthDelimited);
    PutLengthPrefixed(&entry, std::string(row, 'x'));
    reply.clear();
    PutTag(&reply, kEntries, WireType::kLengthDelimited);
    PutLengthPrefixed(&reply, entry);
    if (row == 0) break;
  }
  return reply;
}

absl::StatusOr<std::unique_ptr<UnaryServer>> MakeCallbackUnaryServer(
    const UnaryOptions& options) {
  return Make<CallbackUnaryServer>(options);
}

absl::StatusOr<std::unique_ptr<UnaryServer>> MakeQueueUnaryServer(
    const UnaryOptions& options) {
  return Make<QueueUnaryServer>(options);
}

}  // namespace tidegate::bare
