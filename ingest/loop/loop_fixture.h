// For the fold loop's tests: a loop over fake topics, a store in memory and a
// clock that stands still.
#ifndef TIDEGATE_INGEST_LOOP_LOOP_FIXTURE_H_
#define TIDEGATE_INGEST_LOOP_LOOP_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ingest/loop/fake_kafka.h"
#include "ingest/loop/fold_loop.h"
#include "views/pipeline/test_pipeline.h"

namespace tidegate {

// Thread-safe.
class StandingClock final : public Clock {
 public:
  ProcessingTime Now() const override { return ProcessingTime(now_us_); }
  void AdvanceMs(int64_t ms) { now_us_ += ms * 1000; }

 private:
  std::atomic<int64_t> now_us_{1'700'000'000'000'000};
};

inline constexpr absl::string_view kLoopSql = R"sql(
CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT, amount BIGINT)
  WITH (topic = 'orders', dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE JSON;
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers', dead.letter.topic = 'drivers.dlq')
  FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, sum(amount) AS total
  FROM orders GROUP BY driver_id;
CREATE MATERIALIZED VIEW cheap AS
  SELECT driver_id, count(*) AS n
  FROM orders WHERE 100 / amount > 5 GROUP BY driver_id;
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, o.amount, d.name FROM orders o
  LEFT JOIN drivers FOR SYSTEM_TIME AS OF PROCTIME() AS d
  ON o.driver_id = d.driver_id;
)sql";

class LoopTest : public ::testing::Test {
 protected:
  void Use(absl::string_view sql, MaterializedStoreOptions options = {}) {
    test_ = std::make_unique<TestPipeline>(sql, "default", options);
  }
  // Topics `drivers` (1 partition, compacted) and `orders`.
  void CreateTopics(int order_partitions = 1) {
    kafka_.CreateTopic("drivers", 1, /*compacted=*/true);
    kafka_.CreateTopic("orders", order_partitions);
  }
  Offset Order(const std::string& id, int64_t driver, int64_t amount,
               int partition = 0) {
    return kafka_.Produce(
        "orders", partition, ++stamp_ms_, std::nullopt,
        absl::StrCat(R"({"order_id":")", id, R"(","driver_id":)", driver,
                     R"(,"amount":)", amount, "}"));
  }
  Offset Driver(int64_t id, const std::string& name) {
    return kafka_.Produce(
        "drivers", 0, ++stamp_ms_, absl::StrCat(id),
        absl::StrCat(R"({"driver_id":)", id, R"(,"name":")", name, R"("})"));
  }

  // A loop over the present pipeline; the one before is gone.
  void MakeLoop() {
    loop_.reset();
    if (test_ == nullptr) Use(kLoopSql);
    std::vector<std::string> topics;
    for (const auto& input : test_->pipeline().inputs()) {
      topics.push_back(test_->plans().sources[input.source].topic);
    }
    reader_ = kafka_.NewReader(std::move(topics));
    writer_ = kafka_.NewWriter();
    served_ = std::make_unique<ServedPipeline>("default", &test_->catalog(),
                                               &test_->store());
    FoldLoop::Parts parts;
    parts.plans = &test_->plans();
    parts.pipeline = &test_->pipeline();
    parts.store = &test_->store();
    parts.reader = reader_.get();
    parts.dead_letters = writer_.get();
    parts.spill = spill_.get();
    parts.registries = registries_;
    parts.served = served_.get();
    parts.clock = &clock_;
    auto loop = FoldLoop::Create(parts, options_);
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
  }
  absl::Status Start() {
    MakeLoop();
    return loop_->Start();
  }
  // The process dies and comes back.
  absl::Status Restart() {
    loop_.reset();
    test_->CrashAndReopen(CrashKind::kProcess, 0);
    return Start();
  }
  // Turns until one takes nothing.
  void TurnToTheEnd() {
    bool more = true;
    while (more) {
      const auto turned = loop_->Turn();
      ASSERT_TRUE(turned.ok()) << turned.status();
      more = *turned;
    }
  }
  PartitionPosition Position(const std::string& topic, int partition = 0) {
    return test_->store()
        .positions()
        .partitions[{topic, PartitionId(partition)}];
  }
  // Until `condition` holds; false after a deadline.
  static bool Eventually(const std::function<bool()>& condition) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  FakeKafka kafka_;
  StandingClock clock_;
  FoldLoopOptions options_{.poll_timeout_ms = 0, .max_commit_hold_ms = 0};
  int64_t stamp_ms_ = 1'000;
  std::unique_ptr<TestPipeline> test_;
  const std::unique_ptr<SpillFiles> spill_ = MakeMemorySpill();
  SchemaRegistries* registries_ = nullptr;
  std::unique_ptr<RecordReader> reader_;
  std::unique_ptr<DeadLetterWriter> writer_;
  std::unique_ptr<ServedPipeline> served_;
  std::unique_ptr<FoldLoop> loop_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_LOOP_FIXTURE_H_
