// A real server over a real store on simulated disks, and clients of it.
#ifndef TIDEGATE_GATEWAY_GRPC_SERVER_FIXTURE_H_
#define TIDEGATE_GATEWAY_GRPC_SERVER_FIXTURE_H_

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "gateway/core/client_model.h"
#include "gateway/core/testing.h"
#include "gateway/grpc/server.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tidegate/v1/view_service.grpc.pb.h"
#include "views/store/simulated_store.h"

namespace tidegate {

inline constexpr auto kTestDeadline = std::chrono::seconds(30);

// A Subscribe stream whose every message is applied to a model.
class TestStream {
 public:
  TestStream(v1::ViewService::Stub* stub, const v1::SubscribeRequest& request,
             ClientModel* model)
      : model_(model) {
    if (model_->schema == nullptr) model_->schema = &TestSchema();
    model_->Disconnected();
    context_.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
    reader_ = stub->Subscribe(&context_, request);
  }
  // False at the end of the stream.
  bool Read() {
    if (!reader_->Read(&last_)) return false;
    model_->Apply(last_.SerializeAsString());
    EXPECT_EQ(model_->violation, "");
    return true;
  }
  // Reads until the client is at `seq` or beyond; false if the stream ends.
  bool ReadTo(Seq seq) {
    while (!model_->position || *model_->position < seq) {
      if (!Read()) return false;
    }
    return true;
  }
  grpc::Status End() {
    while (Read()) {
    }
    return reader_->Finish();
  }
  // End() is called after it.
  void Cancel() { context_.TryCancel(); }
  grpc::Status CancelAndFinish() {
    Cancel();
    v1::SubscribeResponse rest;
    while (reader_->Read(&rest)) {
    }
    return reader_->Finish();
  }
  const v1::SubscribeResponse& last() const { return last_; }

 private:
  ClientModel* const model_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeResponse>> reader_;
  v1::SubscribeResponse last_;
};

class ServerFixture : public testing::Test {
 protected:
  ServerFixture() {
    catalog_.pipeline = "default";
    catalog_.views.resize(1);
    CatalogView& view = catalog_.views[0];
    view.id = kTestView;
    view.name = "things";
    view.definition = "CREATE MATERIALIZED VIEW things AS …";
    view.schema = TestSchema();
    view.event_time_column = "at";
    view.watermark_delay_us = 2'500'000;
    OpenStore("A");
  }
  ~ServerFixture() override { server_.reset(); }

  void OpenStore(const std::string& incarnation) {
    MaterializedStoreOptions options;
    options.log_retention_ms = retention_ms_;
    auto store = MaterializedStore::Open(
        &disk_, options, StorePolicy(),
        std::string(kIncarnationBytes, incarnation[0]), Clock::System()->Now());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    pipeline_ =
        std::make_unique<ServedPipeline>("default", &catalog_, store_.get());
    pipeline_->SetStatus(absl::OkStatus());
    hub_ = std::make_unique<ViewHub>();
    hub_->Add(pipeline_.get());
  }
  void StartServer(const ServerOptions& options = {}) {
    stats_ =
        std::make_unique<GatewayStats>(std::vector<std::string>{"things"},
                                       std::vector<std::string>{"default"});
    auto server =
        Server::Start(options, hub_.get(), stats_.get(), Clock::System());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::ViewService::NewStub(NewChannel());
  }
  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", server_->port()),
        grpc::InsecureChannelCredentials(), args);
  }
  // A new start of the whole, on what the disk has.
  void Restart(const std::string& incarnation) {
    server_.reset();
    OpenStore(incarnation);
    StartServer();
  }

  // From now on rows have windows.
  void UseWindows() {
    CatalogView& view = catalog_.views[0];
    view.schema = WindowedSchema();
    view.window_column = kTestWindowColumn;
    view.window_add_us = kTestWindowUs;
  }
  std::string RowOf(const std::string& name, const std::string& value) const {
    return catalog_.views[0].window_column < 0
               ? TestRow(name, value)
               : WindowedRow(name, value, window_end_);
  }

  void Write(const std::map<std::string, std::optional<std::string>>& rows,
             bool corrected = false) {
    std::map<std::string, std::optional<std::string>> by_key;
    for (const auto& [name, value] : rows) {
      std::optional<std::string>& row = by_key[TestKey(name)];
      if (value) row = RowOf(name, *value);
    }
    WriteRows(by_key, corrected);
  }
  // By memcomparable key; nullopt deletes.
  void WriteRows(const std::map<std::string, std::optional<std::string>>& rows,
                 bool corrected = false) {
    CommitBuilder builder;
    for (const auto& [key, row] : rows) {
      const auto before = rows_.find(key);
      Change change;
      change.view = kTestView;
      change.key = key;
      change.has_before = before != rows_.end();
      if (change.has_before) change.before = before->second;
      change.has_after = row.has_value();
      if (row) change.after = *row;
      change.state = row ? "s" : "";
      change.corrected = corrected;
      builder.Add(change);
      if (row) {
        rows_[key] = *row;
      } else {
        rows_.erase(key);
      }
    }
    const ProcessingTime now = Clock::System()->Now();
    Positions positions;
    positions.watermark = watermark_;
    const auto commit =
        store_->Append(&builder, now, now.value() / 1000 - 3, positions);
    ASSERT_TRUE(commit.ok()) << commit.status();
    pipeline_->NotifyCommitted();
  }
  void Put(const std::string& name, const std::string& value) {
    Write({{name, value}});
  }

  static v1::SubscribeRequest Everything(const std::string& token = "") {
    v1::SubscribeRequest request;
    request.set_view("things");
    request.set_resume_token(token);
    return request;
  }
  static void SetDeadline(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + kTestDeadline);
  }
  grpc::Status Get(const v1::GetRequest& request, v1::GetResponse* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    return stub_->Get(&context, request, response);
  }
  grpc::Status Scan(const v1::ScanRequest& request,
                    v1::ScanResponse* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    return stub_->Scan(&context, request, response);
  }
  grpc::Status SubscribeStatus(const v1::SubscribeRequest& request) {
    ClientModel model;
    TestStream stream(stub_.get(), request, &model);
    return stream.End();
  }
  // 0 unknown, 1 serving, 2 not serving.
  uint64_t Health() {
    grpc::GenericStub stub(NewChannel());
    grpc::ClientContext context;
    SetDeadline(&context);
    grpc::ByteBuffer request, response;
    std::mutex mutex;
    std::condition_variable done;
    bool finished = false;
    grpc::Status status;
    const grpc::Slice empty("", 0);
    request = grpc::ByteBuffer(&empty, 1);
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check",
                   grpc::StubOptions(), &request, &response,
                   [&](const grpc::Status& s) {
                     std::lock_guard<std::mutex> lock(mutex);
                     status = s;
                     finished = true;
                     done.notify_one();
                   });
    std::unique_lock<std::mutex> lock(mutex);
    done.wait(lock, [&] { return finished; });
    if (!status.ok()) return 0;
    grpc::Slice slice;
    if (!response.DumpToSingleSlice(&slice).ok()) return 0;
    absl::string_view bytes(reinterpret_cast<const char*>(slice.begin()),
                            slice.size());
    WireField field;
    return GetWireField(&bytes, &field) ? field.varint : 0;
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kTestDeadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  int64_t retention_ms_ = 600'000;
  SimulatedStore disk_;
  Catalog catalog_;
  ModelRows rows_;  // what is true now
  // Of the commits, and of the rows written from now on.
  EventTime watermark_ = kNoEventTime;
  int64_t window_end_ = 0;
  std::unique_ptr<MaterializedStore> store_;
  std::unique_ptr<ServedPipeline> pipeline_;
  std::unique_ptr<ViewHub> hub_;
  std::unique_ptr<GatewayStats> stats_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::ViewService::Stub> stub_;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SERVER_FIXTURE_H_
