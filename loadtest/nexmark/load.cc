#include "loadtest/nexmark/load.h"

#include <librdkafka/rdkafka.h>

#include <fstream>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "loadtest/bench/bare_handle.h"
#include "loadtest/bench/load.h"

namespace tidegate {
namespace {

constexpr int kPollEvery = 1000;

// Deals records out to the partitions of one topic. Thread-compatible.
class Dealer {
 public:
  Dealer(rd_kafka_s* handle, std::string topic, int partitions)
      : handle_(handle), topic_(std::move(topic)), partitions_(partitions) {}
  // Where the next record goes; its offset in a topic that was empty.
  int partition() const { return static_cast<int>(count_ % partitions_); }
  int64_t offset() const { return count_ / partitions_; }
  absl::Status Send(const std::string& value) {
    RETURN_IF_ERROR(ProduceRecord(handle_, topic_, partition(), "", value));
    if (++count_ % kPollEvery == 0) rd_kafka_poll(handle_, 0);
    return absl::OkStatus();
  }

 private:
  rd_kafka_s* const handle_;
  const std::string topic_;
  const int partitions_;
  int64_t count_ = 0;
};

absl::Status LoadSide(rd_kafka_s* handle, const std::string& topic) {
  for (int64_t key = 0; key < kNexmarkSideRows; ++key) {
    RETURN_IF_ERROR(ProduceRecord(
        handle, topic, 0, absl::StrCat(key),
        absl::StrCat(R"({"key":)", key, R"(,"value":"side )", key, R"("})")));
  }
  return absl::OkStatus();
}

void WriteBid(const Dealer& dealer, const NexmarkBid& bid, std::ofstream* out) {
  *out << absl::StrCat(dealer.partition(), ",", dealer.offset(), ",",
                       bid.auction, ",", bid.bidder, ",", bid.price, ",",
                       bid.channel, ",", bid.url, ",", bid.date_time_us, ",",
                       bid.extra, "\n");
}

absl::Status LoadEvents(const NexmarkLoad& load, rd_kafka_s* handle,
                        std::ofstream* csv) {
  const NexmarkGenerator generator(load.options);
  Dealer persons(handle, load.prefix + "-person", load.partitions);
  Dealer auctions(handle, load.prefix + "-auction", load.partitions);
  Dealer bids(handle, load.prefix + "-bid", load.partitions);
  std::string value;
  for (int64_t event = 0; event < load.events; ++event) {
    switch (NexmarkKindOf(event)) {
      case NexmarkKind::kPerson:
        EncodePerson(generator.Person(event), &value);
        RETURN_IF_ERROR(persons.Send(value));
        break;
      case NexmarkKind::kAuction:
        EncodeAuction(generator.Auction(event), &value);
        RETURN_IF_ERROR(auctions.Send(value));
        break;
      case NexmarkKind::kBid: {
        const NexmarkBid bid = generator.Bid(event);
        EncodeBid(bid, &value);
        if (csv->is_open()) WriteBid(bids, bid, csv);
        RETURN_IF_ERROR(bids.Send(value));
        break;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LoadNexmark(const NexmarkLoad& load) {
  for (const char* name : {"-person", "-auction", "-bid"}) {
    RETURN_IF_ERROR(CreateBenchTopic(load.bootstrap_servers, load.prefix + name,
                                     load.partitions));
  }
  RETURN_IF_ERROR(
      CreateBenchTopic(load.bootstrap_servers, load.prefix + "-side", 1));
  std::ofstream csv;
  if (!load.csv.empty()) csv.open(load.csv, std::ios::trunc);
  ASSIGN_OR_RETURN(
      const BareHandle handle,
      MakeBareProducer({{"bootstrap.servers", load.bootstrap_servers},
                        {"enable.idempotence", "true"},
                        {"linger.ms", "20"},
                        {"queue.buffering.max.messages", "1000000"}}));
  RETURN_IF_ERROR(LoadSide(handle.get(), load.prefix + "-side"));
  RETURN_IF_ERROR(LoadEvents(load, handle.get(), &csv));
  if (csv.is_open()) csv.close();
  if (!csv) {
    return absl::InternalError(absl::StrCat("cannot write ", load.csv));
  }
  return FlushRecords(handle.get());
}

}  // namespace tidegate
