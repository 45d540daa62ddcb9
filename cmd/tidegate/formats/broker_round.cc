#include "cmd/tidegate/formats/broker_round.h"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>
#include <semaphore>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cmd/tidegate/formats/cpu_time.h"
#include "cmd/tidegate/formats/format_registry.h"
#include "cmd/tidegate/formats/format_views.h"
#include "cmd/tidegate/formats/wire_bytes.h"
#include "ingest/kafka/kafka_reader.h"
#include "ingest/loop/event_reader.h"
#include "ingest/loop/fold_loop.h"
#include "loadtest/bench/load.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kPollEvery = 1000;
// Without one event more.
constexpr std::chrono::seconds kPatience(60);

// Starts when it is made.
class CostMeter {
 public:
  BrokerCost Read(int64_t events) const {
    const double cpu = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_;
    const std::chrono::duration<double> took = SteadyClock::now() - start_;
    const auto count = static_cast<double>(events);
    return {.cpu_us = cpu * 1e6 / count, .rate = count / took.count()};
  }

 private:
  const SteadyClock::time_point start_ = SteadyClock::now();
  const double cpu_start_ = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
};

// Reads values into rows, waiting for a schema that is not there yet.
class RowReader {
 public:
  static absl::StatusOr<std::unique_ptr<RowReader>> Create(BenchFormat format) {
    auto reader = std::unique_ptr<RowReader>(new RowReader());
    ASSIGN_OR_RETURN(reader->plans_,
                     CompileFormatViews(FramedEncodeClause(format)));
    ASSIGN_OR_RETURN(
        reader->events_,
        EventReader::Create(&reader->plans_.sources[0],
                            reader->plans_.views[0].used_columns, "",
                            reader->registries_.get(),
                            [woken = &reader->woken_] { woken->release(); }));
    return reader;
  }

  absl::Status Read(const RawRecord& record, Event* event) {
    absl::Status status = events_->Read(record, event);
    while (absl::IsUnavailable(status) && woken_.try_acquire_for(kPatience)) {
      status = events_->Read(record, event);
    }
    return status;
  }

 private:
  RowReader() = default;
  PlanSet plans_;
  std::counting_semaphore<> woken_{0};
  const std::unique_ptr<SchemaRegistries> registries_ = MakeFormatRegistries();
  std::unique_ptr<EventReader> events_;  // dies first: it uses the rest
};

absl::Status Produce(const BenchOptions& options, const FormatPool& pool,
                     BenchFormat format, const std::string& topic,
                     BrokerRound* round) {
  const CostMeter meter;
  BareSettings settings = BulkProducerSettings(options.bootstrap_servers);
  settings.emplace_back("compression.codec", "lz4");
  // librdkafka's default, as most producers have it.
  settings.emplace_back("queue.buffering.max.messages", "100000");
  ASSIGN_OR_RETURN(const std::unique_ptr<CountingProducer> producer,
                   CountingProducer::Create(settings));
  const absl::string_view frame = FormatFrame(format);
  const size_t different = pool.events.size();
  std::string record;
  std::string value;
  for (int64_t n = 0; n < options.events; ++n) {
    const size_t i = static_cast<size_t>(n) % different;
    const FormatEvent& event = pool.events[i];
    EncodeFormatEvent(format, event, &record);
    value.assign(frame.data(), frame.size());
    value.append(record);
    RETURN_IF_ERROR(
        ProduceRecord(producer->handle(), topic,
                      PartitionOfDriver(event.driver_id, options.partitions),
                      pool.keys[i], value));
    if (n % kPollEvery == 0) rd_kafka_poll(producer->handle(), 0);
  }
  RETURN_IF_ERROR(FlushRecords(producer->handle()));
  round->produce = meter.Read(options.events);
  ASSIGN_OR_RETURN(const int64_t bytes, producer->BytesSent(options.events));
  round->bytes =
      static_cast<double>(bytes) / static_cast<double>(options.events);
  return absl::OkStatus();
}

// Adds up the drivers of all events in `drivers`.
absl::Status Consume(const BenchOptions& options, BenchFormat format,
                     const std::string& topic, BrokerRound* round,
                     int64_t* drivers) {
  const CostMeter meter;
  const FoldLoopOptions turn;
  ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> rows,
                   RowReader::Create(format));
  ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                   MakeKafkaReader({.properties = {{"bootstrap.servers",
                                                    options.bootstrap_servers}},
                                    .topics = {topic},
                                    .group_id = "tidegate-bench-formats"}));
  ASSIGN_OR_RETURN(const std::vector<PartitionBounds> bounds,
                   reader->Bounds(0));
  for (const PartitionBounds& partition : bounds) {
    RETURN_IF_ERROR(reader->Start(0, partition.partition, partition.low));
  }
  int64_t left = options.events;
  Event event;
  absl::Status status;
  auto deadline = SteadyClock::now() + kPatience;
  while (left > 0) {
    ASSIGN_OR_RETURN(const int taken,
                     reader->Poll([](int, PartitionId) { return true; },
                                  turn.max_poll_records, turn.poll_timeout_ms,
                                  [&](const RawRecord& record) {
                                    if (status.ok())
                                      status = rows->Read(record, &event);
                                    if (!status.ok()) return;
                                    *drivers +=
                                        event.columns[kDriverIdColumn].i;
                                  }));
    RETURN_IF_ERROR(status);
    left -= taken;
    if (taken > 0) {
      deadline = SteadyClock::now() + kPatience;
    } else if (SteadyClock::now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("events do not come back: missing=", left));
    }
  }
  round->consume = meter.Read(options.events);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BrokerRound> RunBrokerRound(const BenchOptions& options,
                                           const FormatPool& pool,
                                           BenchFormat format,
                                           const std::string& topic) {
  BrokerRound round;
  RETURN_IF_ERROR(Produce(options, pool, format, topic, &round));
  int64_t drivers = 0;
  RETURN_IF_ERROR(Consume(options, format, topic, &round, &drivers));
  for (int64_t n = 0; n < options.events; ++n) {
    drivers -=
        pool.events[static_cast<size_t>(n) % pool.events.size()].driver_id;
  }
  if (drivers != 0) {
    return absl::InternalError(
        absl::StrCat("topic=", topic, ": other events than were produced"));
  }
  return round;
}

}  // namespace tidegate
