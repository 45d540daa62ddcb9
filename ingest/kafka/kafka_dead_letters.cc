#include "ingest/kafka/kafka_dead_letters.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "ingest/kafka/dead_letter_headers.h"
#include "ingest/kafka/kafka_headers.h"

namespace tidegate {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

KafkaProperties Defaults() {
  // A letter is at most a record and its headers; the broker is the judge of
  // what is too large, and the wait for it has no end of its own.
  return {{"linger.ms", "5"},
          {"message.max.bytes", "1000000000"},
          {"message.timeout.ms", "0"},
          {"reconnect.backoff.max.ms", "1000"},
          {"queue.buffering.max.messages",
           absl::StrCat(2 * kMaxPendingDeadLetters)}};
}

KafkaProperties Fixed() {
  return {{"acks", "all"}, {"enable.idempotence", "true"}};
}

void* Data(std::optional<std::string>& bytes) {
  return bytes.has_value() ? bytes->data() : nullptr;
}

size_t Size(const std::optional<std::string>& bytes) {
  return bytes.has_value() ? bytes->size() : 0;
}

class KafkaDeadLetterWriter : public DeadLetterWriter {
 public:
  explicit KafkaDeadLetterWriter(KafkaProperties properties)
      : properties_(std::move(properties)) {}

  absl::Status Open() {
    handle_.reset();
    ASSIGN_OR_RETURN(KafkaConf conf,
                     MakeKafkaConf(Defaults(), properties_, Fixed()));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivery);
    ASSIGN_OR_RETURN(handle_,
                     MakeKafkaHandle(KafkaRole::kProducer, std::move(conf)));
    return absl::OkStatus();
  }

  absl::Status Write(DeadLetter letter) override {
    if (pending_.size() >= kMaxPendingDeadLetters) {
      const auto deadline =
          SteadyClock::now() + milliseconds(kDeadLetterRoomWaitMs);
      while (pending_.size() >= kMaxPendingDeadLetters) {
        if (SteadyClock::now() >= deadline) {
          return absl::ResourceExhaustedError(absl::StrCat(
              "dead letters waiting for the broker: ", pending_.size()));
        }
        rd_kafka_poll(handle_.get(), kPollMs);
      }
    }
    const uint64_t id = next_id_++;
    Pending& pending = pending_[id];
    pending.letter = std::move(letter);
    Send(id, pending);
    rd_kafka_poll(handle_.get(), 0);
    return absl::OkStatus();
  }

  absl::Status Flush(int timeout_ms) override {
    const auto deadline = SteadyClock::now() + milliseconds(timeout_ms);
    RETURN_IF_ERROR(ReopenIfBroken());
    std::vector<uint64_t> again;
    for (const auto& [id, pending] : pending_) {
      if (!pending.sent) again.push_back(id);
    }
    last_error_.clear();
    for (const uint64_t id : again) Send(id, pending_[id]);
    while (!pending_.empty()) {
      const auto left = std::chrono::duration_cast<milliseconds>(
          deadline - SteadyClock::now());
      if (left.count() <= 0) break;
      const int wait_ms = std::min<int>(kPollMs, left.count());
      // Hurries what lingers; with nothing under way it would not wait.
      rd_kafka_flush(handle_.get(), wait_ms);
      if (!last_error_.empty()) rd_kafka_poll(handle_.get(), wait_ms);
    }
    if (pending_.empty()) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("dead letters not yet acknowledged: ", pending_.size(),
                     last_error_.empty() ? "" : ": ", last_error_));
  }

 private:
  static constexpr int kPollMs = 50;

  struct Pending {
    DeadLetter letter;
    bool sent = false;  // librdkafka has it
  };

  // `opaque` of a message is its id: a letter may be gone or sent again.
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message,
                         void* opaque) {
    auto* const writer = static_cast<KafkaDeadLetterWriter*>(opaque);
    const auto id = reinterpret_cast<uintptr_t>(message->_private);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      writer->pending_.erase(id);
      return;
    }
    const auto found = writer->pending_.find(id);
    if (found == writer->pending_.end()) return;
    found->second.sent = false;
    writer->Failed(found->second.letter, message->err);
  }

  void Failed(const DeadLetter& letter, rd_kafka_resp_err_t error) {
    last_error_ = absl::StrCat(
        "dead letter topic=", letter.topic, " from topic=", letter.source_topic,
        " partition=", letter.partition.value(),
        " offset=", letter.offset.value(), ": ", rd_kafka_err2str(error));
  }

  // Leaves it unsent, for the next Flush, if librdkafka does not take it.
  void Send(uint64_t id, Pending& pending) {
    DeadLetter& letter = pending.letter;
    rd_kafka_headers_t* const headers =
        MakeKafkaHeaders(DeadLetterHeaders(letter));
    // The letter stays in pending_ (whose nodes do not move) until it is
    // acknowledged, but a broken handle may outlive that: copy.
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(letter.topic.c_str()),
        RD_KAFKA_V_KEY(Data(letter.key), Size(letter.key)),
        RD_KAFKA_V_VALUE(Data(letter.value), Size(letter.value)),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a number, handed back.
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<uintptr_t>(id))),
        RD_KAFKA_V_END);
    pending.sent = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (pending.sent) return;
    rd_kafka_headers_destroy(headers);
    Failed(letter, error);
  }

  // An idempotent producer that lost its place with the broker can only be
  // replaced; what it had not delivered is sent again.
  absl::Status ReopenIfBroken() {
    char text[256];
    const rd_kafka_resp_err_t error =
        rd_kafka_fatal_error(handle_.get(), text, sizeof(text));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
    Log(LogLevel::kWarning, "dead-letter producer replaced",
        {{"detail", text}, {"pending", pending_.size()}});
    for (auto& [id, pending] : pending_) pending.sent = false;
    return Open();
  }

  const KafkaProperties properties_;
  std::map<uint64_t, Pending> pending_;  // by id; ordered as they came
  uint64_t next_id_ = 1;
  std::string last_error_;  // since the last Flush began
  KafkaHandle handle_;      // dies first: its callbacks use the rest
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeadLetterWriter>> MakeKafkaDeadLetterWriter(
    const KafkaProperties& properties) {
  auto writer = std::make_unique<KafkaDeadLetterWriter>(properties);
  RETURN_IF_ERROR(writer->Open());
  return writer;
}

}  // namespace tidegate
