#include "ingest/kafka/kafka_config.h"

#include <librdkafka/rdkafka.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace tidegate {
namespace {

constexpr int kErrorBytes = 512;

// One for the process: a hundred partitions lose their broker together.
void LogLimited(LogLevel level, absl::string_view message,
                absl::string_view detail) {
  static auto* const limiter = new LogRateLimiter(kMaxKafkaLogLinesPerSecond);
  int64_t suppressed = 0;
  if (!limiter->Allow(Clock::System()->Now(), &suppressed)) return;
  Log(level, message, {{"detail", detail}, {"suppressed", suppressed}});
}

void OnLog(const rd_kafka_t*, int level, const char* facility,
           const char* text) {
  // A property for producers in a map that consumers share is no news.
  if (absl::string_view(facility) == "CONFWARN") return;
  const LogLevel ours = level <= 3   ? LogLevel::kError
                        : level <= 4 ? LogLevel::kWarning
                        : level <= 6 ? LogLevel::kInfo
                                     : LogLevel::kDebug;
  LogLimited(ours, "kafka client", absl::StrCat(facility, " ", text));
}

void OnError(rd_kafka_t*, int error, const char* reason, void*) {
  LogKafkaTrouble(error, reason);
}

std::vector<std::string> PropertyNames() {
  std::vector<std::string> names;
  size_t count = 0;
  rd_kafka_conf_t* const fresh = rd_kafka_conf_new();
  const char** const dump = rd_kafka_conf_dump(fresh, &count);
  for (size_t i = 0; i < count; i += 2) names.emplace_back(dump[i]);
  rd_kafka_conf_dump_free(dump, count);
  rd_kafka_conf_destroy(fresh);
  // The dump leaves out what has no default.
  for (const char* name :
       {"bootstrap.servers", "metadata.broker.list", "group.id",
        "sasl.username", "sasl.password", "sasl.mechanisms", "sasl.mechanism",
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
        "ssl.key.password", "ssl.keystore.location", "client.rack", "debug"}) {
    names.emplace_back(name);
  }
  return names;
}

absl::Status Set(rd_kafka_conf_t* conf, const std::string& name,
                 const std::string& value) {
  char error[kErrorBytes];
  switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error,
                            sizeof(error))) {
    case RD_KAFKA_CONF_OK:
      return absl::OkStatus();
    case RD_KAFKA_CONF_UNKNOWN:
      return absl::InvalidArgumentError(
          absl::StrCat("no such kafka property \"", name, "\"",
                       DidYouMean(name, PropertyNames())));
    case RD_KAFKA_CONF_INVALID:
      break;
  }
  // The message may quote the value, which may be a secret.
  if (absl::StrContains(name, "password") || absl::StrContains(name, ".pem")) {
    return absl::InvalidArgumentError(
        absl::StrCat("bad value for kafka property \"", name, "\""));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("bad value for kafka property \"", name, "\": ", error));
}

}  // namespace

void LogKafkaTrouble(int error, const char* reason) {
  LogLimited(
      LogLevel::kWarning, "kafka connection trouble",
      absl::StrCat(rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error)),
                   " ", reason));
}

void KafkaConfDeleter::operator()(rd_kafka_conf_s* conf) const {
  rd_kafka_conf_destroy(conf);
}

void KafkaHandleDeleter::operator()(rd_kafka_s* handle) const {
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

absl::StatusOr<KafkaConf> MakeKafkaConf(const KafkaProperties& defaults,
                                        const KafkaProperties& properties,
                                        const KafkaProperties& fixed) {
  KafkaConf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  for (const auto& [name, value] : defaults) {
    RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  for (const auto& [name, value] : properties) {
    if (fixed.count(name) > 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "kafka property \"", name, "\" is Tidegate's own and cannot be set"));
    }
    RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  for (const auto& [name, value] : fixed) {
    RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  return conf;
}

absl::StatusOr<KafkaHandle> MakeKafkaHandle(KafkaRole role, KafkaConf conf) {
  char error[kErrorBytes];
  rd_kafka_t* const handle = rd_kafka_new(
      role == KafkaRole::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
      conf.get(), error, sizeof(error));
  if (handle == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot make a kafka client: ", error));
  }
  (void)conf.release();  // the handle owns it now
  return KafkaHandle(handle);
}

}  // namespace tidegate
