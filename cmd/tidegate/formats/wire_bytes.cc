#include "cmd/tidegate/formats/wire_bytes.h"

#include <librdkafka/rdkafka.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/json_decoder.h"
#include "ingest/kafka/embedded_broker.h"
#include "loadtest/bench/load.h"

namespace tidegate {
namespace {

constexpr char kTopic[] = "formats";
constexpr auto kPatience = std::chrono::seconds(60);
constexpr int kPollMs = 20;

}  // namespace

CountingProducer::CountingProducer()
    : statistics_(MakeJsonDecoder(
          {{"txmsgs", Type::kBigint}, {"tx_bytes", Type::kBigint}},
          {true, true})) {}

absl::StatusOr<std::unique_ptr<CountingProducer>> CountingProducer::Create(
    BareSettings settings) {
  auto producer = std::unique_ptr<CountingProducer>(new CountingProducer());
  settings.emplace_back("statistics.interval.ms", "100");
  ASSIGN_OR_RETURN(
      producer->handle_,
      MakeBareProducer(settings, [&producer](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_stats_cb(conf, OnStatistics);
        rd_kafka_conf_set_opaque(conf, producer.get());
      }));
  return producer;
}

int CountingProducer::OnStatistics(rd_kafka_t* /*handle*/, char* json,
                                   size_t size, void* self) {
  auto* const producer = static_cast<CountingProducer*>(self);
  Datum row[2];
  const absl::string_view text(json, size);
  if (producer->statistics_->Decode(text, absl::MakeSpan(row)).ok() &&
      !row[0].is_null && !row[1].is_null) {
    producer->records_ = row[0].i;
    producer->bytes_ = row[1].i;
  }
  return 0;  // librdkafka frees the text
}

absl::StatusOr<int64_t> CountingProducer::BytesSent(int64_t records) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (records_ < records) {
    if (std::chrono::steady_clock::now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("librdkafka has not sent all records: sent=", records_,
                       " of=", records));
    }
    rd_kafka_poll(handle_.get(), kPollMs);
  }
  return bytes_;
}

absl::StatusOr<double> WireBytesPerRecord(
    const std::vector<std::string>& keys,
    const std::vector<std::string>& values, const std::string& codec) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EmbeddedBroker> broker,
                   EmbeddedBroker::Start());
  RETURN_IF_ERROR(broker->CreateTopic(kTopic, 1));
  ASSIGN_OR_RETURN(const std::unique_ptr<CountingProducer> producer,
                   CountingProducer::Create(
                       {{"bootstrap.servers", broker->bootstrap_servers()},
                        {"compression.codec", codec},
                        {"linger.ms", "200"}}));
  for (size_t i = 0; i < values.size(); ++i) {
    RETURN_IF_ERROR(
        ProduceRecord(producer->handle(), kTopic, 0, keys[i], values[i]));
  }
  RETURN_IF_ERROR(FlushRecords(producer->handle()));
  const auto records = static_cast<int64_t>(values.size());
  ASSIGN_OR_RETURN(const int64_t bytes, producer->BytesSent(records));
  return static_cast<double>(bytes) / static_cast<double>(records);
}

}  // namespace tidegate
