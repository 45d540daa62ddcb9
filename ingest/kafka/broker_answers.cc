#include "ingest/kafka/broker_answers.h"

#include <simdjson.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

namespace dom = simdjson::dom;

// Above every cluster's; a partition's id is an index here.
constexpr int64_t kMaxPartitionId = 1'000'000;
// One that was under way at the first look, one that was asked after it and
// has been answered before the next could be asked.
constexpr int64_t kFetchesUntilAnswered = 2;

absl::Status NotUnderstood(absl::string_view where) {
  return absl::InvalidArgumentError(
      absl::StrCat("statistics not understood at \"", where, "\""));
}

template <typename T>
absl::Status Get(const dom::element& object, const char* name, T* value) {
  if (object[name].get(*value) != simdjson::SUCCESS) return NotUnderstood(name);
  return absl::OkStatus();
}

std::map<std::string, int, std::less<>> Numbered(
    const std::vector<std::string>& topics) {
  std::map<std::string, int, std::less<>> numbers;
  for (size_t i = 0; i < topics.size(); ++i) {
    numbers[topics[i]] = static_cast<int>(i);
  }
  return numbers;
}

}  // namespace

struct BrokerAnswers::Look {
  int topic = 0;
  int64_t partition = 0;
  int64_t broker = -1;  // it is fetched from; -1: from none
};

class BrokerAnswers::Parser {
 public:
  // What it hands out is valid until the next call.
  absl::StatusOr<dom::element> Parse(absl::string_view text) {
    dom::element root;
    if (parser_.parse(text.data(), text.size()).get(root) !=
        simdjson::SUCCESS) {
      return NotUnderstood("the whole");
    }
    return root;
  }

  static absl::Status Brokers(const dom::element& root, int64_t ts,
                              std::map<int64_t, Broker>* brokers) {
    dom::object all;
    RETURN_IF_ERROR(Get(root, "brokers", &all));
    brokers->clear();
    for (const dom::key_value_pair& named : all) {
      int64_t id = 0;
      std::string_view source;
      std::string_view state;
      Broker broker;
      int64_t idle = 0;
      RETURN_IF_ERROR(Get(named.value, "nodeid", &id));
      RETURN_IF_ERROR(Get(named.value, "source", &source));
      // The coordinator has a connection of its own; a broker that is only
      // known by its address has no partitions yet.
      if (id < 0 || source == "logical" || source == "internal") continue;
      RETURN_IF_ERROR(Get(named.value, "state", &state));
      RETURN_IF_ERROR(Get(named.value, "connects", &broker.connects));
      RETURN_IF_ERROR(Get(named.value, "rxidle", &idle));
      dom::element requests;
      RETURN_IF_ERROR(Get(named.value, "req", &requests));
      RETURN_IF_ERROR(Get(requests, "Fetch", &broker.fetches));
      broker.up = state == "UP";
      if (idle >= 0) broker.heard_us = ts - idle;
      (*brokers)[id] = broker;
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<Look> Partition(const dom::element& value) {
    Look look;
    int64_t leader = 0;
    bool unknown = false;
    std::string_view state;
    RETURN_IF_ERROR(Get(value, "partition", &look.partition));
    RETURN_IF_ERROR(Get(value, "broker", &look.broker));
    RETURN_IF_ERROR(Get(value, "leader", &leader));
    RETURN_IF_ERROR(Get(value, "unknown", &unknown));
    RETURN_IF_ERROR(Get(value, "fetch_state", &state));
    if (leader < 0 || unknown || state != "active") look.broker = -1;
    return look;
  }

 private:
  dom::parser parser_;
};

BrokerAnswers::BrokerAnswers(const std::vector<std::string>& topics,
                             int64_t bound_us)
    : topics_(Numbered(topics)),
      bound_us_(bound_us),
      partitions_(topics.size()),
      parser_(std::make_unique<Parser>()) {}
BrokerAnswers::~BrokerAnswers() = default;

absl::Status BrokerAnswers::Update(absl::string_view statistics) {
  ASSIGN_OR_RETURN(const dom::element root, parser_->Parse(statistics));
  int64_t ts = 0;
  RETURN_IF_ERROR(Get(root, "ts", &ts));
  RETURN_IF_ERROR(Parser::Brokers(root, ts, &brokers_));
  dom::object topics;
  RETURN_IF_ERROR(Get(root, "topics", &topics));
  for (const dom::key_value_pair& topic : topics) {
    const auto number = topics_.find(topic.key);
    if (number == topics_.end()) continue;
    dom::object partitions;
    RETURN_IF_ERROR(Get(topic.value, "partitions", &partitions));
    for (const dom::key_value_pair& partition : partitions) {
      ASSIGN_OR_RETURN(Look look, Parser::Partition(partition.value));
      look.topic = number->second;
      Take(look);
    }
  }
  return absl::OkStatus();
}

void BrokerAnswers::Take(const Look& look) {
  // -1 is where librdkafka keeps messages without a partition.
  if (look.partition < 0 || look.partition > kMaxPartitionId) return;
  std::vector<Partition>& of_topic = partitions_[look.topic];
  const auto index = static_cast<size_t>(look.partition);
  if (index >= of_topic.size()) of_topic.resize(index + 1);
  Partition& partition = of_topic[index];
  const auto found = brokers_.find(look.broker);
  if (found == brokers_.end() || !found->second.up) {
    partition = Partition();
    return;
  }
  const Broker& broker = found->second;
  if (partition.broker != look.broker ||
      partition.connects != broker.connects) {
    partition = {look.broker, broker.connects, broker.fetches, kNever};
    return;
  }
  if (broker.heard_us != kNever &&
      broker.fetches - partition.fetches >= kFetchesUntilAnswered) {
    partition.answering_until_us = broker.heard_us + bound_us_;
  }
}

bool BrokerAnswers::Answering(int topic, PartitionId partition,
                              int64_t now_us) const {
  const std::vector<Partition>& of_topic = partitions_[topic];
  const auto index = static_cast<size_t>(partition.value());
  return index < of_topic.size() &&
         now_us <= of_topic[index].answering_until_us;
}

}  // namespace tidegate
