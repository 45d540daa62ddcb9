#include "loadtest/nexmark/generator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/coding.h"

namespace tidegate {
namespace {

// One of so many goes to what is not hot.
constexpr uint64_t kHotAuctionRatio = 2;
constexpr uint64_t kHotBidderRatio = 4;
constexpr uint64_t kHotSellerRatio = 4;
constexpr uint64_t kHotChannelRatio = 2;
// The hot one is the newest whose number divides by this.
constexpr int64_t kHotEvery = 100;
constexpr int64_t kActivePersons = 1000;  // the newest ones take part
constexpr int64_t kOpenAuctions = 100;    // the newest ones are bid for
constexpr int64_t kCategories = 5;
constexpr int64_t kChannels = 10'000;
constexpr int64_t kMaxAuctionSeconds = 60;
// Bytes of a record on average by the model; `extra` fills it up.
constexpr size_t kPersonBytes = 200;
constexpr size_t kAuctionBytes = 500;
constexpr size_t kBidBytes = 100;  // without channel and URL
constexpr size_t kBidNumberBytes = 32;

constexpr std::array<absl::string_view, 10> kFirstNames = {
    "Ada", "Ben", "Cleo", "Dora", "Emil", "Frida", "Gus", "Hana", "Ivo", "Jo"};
constexpr std::array<absl::string_view, 8> kLastNames = {
    "Abbot", "Birch", "Cole", "Drake", "Ellis", "Frost", "Grant", "Hale"};
constexpr std::array<absl::string_view, 10> kCities = {
    "Phoenix", "Los Angeles", "San Francisco", "Boise",    "Portland",
    "Bend",    "Redmond",     "Seattle",       "Cheyenne", "Kent"};
constexpr std::array<absl::string_view, 6> kStates = {"AZ", "CA", "ID",
                                                      "OR", "WA", "WY"};
constexpr std::array<absl::string_view, 4> kHotChannels = {"Google", "Facebook",
                                                           "Baidu", "Apple"};

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// SplitMix64, started anew for every event; the number is mixed first, or one
// event's sequence would be the last one's but for a step.
class Random {
 public:
  Random(uint64_t seed, int64_t event)
      : state_(Mix(Mix(seed + kStep) + static_cast<uint64_t>(event) * kStep)) {}
  uint64_t Next() { return Mix(state_ += kStep); }
  uint64_t Below(uint64_t n) { return Next() % n; }
  int64_t From(int64_t first, int64_t last) {
    return first +
           static_cast<int64_t>(Below(static_cast<uint64_t>(last - first + 1)));
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  template <size_t n>
  absl::string_view Of(const std::array<absl::string_view, n>& words) {
    return words[Below(n)];
  }
  // Even over the logarithm from 1 to a million, in hundredths.
  int64_t Price() { return std::llround(std::pow(10.0, Unit() * 6) * 100); }
  std::string Letters(size_t count) {
    std::string out(count, ' ');
    for (size_t i = 0; i < count;) {
      uint64_t bits = Next();
      for (int n = 0; n < 12 && i < count; ++n, bits /= 26) {
        out[i++] = static_cast<char>('a' + bits % 26);
      }
    }
    return out;
  }
  // What brings a record of `bytes` to `wanted`, give or take a fifth.
  std::string Extra(size_t bytes, size_t wanted) {
    if (bytes >= wanted) return {};
    const size_t missing = wanted - bytes;
    const size_t spread = missing / 5;
    return Letters(missing - spread + Below(2 * spread + 1));
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  uint64_t state_;
};

int64_t EpochOf(int64_t event) { return event / kNexmarkEpoch; }
int64_t InEpoch(int64_t event) { return event % kNexmarkEpoch; }

// The newest person and auction that exist at `event`, itself included, by
// number from 0; -1: there is none yet.
int64_t NewestPerson(int64_t event) { return EpochOf(event); }
int64_t NewestAuction(int64_t event) {
  const int64_t of_this = std::clamp<int64_t>(
      InEpoch(event) - kNexmarkPersons + 1, 0, kNexmarkAuctions);
  return EpochOf(event) * kNexmarkAuctions + of_this - 1;
}

int64_t TimeOf(const NexmarkOptions& options, int64_t event, Random* random) {
  // Whole seconds first: event * 1'000'000 would overflow after 9e12 events.
  const int64_t turn_us =
      event / options.event_rate * 1'000'000 +
      event % options.event_rate * 1'000'000 / options.event_rate;
  return options.start_us + turn_us -
         static_cast<int64_t>(
             random->Below(static_cast<uint64_t>(options.out_of_order_us)));
}

int64_t PickPerson(int64_t event, uint64_t hot_ratio, int64_t hot_offset,
                   Random* random) {
  const int64_t newest = NewestPerson(event);
  if (!random->OneIn(hot_ratio)) {
    const int64_t hot = newest / kHotEvery * kHotEvery + hot_offset;
    return kFirstPersonId + std::min(hot, newest);
  }
  return kFirstPersonId +
         random->From(std::max<int64_t>(0, newest - kActivePersons + 1),
                      newest);
}

int64_t PickAuction(int64_t event, Random* random) {
  const int64_t newest = NewestAuction(event);
  if (!random->OneIn(kHotAuctionRatio)) {
    return kFirstAuctionId + newest / kHotEvery * kHotEvery;
  }
  return kFirstAuctionId +
         random->From(std::max<int64_t>(0, newest - kOpenAuctions + 1), newest);
}

void PickChannel(Random* random, NexmarkBid* bid) {
  const std::string path = random->Letters(5);
  if (!random->OneIn(kHotChannelRatio)) {
    bid->channel = std::string(random->Of(kHotChannels));
    bid->url =
        absl::StrCat("https://nexmark.example/",
                     absl::AsciiStrToLower(bid->channel), "/item.htm?query=1");
    return;
  }
  const int64_t channel = random->From(0, kChannels - 1);
  bid->channel = absl::StrCat("channel-", channel);
  bid->url = absl::StrCat("https://nexmark.example/", path,
                          "/item.htm?query=1&channel_id=", channel);
}

void PutInt(std::string* out, uint32_t field, int64_t value) {
  PutTag(out, field, WireType::kVarint);
  PutVarint64(out, static_cast<uint64_t>(value));
}

void PutText(std::string* out, uint32_t field, absl::string_view value) {
  PutTag(out, field, WireType::kLengthDelimited);
  PutLengthPrefixed(out, value);
}

void PutTime(std::string* out, uint32_t field, int64_t micros) {
  std::string timestamp;
  PutInt(&timestamp, 1, micros / 1'000'000);
  PutInt(&timestamp, 2, micros % 1'000'000 * 1000);
  PutText(out, field, timestamp);
}

}  // namespace

NexmarkKind NexmarkKindOf(int64_t event) {
  const int64_t place = InEpoch(event);
  if (place < kNexmarkPersons) return NexmarkKind::kPerson;
  return place < kNexmarkPersons + kNexmarkAuctions ? NexmarkKind::kAuction
                                                    : NexmarkKind::kBid;
}

int64_t NexmarkBids(int64_t events) {
  constexpr int64_t kOthers = kNexmarkPersons + kNexmarkAuctions;
  return EpochOf(events) * (kNexmarkEpoch - kOthers) +
         std::max<int64_t>(0, InEpoch(events) - kOthers);
}

NexmarkPerson NexmarkGenerator::Person(int64_t event) const {
  Random random(options_.seed, event);
  NexmarkPerson person;
  person.date_time_us = TimeOf(options_, event, &random);
  person.id = kFirstPersonId + NewestPerson(event);
  person.name =
      absl::StrCat(random.Of(kFirstNames), " ", random.Of(kLastNames));
  person.email_address =
      absl::StrCat(random.Letters(7), "@", random.Letters(5), ".example");
  for (int group = 0; group < 4; ++group) {
    absl::StrAppend(&person.credit_card, group == 0 ? "" : " ",
                    random.From(1000, 9999));
  }
  person.city = std::string(random.Of(kCities));
  person.state = std::string(random.Of(kStates));
  person.extra = random.Extra(
      16 + person.name.size() + person.email_address.size() +
          person.credit_card.size() + person.city.size() + person.state.size(),
      kPersonBytes);
  return person;
}

NexmarkAuction NexmarkGenerator::Auction(int64_t event) const {
  Random random(options_.seed, event);
  NexmarkAuction auction;
  auction.date_time_us = TimeOf(options_, event, &random);
  auction.id = kFirstAuctionId + NewestAuction(event);
  auction.item_name = random.Letters(5 + random.Below(16));
  auction.description = random.Letters(20 + random.Below(81));
  auction.initial_bid = random.Price();
  auction.reserve = auction.initial_bid + random.Price();
  auction.expires_us =
      auction.date_time_us + random.From(1, kMaxAuctionSeconds) * 1'000'000;
  auction.seller = PickPerson(event, kHotSellerRatio, 0, &random);
  auction.category = kFirstCategory + random.From(0, kCategories - 1);
  auction.extra =
      random.Extra(48 + auction.item_name.size() + auction.description.size(),
                   kAuctionBytes);
  return auction;
}

NexmarkBid NexmarkGenerator::Bid(int64_t event) const {
  Random random(options_.seed, event);
  NexmarkBid bid;
  bid.date_time_us = TimeOf(options_, event, &random);
  bid.auction = PickAuction(event, &random);
  // Not the same as the hot seller.
  bid.bidder = PickPerson(event, kHotBidderRatio, 1, &random);
  bid.price = random.Price();
  PickChannel(&random, &bid);
  bid.extra = random.Extra(kBidNumberBytes, kBidBytes);
  return bid;
}

void EncodePerson(const NexmarkPerson& person, std::string* out) {
  out->clear();
  PutInt(out, 1, person.id);
  PutText(out, 2, person.name);
  PutText(out, 3, person.email_address);
  PutText(out, 4, person.credit_card);
  PutText(out, 5, person.city);
  PutText(out, 6, person.state);
  PutTime(out, 7, person.date_time_us);
  PutText(out, 8, person.extra);
}

void EncodeAuction(const NexmarkAuction& auction, std::string* out) {
  out->clear();
  PutInt(out, 1, auction.id);
  PutText(out, 2, auction.item_name);
  PutText(out, 3, auction.description);
  PutInt(out, 4, auction.initial_bid);
  PutInt(out, 5, auction.reserve);
  PutTime(out, 6, auction.date_time_us);
  PutTime(out, 7, auction.expires_us);
  PutInt(out, 8, auction.seller);
  PutInt(out, 9, auction.category);
  PutText(out, 10, auction.extra);
}

void EncodeBid(const NexmarkBid& bid, std::string* out) {
  out->clear();
  PutInt(out, 1, bid.auction);
  PutInt(out, 2, bid.bidder);
  PutInt(out, 3, bid.price);
  PutText(out, 4, bid.channel);
  PutText(out, 5, bid.url);
  PutTime(out, 6, bid.date_time_us);
  PutText(out, 7, bid.extra);
}

}  // namespace tidegate
