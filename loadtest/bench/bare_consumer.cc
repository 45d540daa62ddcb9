#include "loadtest/bench/bare_consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_handle.h"

namespace tidegate {
namespace {

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const {
    rd_kafka_queue_destroy(queue);
  }
};

BareSettings Settings(const BareConsumerOptions& options) {
  return {
      {"bootstrap.servers", options.bootstrap_servers},
      {"group.id", "tidegate-bench"},
      {"enable.auto.commit", "false"},
      {"auto.offset.reset", "earliest"},
      {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", "262144"},
      {"fetch.wait.max.ms", absl::StrCat(options.fetch_wait_max_ms)},
  };
}

}  // namespace

absl::Status ConsumeBare(
    const BareConsumerOptions& options, const std::function<void()>& ready,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)>
        sink,
    const std::function<bool()>& stopped) {
  ASSIGN_OR_RETURN(const BareHandle made, MakeBareConsumer(Settings(options)));
  rd_kafka_t* const handle = made.get();
  rd_kafka_poll_set_consumer(handle);
  std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter> list(
      rd_kafka_topic_partition_list_new(options.partitions));
  for (int partition = 0; partition < options.partitions; ++partition) {
    rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(),
                                      partition)
        ->offset =
        options.from_end ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
  }
  if (const auto error = rd_kafka_assign(handle, list.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::UnavailableError(rd_kafka_err2str(error));
  }
  std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(
      rd_kafka_queue_get_consumer(handle));
  std::array<rd_kafka_message_t*, kMaxBareBatch> batch;
  const size_t wanted =
      static_cast<size_t>(std::clamp(options.batch, 1, kMaxBareBatch));
  ready();
  bool more = true;
  while (more && !stopped()) {
    const ssize_t n =
        rd_kafka_consume_batch_queue(queue.get(), 100, batch.data(), wanted);
    if (n < 0) return absl::UnavailableError("consuming failed");
    for (ssize_t i = 0; i < n; ++i) {
      const rd_kafka_message_t* message = batch[static_cast<size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && more) {
        more = sink({static_cast<const char*>(message->key), message->key_len},
                    {static_cast<const char*>(message->payload), message->len});
      }
      rd_kafka_message_destroy(batch[static_cast<size_t>(i)]);
    }
  }
  return absl::OkStatus();
}

}  // namespace tidegate
