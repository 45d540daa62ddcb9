// librdkafka with exactly the settings given: what the product is held against.
#ifndef TIDEGATE_LOADTEST_BENCH_BARE_HANDLE_H_
#define TIDEGATE_LOADTEST_BENCH_BARE_HANDLE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

extern "C" {
struct rd_kafka_s;
struct rd_kafka_conf_s;
}

namespace tidegate {

struct BareHandleDeleter {
  void operator()(rd_kafka_s* handle) const;
};
using BareHandle = std::unique_ptr<rd_kafka_s, BareHandleDeleter>;
using BareSettings = std::vector<std::pair<const char*, std::string>>;

absl::StatusOr<BareHandle> MakeBareConsumer(const BareSettings& settings);
absl::StatusOr<BareHandle> MakeBareProducer(const BareSettings& settings);
// `add_callbacks` sets what settings cannot say.
absl::StatusOr<BareHandle> MakeBareProducer(
    const BareSettings& settings,
    absl::FunctionRef<void(rd_kafka_conf_s*)> add_callbacks);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_BENCH_BARE_HANDLE_H_
