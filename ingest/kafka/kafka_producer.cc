#include "ingest/kafka/kafka_producer.h"

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "ingest/kafka/kafka_headers.h"

namespace tidegate {
namespace {

using Done = std::function<void(const absl::Status&)>;

}  // namespace

struct KafkaProducer::Impl {
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message,
                         void* opaque) {
    auto* const impl = static_cast<Impl*>(opaque);
    const std::unique_ptr<Done> done(static_cast<Done*>(message->_private));
    if (done != nullptr) {
      (*done)(message->err == RD_KAFKA_RESP_ERR_NO_ERROR
                  ? absl::OkStatus()
                  : absl::UnavailableError(rd_kafka_err2str(message->err)));
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++impl->delivered;
      return;
    }
    ++impl->failed;
    MutexLock lock(&impl->mutex);
    impl->last_error = rd_kafka_err2str(message->err);
  }

  std::atomic<int64_t> delivered{0};
  std::atomic<int64_t> failed{0};
  Mutex mutex;
  std::string last_error ABSL_GUARDED_BY(mutex);
  KafkaHandle handle;  // dies first: its callbacks use the rest
};

absl::StatusOr<std::unique_ptr<KafkaProducer>> KafkaProducer::Create(
    const KafkaProperties& properties, const KafkaProperties& fixed) {
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(
      KafkaConf conf,
      MakeKafkaConf({{"linger.ms", "1"}, {"acks", "all"}}, properties, fixed));
  rd_kafka_conf_set_opaque(conf.get(), impl.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), Impl::OnDelivery);
  ASSIGN_OR_RETURN(impl->handle,
                   MakeKafkaHandle(KafkaRole::kProducer, std::move(conf)));
  return std::unique_ptr<KafkaProducer>(new KafkaProducer(std::move(impl)));
}

KafkaProducer::KafkaProducer(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
KafkaProducer::~KafkaProducer() = default;

absl::Status KafkaProducer::Produce(const KafkaMessage& message) {
  const auto data = [](const std::optional<absl::string_view>& bytes) {
    // An empty text is not a null, which has no address.
    static const char kEmpty[] = "";
    if (!bytes.has_value()) return static_cast<void*>(nullptr);
    return const_cast<void*>(static_cast<const void*>(
        bytes->data() == nullptr ? kEmpty : bytes->data()));
  };
  const auto size = [](const std::optional<absl::string_view>& bytes) {
    return bytes.has_value() ? bytes->size() : size_t{0};
  };
  const int32_t partition = message.partition.has_value()
                                ? static_cast<int32_t>(*message.partition)
                                : RD_KAFKA_PARTITION_UA;
  auto done = message.done ? std::make_unique<Done>(message.done) : nullptr;
  rd_kafka_headers_t* const headers =
      message.headers.empty() ? nullptr : MakeKafkaHeaders(message.headers);
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      impl_->handle.get(), RD_KAFKA_V_TOPIC(message.topic.c_str()),
      RD_KAFKA_V_PARTITION(partition),
      RD_KAFKA_V_KEY(data(message.key), size(message.key)),
      RD_KAFKA_V_VALUE(data(message.value), size(message.value)),
      RD_KAFKA_V_TIMESTAMP(message.timestamp_ms), RD_KAFKA_V_HEADERS(headers),
      RD_KAFKA_V_OPAQUE(done.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    (void)done.release();  // OnDelivery's now
    return absl::OkStatus();
  }
  if (headers != nullptr) rd_kafka_headers_destroy(headers);
  const std::string text = absl::StrCat(
      "cannot produce to topic=", message.topic, ": ", rd_kafka_err2str(error));
  return error == RD_KAFKA_RESP_ERR__QUEUE_FULL
             ? absl::ResourceExhaustedError(text)
             : absl::UnavailableError(text);
}

void KafkaProducer::Poll(int timeout_ms) {
  rd_kafka_poll(impl_->handle.get(), timeout_ms);
}

absl::Status KafkaProducer::Flush(int timeout_ms) {
  if (rd_kafka_flush(impl_->handle.get(), timeout_ms) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(
      absl::StrCat("messages still waiting for the broker: ",
                   rd_kafka_outq_len(impl_->handle.get())));
}

int64_t KafkaProducer::delivered() const { return impl_->delivered; }
int64_t KafkaProducer::failed() const { return impl_->failed; }
std::string KafkaProducer::last_error() const {
  MutexLock lock(&impl_->mutex);
  return impl_->last_error;
}

}  // namespace tidegate
