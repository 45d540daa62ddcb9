#include "loadtest/bench/bare_handle.h"

#include <librdkafka/rdkafka.h>

namespace tidegate {
namespace {

using AddCallbacks = absl::FunctionRef<void(rd_kafka_conf_s*)>;

void AddNone(rd_kafka_conf_s* /*conf*/) {}

absl::StatusOr<BareHandle> Make(rd_kafka_type_t type,
                                const BareSettings& settings,
                                AddCallbacks add_callbacks) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof(error)) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return absl::InvalidArgumentError(error);
    }
  }
  add_callbacks(conf);
  rd_kafka_t* handle = rd_kafka_new(type, conf, error, sizeof(error));
  if (handle == nullptr) {
    rd_kafka_conf_destroy(conf);
    return absl::UnavailableError(error);
  }
  return BareHandle(handle);
}

}  // namespace

void BareHandleDeleter::operator()(rd_kafka_s* handle) const {
  rd_kafka_destroy(handle);
}

absl::StatusOr<BareHandle> MakeBareConsumer(const BareSettings& settings) {
  return Make(RD_KAFKA_CONSUMER, settings, AddNone);
}

absl::StatusOr<BareHandle> MakeBareProducer(const BareSettings& settings) {
  return Make(RD_KAFKA_PRODUCER, settings, AddNone);
}

absl::StatusOr<BareHandle> MakeBareProducer(const BareSettings& settings,
                                            AddCallbacks add_callbacks) {
  return Make(RD_KAFKA_PRODUCER, settings, add_callbacks);
}

}  // namespace tidegate
