// The queue's thread with methods of the test's own.
#include "gateway/grpc/push_thread.h"

#include <future>

#include "gateway/core/fan_out_testing.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

// Answers each request with itself, one at a time.
class Echo : public Stream {
 public:
  absl::StatusOr<bool> Next(ProcessingTime, Message* message) override {
    if (!answer_) return false;
    message->own = *std::exchange(answer_, std::nullopt);
    return true;
  }
  void Woken(Watch*) override {}
  ProcessingTime due() const override { return kNever; }
  bool awaits_rows() const override { return false; }
  bool behind() const override { return false; }
  void SetBlocked(bool) override {}
  bool mid_range() const override { return false; }
  void Drain(ProcessingTime, int64_t, Message* message) override {
    message->own = "farewell";
  }
  void Take(const std::string& request) { answer_ = request; }
  bool free() const { return !answer_.has_value(); }

 private:
  std::optional<std::string> answer_;
};

class PushThreadTest : public testing::Test, public FanOutWorld {
 protected:
  PushThreadTest() {
    methods_["/t/Echo"].unary = [](const UnaryCall& call,
                                   const Method::Reply& reply) {
      reply(call.request);
    };
    methods_["/t/Elsewhere"].unary = [](const UnaryCall& call,
                                        const Method::Reply& reply) {
      CallThread* const thread = call.thread;
      if (!thread->RunElsewhere([thread, reply, request = call.request] {
            thread->Post([reply, request] { reply(request); });
          })) {
        reply(absl::ResourceExhaustedError("too many"));
      }
    };
    Method& bidi = methods_["/t/EchoAll"];
    bidi.open = [](CallThread*, const std::string&, WatchRegistry*) {
      return std::make_unique<Echo>();
    };
    bidi.on_request = [](CallThread*, Stream* stream,
                         const std::string& request) {
      if (request == "wrong") return absl::InvalidArgumentError("wrong");
      static_cast<Echo*>(stream)->Take(request);
      return absl::OkStatus();
    };
    bidi.accepts_requests = [](const Stream& stream) {
      return static_cast<const Echo&>(stream).free();
    };
  }
  ~PushThreadTest() override { StopAll(); }

  void StartServer(size_t threads = 1) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterAsyncGenericService(&service_);
    for (size_t i = 0; i < threads; ++i) {
      PushThreadOptions options;
      options.hub = &hub;
      options.stats = &stats;
      options.clock = Clock::System();
      options.methods = &methods_;
      options.workers = &workers_;
      options.on_tick = [](ProcessingTime) {};
      threads_.push_back(
          std::make_unique<PushThread>(options, builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    for (const auto& thread : threads_) thread->Start(&service_);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                                   grpc::InsecureChannelCredentials());
  }
  void StopAll() {
    if (server_ == nullptr) return;
    for (const auto& thread : threads_) thread->StopAccepting();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    workers_.Stop();
    threads_.clear();
    server_.reset();
  }

  static grpc::ByteBuffer Bytes(const std::string& text) {
    const grpc::Slice slice(text);
    return grpc::ByteBuffer(&slice, 1);
  }
  static std::string Text(const grpc::ByteBuffer& bytes) {
    grpc::Slice slice;
    if (!bytes.DumpToSingleSlice(&slice).ok()) return "";
    return std::string(reinterpret_cast<const char*>(slice.begin()),
                       slice.size());
  }
  struct UnaryResult {
    grpc::ClientContext context;
    grpc::ByteBuffer request, response;
    std::promise<grpc::Status> status;
  };
  std::unique_ptr<UnaryResult> StartUnary(const std::string& method,
                                          const std::string& request) {
    auto result = std::make_unique<UnaryResult>();
    result->context.set_deadline(std::chrono::system_clock::now() +
                                 std::chrono::seconds(30));
    result->request = Bytes(request);
    grpc::GenericStub stub(channel_);
    stub.UnaryCall(&result->context, method, grpc::StubOptions(),
                   &result->request, &result->response,
                   [raw = result.get()](const grpc::Status& status) {
                     raw->status.set_value(status);
                   });
    return result;
  }
  grpc::Status Unary(const std::string& method, const std::string& request,
                     std::string* response) {
    const auto result = StartUnary(method, request);
    grpc::Status status = result->status.get_future().get();
    if (status.ok()) *response = Text(result->response);
    return status;
  }

  MethodTable methods_;
  WorkerPool workers_{2, 10};
  grpc::AsyncGenericService service_;
  std::vector<std::unique_ptr<PushThread>> threads_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A bidirectional call, one operation at a time.
class BidiCall {
 public:
  BidiCall(const std::shared_ptr<grpc::Channel>& channel,
           const std::string& method)
      : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::seconds(30));
    call_ = stub_.PrepareCall(&context_, method, &queue_);
    call_->StartCall(nullptr);
    Wait();
  }
  ~BidiCall() { context_.TryCancel(); }
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  bool Write(const grpc::ByteBuffer& bytes) {
    call_->Write(bytes, nullptr);
    return Wait();
  }
  bool Read(grpc::ByteBuffer* bytes) {
    call_->Read(bytes, nullptr);
    return Wait();
  }
  bool HalfClose() {
    call_->WritesDone(nullptr);
    return Wait();
  }
  grpc::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Wait();
    return status;
  }

 private:
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

TEST_F(PushThreadTest, RoutesByName) {
  StartServer();
  std::string response;
  ASSERT_TRUE(Unary("/t/Echo", "hello", &response).ok());
  EXPECT_EQ(response, "hello");
  const std::string large(300'000, 'x');
  ASSERT_TRUE(Unary("/t/Elsewhere", large, &response).ok());
  EXPECT_EQ(response, large);
  const grpc::Status status = Unary("/t/Nothing", "", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("/t/Nothing"));
}

TEST_F(PushThreadTest, BidirectionalOneRequestAtATimeAndHalfClose) {
  StartServer();
  BidiCall call(channel_, "/t/EchoAll");
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(call.Write(Bytes(absl::StrCat("message ", i))));
  }
  ASSERT_TRUE(call.HalfClose());
  for (int i = 0; i < 200; ++i) {
    grpc::ByteBuffer bytes;
    ASSERT_TRUE(call.Read(&bytes));
    EXPECT_EQ(Text(bytes), absl::StrCat("message ", i));
  }
  EXPECT_TRUE(call.Finish().ok());
  BidiCall wrong(channel_, "/t/EchoAll");
  ASSERT_TRUE(wrong.Write(Bytes("wrong")));
  EXPECT_EQ(wrong.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PushThreadTest, TheFoldNeverWaitsForTheThread) {
  std::promise<void> entered, release;
  methods_["/t/Hang"].unary = [&](const UnaryCall&,
                                  const Method::Reply& reply) {
    entered.set_value();
    release.get_future().wait();
    reply(std::string());
  };
  StartServer();
  const auto call = StartUnary("/t/Hang", "");
  entered.get_future().wait();
  // The thread does nothing now, and the commits pass.
  for (int i = 0; i < 10'000; ++i) {
    Put("a", absl::StrCat(i));
    pipeline->NotifyCommitted();
  }
  EXPECT_EQ(stats.pipeline("default").commits, 0u);
  release.set_value();
  EXPECT_TRUE(call->status.get_future().get().ok());
  while (stats.pipeline("default").commits < 10'000) std::this_thread::yield();
}

TEST_F(PushThreadTest, SeveralThreadsServeAndDrain) {
  StartServer(/*threads=*/3);
  std::vector<std::unique_ptr<BidiCall>> calls;
  for (int i = 0; i < 30; ++i) {
    calls.push_back(std::make_unique<BidiCall>(channel_, "/t/EchoAll"));
    ASSERT_TRUE(calls.back()->Write(Bytes("x")));
    grpc::ByteBuffer bytes;
    ASSERT_TRUE(calls.back()->Read(&bytes));
  }
  for (const auto& thread : threads_) thread->BeginDrain(100, 50, 10'000);
  for (const auto& call : calls) {
    grpc::ByteBuffer bytes;
    ASSERT_TRUE(call->Read(&bytes));
    EXPECT_EQ(Text(bytes), "farewell");
    EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_EQ(stats.drained, 30u);
}

TEST(CallTest, PeersAndMessages) {
  EXPECT_EQ(PeerAddress("ipv4:10.0.0.1:443"), "ipv4:10.0.0.1");
  EXPECT_EQ(PeerAddress("ipv6:[::1]:443"), "ipv6:[::1]");
  for (const size_t size : {10u, 100'000u}) {
    Message message;
    message.shared =
        std::make_shared<const std::string>(std::string(size, 's'));
    message.own = std::string(size, 'o');
    const std::string flat = message.Flat();
    const std::weak_ptr<const std::string> shared = message.shared;
    {
      const grpc::ByteBuffer bytes = ToByteBuffer(std::move(message));
      EXPECT_EQ(shared.expired(), size == 10);
      grpc::Slice slice;
      ASSERT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(slice.begin()),
                            slice.size()),
                flat);
    }
    EXPECT_TRUE(shared.expired());
  }
}

}  // namespace
}  // namespace tidegate
