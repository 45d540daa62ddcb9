// The events of Nexmark, an auction house, by its published model: of 50 events
// one is a person, three are auctions and 46 are bids; some auctions, bidders
// and sellers are hot; prices are spread evenly over their logarithm. Every
// event follows from the seed and its number alone. Pure.
#ifndef TIDEGATE_LOADTEST_NEXMARK_GENERATOR_H_
#define TIDEGATE_LOADTEST_NEXMARK_GENERATOR_H_

#include <cstdint>
#include <string>

namespace tidegate {

inline constexpr int64_t kNexmarkPersons = 1;    // of kNexmarkEpoch events
inline constexpr int64_t kNexmarkAuctions = 3;   // the next ones
inline constexpr int64_t kNexmarkEpoch = 50;     // the rest are bids
inline constexpr int64_t kFirstPersonId = 1000;  // both count up from there
inline constexpr int64_t kFirstAuctionId = 1000;
inline constexpr int64_t kFirstCategory = 10;

struct NexmarkOptions {
  uint64_t seed = 1;
  int64_t event_rate = 10'000;  // events a second of event time
  // An event is less than so much older than its turn: what the watermark's
  // bound must be at least. At least 1.
  int64_t out_of_order_us = 4'000'000;
  int64_t start_us = 1'436'947'140'000'000;  // 2015-07-15T07:59:00Z
};

struct NexmarkPerson {
  int64_t id = 0;
  std::string name;
  std::string email_address;
  std::string credit_card;
  std::string city;
  std::string state;
  int64_t date_time_us = 0;
  std::string extra;
};

struct NexmarkAuction {
  int64_t id = 0;
  std::string item_name;
  std::string description;
  int64_t initial_bid = 0;
  int64_t reserve = 0;
  int64_t date_time_us = 0;
  int64_t expires_us = 0;
  int64_t seller = 0;
  int64_t category = 0;
  std::string extra;
};

struct NexmarkBid {
  int64_t auction = 0;
  int64_t bidder = 0;
  int64_t price = 0;
  std::string channel;
  std::string url;
  int64_t date_time_us = 0;
  std::string extra;
};

enum class NexmarkKind : uint8_t { kPerson, kAuction, kBid };

NexmarkKind NexmarkKindOf(int64_t event);
// How many of the events [0, events) are bids.
int64_t NexmarkBids(int64_t events);

// Immutable; thread-safe. Each takes the number of an event of its kind.
class NexmarkGenerator {
 public:
  explicit NexmarkGenerator(const NexmarkOptions& options)
      : options_(options) {}
  NexmarkPerson Person(int64_t event) const;
  NexmarkAuction Auction(int64_t event) const;
  NexmarkBid Bid(int64_t event) const;

 private:
  const NexmarkOptions options_;
};

// The messages of nexmark.proto; `out` is cleared first.
void EncodePerson(const NexmarkPerson& person, std::string* out);
void EncodeAuction(const NexmarkAuction& auction, std::string* out);
void EncodeBid(const NexmarkBid& bid, std::string* out);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_NEXMARK_GENERATOR_H_
