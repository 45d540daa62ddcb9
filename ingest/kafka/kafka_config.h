// librdkafka configuration from a map of its own property names. Private to
// this folder; librdkafka's types are only named here.
#ifndef TIDEGATE_INGEST_KAFKA_KAFKA_CONFIG_H_
#define TIDEGATE_INGEST_KAFKA_KAFKA_CONFIG_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

extern "C" {
struct rd_kafka_s;
struct rd_kafka_conf_s;
}

namespace tidegate {

// librdkafka's property names, e.g. {"bootstrap.servers", "host:9092"}.
using KafkaProperties = std::map<std::string, std::string>;

struct KafkaConfDeleter {
  void operator()(rd_kafka_conf_s* conf) const;
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_s, KafkaConfDeleter>;

// Destroys without closing a consumer: none of ours is in a group.
struct KafkaHandleDeleter {
  void operator()(rd_kafka_s* handle) const;
};
using KafkaHandle = std::unique_ptr<rd_kafka_s, KafkaHandleDeleter>;

// `defaults` yield to `properties`; a property that is in `fixed` is refused,
// as it would break the caller's promises. InvalidArgument names an unknown
// property and the nearest one. Log lines and client errors go to base/log.h,
// at most kMaxKafkaLogLinesPerSecond of them.
absl::StatusOr<KafkaConf> MakeKafkaConf(const KafkaProperties& defaults,
                                        const KafkaProperties& properties,
                                        const KafkaProperties& fixed);
inline constexpr int kMaxKafkaLogLinesPerSecond = 5;

// What MakeKafkaConf's error callback does; for callbacks that do more. `error`
// is librdkafka's code.
void LogKafkaTrouble(int error, const char* reason);

enum class KafkaRole { kConsumer, kProducer };
absl::StatusOr<KafkaHandle> MakeKafkaHandle(KafkaRole role, KafkaConf conf);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_KAFKA_KAFKA_CONFIG_H_
