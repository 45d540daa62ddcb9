// For tests of loops whose records' schemas come from a registry.
#ifndef TIDEGATE_INGEST_LOOP_WRITER_SCHEMA_FIXTURE_H_
#define TIDEGATE_INGEST_LOOP_WRITER_SCHEMA_FIXTURE_H_

#include <string>
#include <vector>

#include "base/coding.h"
#include "ingest/loop/loop_fixture.h"
#include "ingest/registry/fake_registries.h"

namespace tidegate {

// With an ordered view, and one on arrival.
inline constexpr absl::string_view kTimedSql = R"sql(
CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT, amount BIGINT,
                      ts TIMESTAMPTZ,
                      WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (topic = 'orders', dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'shop.Order',
                                schema.registry = 'http://registry');
CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, sum(amount) AS total
  FROM orders GROUP BY driver_id;
CREATE MATERIALIZED VIEW steps (PRIMARY KEY (order_id)) AS
  SELECT order_id, lag(amount) OVER (PARTITION BY driver_id ORDER BY ts)
    AS before FROM orders;
)sql";

// Schema `id` has the fields of an order from number `id` on.
inline std::string TextOf(int32_t id) {
  return absl::StrCat("syntax = \"proto3\"; package shop; message Order {",
                      " string order_id = ", id, "; int64 driver_id = ", id + 1,
                      "; int64 amount = ", id + 2, "; int64 ts = ", id + 3,
                      "; }");
}

class WriterSchemaLoopTest : public LoopTest {
 protected:
  WriterSchemaLoopTest() { registries_ = &fake_; }
  ~WriterSchemaLoopTest() override { loop_.reset(); }  // before fake_

  void UseTopic(absl::string_view sql, int partitions) {
    Use(sql);
    kafka_.CreateTopic("orders", partitions);
  }
  // An order written with schema `id`.
  Offset Write(int32_t id, int partition, int64_t driver, int64_t amount,
               int64_t ts_ms = 0) {
    std::string bytes;
    PutTag(&bytes, static_cast<uint32_t>(id), WireType::kLengthDelimited);
    PutLengthPrefixed(&bytes, absl::StrCat("o", ++orders_));
    int64_t field = id;
    for (const int64_t value : {driver, amount, ts_ms}) {
      PutTag(&bytes, static_cast<uint32_t>(++field), WireType::kVarint);
      PutVarint64(&bytes, static_cast<uint64_t>(value));
    }
    return kafka_.Produce("orders", partition, ++stamp_ms_, std::nullopt,
                          FramedRecord(id, kFirstMessage, bytes));
  }
  void Register(int32_t id) { fake_.AddProtobuf(id, TextOf(id)); }
  int64_t WaitingRecords() {
    return loop_->stats().awaiting_schema_records.load();
  }
  std::vector<PartitionState> States() {
    clock_.AdvanceMs(1'000);
    TurnToTheEnd();
    std::vector<PartitionState> states;
    for (const PartitionWatermark& shown : served_->watermarks()) {
      states.push_back(shown.state);
    }
    return states;
  }

  FakeRegistries fake_;
  int orders_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_LOOP_WRITER_SCHEMA_FIXTURE_H_
