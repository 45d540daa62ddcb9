#include "loadtest/nexmark/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/coding.h"

namespace tidegate {
namespace {

constexpr int64_t kEvents = 50'000;

TEST(NexmarkGeneratorTest, ProportionsAndIds) {
  const NexmarkGenerator generator(NexmarkOptions{});
  std::map<NexmarkKind, int64_t> counts;
  for (int64_t event = 0; event < kEvents; ++event) {
    const NexmarkKind kind = NexmarkKindOf(event);
    const int64_t nth = counts[kind]++;
    if (kind == NexmarkKind::kPerson) {
      EXPECT_EQ(generator.Person(event).id, kFirstPersonId + nth);
    } else if (kind == NexmarkKind::kAuction) {
      EXPECT_EQ(generator.Auction(event).id, kFirstAuctionId + nth);
    }
    ASSERT_EQ(NexmarkBids(event + 1), counts[NexmarkKind::kBid]) << event;
  }
  EXPECT_EQ(counts[NexmarkKind::kPerson], kEvents / 50);
  EXPECT_EQ(counts[NexmarkKind::kAuction], kEvents / 50 * 3);
  EXPECT_EQ(counts[NexmarkKind::kBid], kEvents / 50 * 46);
}

TEST(NexmarkGeneratorTest, ReferencesExistAndSomeAreHot) {
  const NexmarkGenerator generator(NexmarkOptions{});
  int64_t persons = 0;
  int64_t auctions = 0;
  int64_t bids = 0;
  int64_t hot_auctions = 0;
  int64_t hot_bidders = 0;
  for (int64_t event = 0; event < kEvents; ++event) {
    switch (NexmarkKindOf(event)) {
      case NexmarkKind::kPerson:
        ++persons;
        break;
      case NexmarkKind::kAuction: {
        ++auctions;
        const NexmarkAuction auction = generator.Auction(event);
        ASSERT_GE(auction.seller, kFirstPersonId);
        ASSERT_LT(auction.seller, kFirstPersonId + persons);
        ASSERT_GT(auction.expires_us, auction.date_time_us);
        ASSERT_GE(auction.reserve, auction.initial_bid);
        break;
      }
      case NexmarkKind::kBid: {
        ++bids;
        const NexmarkBid bid = generator.Bid(event);
        ASSERT_GE(bid.auction, kFirstAuctionId);
        ASSERT_LT(bid.auction, kFirstAuctionId + auctions);
        ASSERT_GE(bid.bidder, kFirstPersonId);
        ASSERT_LT(bid.bidder, kFirstPersonId + persons);
        ASSERT_GE(bid.price, 100);
        ASSERT_LE(bid.price, 100'000'000);
        if ((bid.auction - kFirstAuctionId) % 100 == 0) ++hot_auctions;
        if ((bid.bidder - kFirstPersonId) % 100 == 1) ++hot_bidders;
        break;
      }
    }
  }
  EXPECT_NEAR(static_cast<double>(hot_auctions) / static_cast<double>(bids),
              0.5, 0.02);
  EXPECT_NEAR(static_cast<double>(hot_bidders) / static_cast<double>(bids),
              0.75, 0.02);
}

TEST(NexmarkGeneratorTest, OutOfOrderWithinTheBoundAndNoFurther) {
  NexmarkOptions options;
  options.event_rate = 1000;
  options.out_of_order_us = 2'000'000;
  const NexmarkGenerator generator(options);
  int64_t newest = 0;
  int64_t most = 0;
  for (int64_t event = 4; event < kEvents; ++event) {
    if (NexmarkKindOf(event) != NexmarkKind::kBid) continue;
    const int64_t time = generator.Bid(event).date_time_us;
    ASSERT_LE(time, options.start_us + event * 1000);
    newest = std::max(newest, time);
    most = std::max(most, newest - time);
  }
  EXPECT_LT(most, 2'000'000);
  EXPECT_GT(most, 1'900'000);
}

TEST(NexmarkGeneratorTest, TheSameFromASeedAndAnotherFromAnother) {
  NexmarkOptions options;
  std::string first;
  std::string second;
  EncodeBid(NexmarkGenerator(options).Bid(44), &first);
  EncodeBid(NexmarkGenerator(options).Bid(44), &second);
  EXPECT_EQ(first, second);
  options.seed = 2;
  EncodeBid(NexmarkGenerator(options).Bid(44), &second);
  EXPECT_NE(first, second);
}

TEST(NexmarkGeneratorTest, OneEventSaysNothingOfTheNext) {
  const NexmarkGenerator generator(NexmarkOptions{});
  std::map<int64_t, int64_t> prices;
  for (int64_t event = 0; event < kEvents; ++event) {
    if (NexmarkKindOf(event) != NexmarkKind::kBid) continue;
    ++prices[generator.Bid(event).price];
  }
  // Even over six decades: half lie below a thousand, in hundredths.
  int64_t below = 0;
  for (const auto& [price, count] : prices) {
    if (price < 100'000) below += count;
  }
  EXPECT_NEAR(
      static_cast<double>(below) / static_cast<double>(NexmarkBids(kEvents)),
      0.5, 0.02);
  NexmarkBid last = generator.Bid(4);
  for (int64_t event = 5; event < kNexmarkEpoch; ++event) {
    const NexmarkBid bid = generator.Bid(event);
    EXPECT_NE(bid.price, last.price) << event;
    EXPECT_NE(bid.extra.substr(0, 8), last.extra.substr(0, 8)) << event;
    last = bid;
  }
}

TEST(NexmarkGeneratorTest, SizesAreAboutWhatTheModelSays) {
  const NexmarkGenerator generator(NexmarkOptions{});
  std::map<NexmarkKind, double> bytes;
  std::string out;
  for (int64_t event = 0; event < kEvents; ++event) {
    const NexmarkKind kind = NexmarkKindOf(event);
    if (kind == NexmarkKind::kPerson) {
      EncodePerson(generator.Person(event), &out);
    } else if (kind == NexmarkKind::kAuction) {
      EncodeAuction(generator.Auction(event), &out);
    } else {
      EncodeBid(generator.Bid(event), &out);
    }
    bytes[kind] += static_cast<double>(out.size());
  }
  constexpr double kEpochs = static_cast<double>(kEvents) / kNexmarkEpoch;
  EXPECT_NEAR(bytes[NexmarkKind::kPerson] / kEpochs, 200, 30);
  EXPECT_NEAR(bytes[NexmarkKind::kAuction] / kEpochs / 3, 500, 50);
  EXPECT_NEAR(bytes[NexmarkKind::kBid] / kEpochs / 46, 155, 20);
}

}  // namespace
}  // namespace tidegate
