#include "ingest/kafka/embedded_broker.h"

// rdkafka_mock.h has to come after it.
#include <librdkafka/rdkafka.h>
//
#include <librdkafka/rdkafka_mock.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/kafka/kafka_config.h"

namespace tidegate {
namespace {

constexpr int kAllBrokers = -1;
constexpr int kNoBroker = -1;
constexpr int kTheBroker = 1;

absl::Status FromKafka(rd_kafka_resp_err_t error, absl::string_view what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("embedded broker: ", what, ": ", rd_kafka_err2str(error)));
}

}  // namespace

// The cluster goes before the handle that keeps its books.
struct EmbeddedBroker::Impl {
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
  }
  KafkaHandle handle;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

absl::StatusOr<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::Start() {
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf({}, {}, {}));
  // The cluster reports every disconnect of its own SetDown as an error.
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  ASSIGN_OR_RETURN(impl->handle,
                   MakeKafkaHandle(KafkaRole::kProducer, std::move(conf)));
  impl->cluster = rd_kafka_mock_cluster_new(impl->handle.get(), 1);
  if (impl->cluster == nullptr) {
    return absl::InternalError("cannot start the embedded broker");
  }
  return std::unique_ptr<EmbeddedBroker>(new EmbeddedBroker(std::move(impl)));
}

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
EmbeddedBroker::~EmbeddedBroker() = default;

std::string EmbeddedBroker::bootstrap_servers() const {
  return rd_kafka_mock_cluster_bootstraps(impl_->cluster);
}

absl::Status EmbeddedBroker::CreateTopic(const std::string& name,
                                         int partitions) {
  return FromKafka(
      rd_kafka_mock_topic_create(impl_->cluster, name.c_str(), partitions, 1),
      absl::StrCat("topic=", name));
}

absl::Status EmbeddedBroker::SetDown() {
  return FromKafka(rd_kafka_mock_broker_set_down(impl_->cluster, kAllBrokers),
                   "set down");
}

absl::Status EmbeddedBroker::SetUp() {
  return FromKafka(rd_kafka_mock_broker_set_up(impl_->cluster, kAllBrokers),
                   "set up");
}

void EmbeddedBroker::SetTopicMissing(const std::string& name, bool missing) {
  rd_kafka_mock_topic_set_error(impl_->cluster, name.c_str(),
                                missing
                                    ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                                    : RD_KAFKA_RESP_ERR_NO_ERROR);
}

absl::Status EmbeddedBroker::SetLeaderless(const std::string& name,
                                           int partition, bool leaderless) {
  return FromKafka(rd_kafka_mock_partition_set_leader(
                       impl_->cluster, name.c_str(), partition,
                       leaderless ? kNoBroker : kTheBroker),
                   absl::StrCat("topic=", name, " partition=", partition));
}

absl::Status EmbeddedBroker::SetAnswerDelay(int delay_ms) {
  return FromKafka(
      rd_kafka_mock_broker_set_rtt(impl_->cluster, kTheBroker, delay_ms),
      "answer delay");
}

}  // namespace tidegate
