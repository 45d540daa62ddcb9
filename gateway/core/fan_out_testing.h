// A hub of one pipeline over a FakeStore, and transports that tests write to.
#ifndef TIDEGATE_GATEWAY_CORE_FAN_OUT_TESTING_H_
#define TIDEGATE_GATEWAY_CORE_FAN_OUT_TESTING_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/fan_out.h"
#include "gateway/core/subscribe_stream.h"
#include "gateway/core/testing.h"

namespace tidegate {

// The world of a fan-out: time goes by hand.
struct FanOutWorld {
  FanOutWorld() {
    catalog.pipeline = "default";
    catalog.views.resize(1);
    catalog.views[0].id = kTestView;
    catalog.views[0].name = "things";
    catalog.views[0].schema = TestSchema();
    pipeline = std::make_unique<ServedPipeline>("default", &catalog, &store);
    pipeline->SetStatus(absl::OkStatus());
    hub.Add(pipeline.get());
  }
  void Start(const FanOutOptions& options = {}) {
    fan_out = FanOut::Create(options, &hub, &stats);
  }
  void Put(const std::string& name, const std::string& value) {
    FakeStore::Batch batch;
    batch[{kTestView, TestKey(name)}] = TestRow(name, value);
    store.Commit(batch, now);
  }
  void Pass(int64_t ms) { now = ProcessingTime(now.value() + ms * 1000); }
  FanOut::MakeStream Maker(SubscriptionSpec spec,
                           const std::string& token = "") {
    return [this, spec = std::move(spec), token](WatchRegistry* registry)
               -> absl::StatusOr<std::unique_ptr<Stream>> {
      SubscriptionSpec sharing = spec;
      sharing.ranges = registry->ranges(pipeline.get());
      ASSIGN_OR_RETURN(std::unique_ptr<Subscription> subscription,
                       Subscription::Create(sharing, &store, token));
      return SubscribeStream::Create(std::move(subscription), pipeline.get(),
                                     &stats.view("things"), registry);
    };
  }

  Catalog catalog;
  FakeStore store;
  std::unique_ptr<ServedPipeline> pipeline;
  ViewHub hub;
  GatewayStats stats{std::vector<std::string>{"things"},
                     std::vector<std::string>{"default"}};
  ProcessingTime now{1'000'000'000};
  std::unique_ptr<FanOut> fan_out;
};

// A client: what is written to it stays under way until it takes it.
class FakeClient : public Transport {
 public:
  explicit FakeClient(FanOutWorld* world) : world_(world) {
    model.schema = &TestSchema();
  }

  absl::Status Open(const SubscriptionSpec& spec, const std::string& token = "",
                    const std::string& peer = "peer") {
    model.Disconnected();
    finished.reset();
    in_flight.reset();
    const auto opened = world_->fan_out->Open(world_->Maker(spec, token), this,
                                              peer, world_->now);
    if (opened.ok()) id = *opened;
    return opened.status();
  }
  void Write(Message message) override {
    if (in_flight || finished) model.Fail("a write too many");
    in_flight = message.Flat();
    written.push_back(*in_flight);
  }
  void Finish(const absl::Status& status, int64_t retry_ms) override {
    if (in_flight || finished) model.Fail("finished at a wrong time");
    finished = status;
    retry_after_ms = retry_ms;
    id = 0;
  }
  // Takes what is under way; false if nothing is.
  bool Take() {
    if (!in_flight) return false;
    const std::string message = *std::exchange(in_flight, std::nullopt);
    model.Apply(message);
    if (id != 0) world_->fan_out->Written(id, world_->now);
    return true;
  }
  void Leave() {
    world_->fan_out->Gone(std::exchange(id, 0));
    in_flight.reset();
  }

  StreamId id = 0;
  ClientModel model;
  std::optional<std::string> in_flight;
  std::vector<std::string> written;  // ever
  std::optional<absl::Status> finished;
  int64_t retry_after_ms = -1;

 private:
  FanOutWorld* const world_;
};

// Turns and takes until nobody has anything more to do.
inline void Settle(FanOutWorld* world, const std::vector<FakeClient*>& clients,
                   int max_rounds = 10'000) {
  for (int round = 0; round < max_rounds; ++round) {
    bool busy = world->fan_out->Turn(world->now) <= world->now;
    for (FakeClient* client : clients) busy = client->Take() || busy;
    if (!busy) return;
  }
}

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_FAN_OUT_TESTING_H_
