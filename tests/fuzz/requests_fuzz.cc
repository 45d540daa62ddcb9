// What clients send to any method: METHOD newline REQUEST; of methods that take
// several requests, each with its length in a byte before it.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/testing.h"
#include "gateway/grpc/builtin_methods.h"
#include "gateway/grpc/service.h"
#include "gateway/grpc/service_pool.h"
#include "gateway/grpc/typed_file.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int kMaxMessages = 64;  // of a stream, for one request
constexpr int kMaxPages = 4;
constexpr char kGenericService[] = "tidegate.v1.ViewService";

class StoppedClock : public Clock {
 public:
  ProcessingTime Now() const override { return now; }
  ProcessingTime now{1'000 * kSecondUs};
};

// The messages of one stream, which are written as soon as that is asked.
class Client : public Transport {
 public:
  explicit Client(const google::protobuf::Message* type) : type_(type) {}
  void Write(Message message) override {
    FUZZ_EXPECT(!writing && !finished, "a second write");
    writing = true;
    const std::unique_ptr<google::protobuf::Message> parsed(type_->New());
    FUZZ_EXPECT(parsed->ParseFromString(message.Flat()), type_->GetTypeName());
  }
  void Finish(const absl::Status& /*status*/,
              int64_t /*retry_after_ms*/) override {
    FUZZ_EXPECT(!finished, "finished twice");
    finished = true;
  }
  bool writing = false;
  bool finished = false;

 private:
  const google::protobuf::Message* const type_;
};

// What "/package.Service/Method" answers; null if there is no such method. A
// view's own service has the bytes of the generic one.
const google::protobuf::Message* AnswerType(absl::string_view method) {
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  const size_t slash = method.rfind('/');
  if (slash == 0 || slash == absl::string_view::npos) return nullptr;
  absl::string_view name = method.substr(1, slash - 1);
  if (absl::StartsWith(name, kTypedPackage)) name = kGenericService;
  const auto* const service = pool->FindServiceByName(std::string(name));
  if (service == nullptr) return nullptr;
  const auto* const found =
      service->FindMethodByName(std::string(method.substr(slash + 1)));
  if (found == nullptr) return nullptr;
  return google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      found->output_type());
}

// Two views, which nobody changes.
class Served {
 public:
  Served() {
    catalog_.pipeline = "default";
    catalog_.views.resize(2);
    catalog_.views[0].id = kTestView;
    catalog_.views[0].name = "things";
    catalog_.views[0].schema = TestSchema();
    catalog_.views[1].id = ViewId(2);
    catalog_.views[1].name = "windows";
    catalog_.views[1].schema = WindowedSchema();
    catalog_.views[1].schema.key_columns = {0, kTestWindowColumn};
    catalog_.views[1].window_column = kTestWindowColumn;
    catalog_.views[1].window_add_us = kTestWindowUs;
    Fill();
    pipeline_.SetStatus(absl::OkStatus());
    hub_.Add(&pipeline_);
    auto pool = ServicePool::Create(hub_);
    FUZZ_EXPECT(pool.ok(), pool.status().ToString());
    pool_ = *std::move(pool);
  }

  const ViewHub& hub() const { return hub_; }
  const ServicePool& pool() const { return *pool_; }

 private:
  void Fill() {
    for (int i = 0; i < 12; ++i) {
      FakeStore::Batch batch;
      const std::string name = absl::StrCat("k", i % 8);
      batch[{ViewId(1), TestKey(name)}] = TestRow(name, absl::StrCat(i));
      const Type types[] = {Type::kVarchar, Type::kTimestamptz};
      const Datum values[] = {Datum::Text(name), Datum::Int(i)};
      std::string key;
      EncodeKey(types, values, &key);
      batch[{ViewId(2), key}] =
          WindowedRow(name, absl::StrCat(i), i + kTestWindowUs);
      if (i == 11) batch[{ViewId(1), TestKey("k0")}] = std::nullopt;
      store_.Commit(batch, ProcessingTime(i));
      if (i == 5) store_.MoveBase();
    }
  }

  Catalog catalog_;
  FakeStore store_;
  ServedPipeline pipeline_{"default", &catalog_, &store_};
  ViewHub hub_;
  std::unique_ptr<ServicePool> pool_;
};

// A server without a transport, and a thread of its own making.
class World : public CallThread {
 public:
  explicit World(const Served& served)
      : builtin_(served.pool().descriptors(), served.pool().services()) {
    options_.max_page_read_rows = 3;
    service_ = std::make_unique<ViewService>(options_, &served.hub(), &stats_,
                                             &clock_, &scans_);
    service_->AddMethods(&methods_);
    builtin_.AddMethods(&methods_);
    fan_out_ = FanOut::Create(FanOutOptions(), &served.hub(), &stats_);
  }

  void Call(absl::string_view name, FuzzInput* input) {
    const auto at = methods_.find(name);
    const google::protobuf::Message* const type = AnswerType(name);
    if (at == methods_.end() || type == nullptr) return;
    if (at->second.unary == nullptr) return CallStream(at->second, type, input);
    std::string request(input->Rest());
    for (int page = 0; page < kMaxPages; ++page) {
      const absl::StatusOr<std::string> answer =
          CallUnary(at->second, type, request);
      FUZZ_EXPECT(answer.ok() || page == 0, answer.status().ToString());
      if (!absl::EndsWith(name, "/Scan") || !answer.ok()) return;
      v1::ScanResponse response;
      v1::ScanRequest next;
      response.ParseFromString(*answer);
      if (response.next_page_token().empty()) return;
      next.ParseFromString(request);
      next.set_page_token(response.next_page_token());
      request = next.SerializeAsString();
    }
  }

  FanOut& fan_out() override { return *fan_out_; }
  ProcessingTime Now() const override { return clock_.now; }
  void Post(std::function<void()> task) override {
    posted_.push_back(std::move(task));
  }
  bool RunElsewhere(std::function<void()> task) override {
    task();
    return true;
  }

 private:
  void RunPosted() {
    while (!posted_.empty()) {
      const auto tasks = std::exchange(posted_, {});
      for (const auto& task : tasks) task();
    }
  }
  void Turn() {
    RunPosted();
    fan_out_->Turn(clock_.now);
  }

  absl::StatusOr<std::string> CallUnary(const Method& method,
                                        const google::protobuf::Message* type,
                                        const std::string& request) {
    int replies = 0;
    absl::StatusOr<std::string> answer;
    UnaryCall call;
    call.thread = this;
    call.request = request;
    call.deadline = ProcessingTime(clock_.now.value() + kSecondUs);
    method.unary(std::move(call), [&](absl::StatusOr<std::string> got) {
      ++replies;
      answer = std::move(got);
    });
    Turn();
    if (replies == 0) {  // it waits for a position that never comes
      clock_.now = ProcessingTime(clock_.now.value() + kSecondUs);
      Turn();
    }
    FUZZ_EXPECT(replies == 1, replies);
    const std::unique_ptr<google::protobuf::Message> parsed(type->New());
    FUZZ_EXPECT(!answer.ok() || parsed->ParseFromString(*answer),
                type->GetTypeName());
    return answer;
  }

  void CallStream(const Method& method, const google::protobuf::Message* type,
                  FuzzInput* input) {
    Client client(type);
    const bool once = method.on_request == nullptr;
    const std::string first(once ? input->Rest() : "");
    const auto id = fan_out_->Open(
        [&](WatchRegistry* registry) {
          return method.open(this, first, registry);
        },
        &client, "peer", clock_.now);
    if (!id.ok()) return;
    Serve(*id, &client);
    while (!once && !input->empty() && !client.finished) {
      Stream* const stream = fan_out_->Find(*id);
      if (stream == nullptr || !method.accepts_requests(*stream)) break;
      const absl::Status status =
          method.on_request(this, stream, std::string(input->Part()));
      if (!status.ok()) break;
      fan_out_->Kick(*id, clock_.now);
      Serve(*id, &client);
    }
    if (!client.finished) fan_out_->Gone(*id);
  }

  // Until nothing is to be said, and once more after a while.
  void Serve(StreamId id, Client* client) {
    for (int i = 0; i < kMaxMessages && !client->finished; ++i) {
      Turn();
      if (client->finished) return;
      if (client->writing) {
        client->writing = false;
        fan_out_->Written(id, clock_.now);
      } else {
        clock_.now = ProcessingTime(clock_.now.value() + kSecondUs);
        if (i % 2 == 1) return;
      }
    }
  }

  StoppedClock clock_;
  GatewayStats stats_{std::vector<std::string>{"things", "windows"},
                      std::vector<std::string>{"default"}};
  ServerOptions options_;
  OpenScans scans_{kMaxOpenScans, kMaxScanAgeMs};
  std::unique_ptr<ViewService> service_;
  BuiltinMethods builtin_;
  MethodTable methods_;
  std::unique_ptr<FanOut> fan_out_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace
}  // namespace tidegate

// Protobuf's parser tells standard error of every text that is not UTF-8.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidegate::FuzzInput input(data, size);
  const absl::string_view method = input.Until('\n');
  static const auto* const served = new tidegate::Served;
  tidegate::World(*served).Call(method, &input);
  return 0;
}
