#include "cmd/tidegate/formats/wire_bytes.h"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/json_decoder.h"
#include "ingest/kafka/embedded_broker.h"
#include "loadtest/bench/bare_handle.h"
#include "loadtest/bench/load.h"

namespace tidegate {
namespace {

constexpr char kTopic[] = "formats";
constexpr auto kPatience = std::chrono::seconds(60);
constexpr int kPollMs = 20;

// What librdkafka says that it has sent, read from its statistics.
struct Sent {
  const std::unique_ptr<Decoder> statistics = MakeJsonDecoder(
      {{"txmsgs", Type::kBigint}, {"tx_bytes", Type::kBigint}}, {true, true});
  int64_t records = 0;
  int64_t bytes = 0;
};

int OnStatistics(rd_kafka_t* /*handle*/, char* json, size_t size,
                 void* opaque) {
  auto* const sent = static_cast<Sent*>(opaque);
  Datum row[2];
  const absl::string_view text(json, size);
  if (sent->statistics->Decode(text, absl::MakeSpan(row)).ok() &&
      !row[0].is_null && !row[1].is_null) {
    sent->records = row[0].i;
    sent->bytes = row[1].i;
  }
  return 0;  // librdkafka frees the text
}

absl::StatusOr<BareHandle> MakeProducer(const std::string& servers,
                                        const std::string& codec, Sent* sent) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char error[512];
  const BareSettings settings = {{"bootstrap.servers", servers},
                                 {"compression.codec", codec},
                                 {"linger.ms", "200"},
                                 {"statistics.interval.ms", "100"}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof(error)) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return absl::InvalidArgumentError(error);
    }
  }
  rd_kafka_conf_set_stats_cb(conf, OnStatistics);
  rd_kafka_conf_set_opaque(conf, sent);
  rd_kafka_t* const handle =
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
  if (handle == nullptr) {
    rd_kafka_conf_destroy(conf);
    return absl::InternalError(error);
  }
  return BareHandle(handle);
}

}  // namespace

absl::StatusOr<double> WireBytesPerRecord(
    const std::vector<std::string>& keys,
    const std::vector<std::string>& values, const std::string& codec) {
  ASSIGN_OR_RETURN(const std::unique_ptr<EmbeddedBroker> broker,
                   EmbeddedBroker::Start());
  RETURN_IF_ERROR(broker->CreateTopic(kTopic, 1));
  Sent sent;
  ASSIGN_OR_RETURN(const BareHandle producer,
                   MakeProducer(broker->bootstrap_servers(), codec, &sent));
  for (size_t i = 0; i < values.size(); ++i) {
    RETURN_IF_ERROR(
        ProduceRecord(producer.get(), kTopic, 0, keys[i], values[i]));
  }
  RETURN_IF_ERROR(FlushRecords(producer.get()));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (sent.records < static_cast<int64_t>(values.size())) {
    if (std::chrono::steady_clock::now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "librdkafka says nothing of what it sent: records=", sent.records));
    }
    rd_kafka_poll(producer.get(), kPollMs);
  }
  return static_cast<double>(sent.bytes) / static_cast<double>(sent.records);
}

}  // namespace tidegate
