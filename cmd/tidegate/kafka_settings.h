// The flags that reach Kafka, for every command that has them.
#ifndef TIDEGATE_CMD_TIDEGATE_KAFKA_SETTINGS_H_
#define TIDEGATE_CMD_TIDEGATE_KAFKA_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cmd/tidegate/flags.h"

namespace tidegate {

// --bootstrap-servers, --kafka-property and --kafka.config.
std::vector<Flag> KafkaFlags();

// As librdkafka's properties: the file, then --bootstrap-servers, then
// --kafka-property; the last one wins.
absl::StatusOr<std::map<std::string, std::string>> KafkaSettings(
    const Arguments& arguments);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_KAFKA_SETTINGS_H_
