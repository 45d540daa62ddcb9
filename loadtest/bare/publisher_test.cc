#include "loadtest/bare/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidegate::bare {
namespace {

TEST(MakeMessageTest, HasTheSizeAskedFor) {
  for (const size_t bytes :
       {128, 129, 137, 138, 139, 140, 300, 16'394, 16'396, 65'536}) {
    EXPECT_NEAR(static_cast<double>(MakeMessage(1, bytes).Length()),
                static_cast<double>(bytes), 1)
        << bytes;
  }
  EXPECT_EQ(MakeMessage(1).Length(), kMessageBytes);
  EXPECT_EQ(MakeMessage(1, 65'536).Length(), 65'536u);
}

// The streams that are due at `now_us`.
std::vector<size_t> Due(Publisher* publisher, int64_t now_us) {
  std::vector<size_t> streams;
  publisher->Publish(now_us, [&](size_t stream, const grpc::ByteBuffer&) {
    streams.push_back(stream);
    return true;
  });
  return streams;
}

TEST(PublisherTest, AStrideVisitsEveryStreamOnceATurn) {
  BareOptions options;
  options.streams = 10;
  options.stride = 3;
  options.rate = 100;
  options.tick_us = 50'000;
  Publisher publisher(options);
  publisher.Start(0);
  EXPECT_EQ(publisher.next_us(), 50'000);
  EXPECT_THAT(Due(&publisher, 50'000), testing::ElementsAre(0, 3, 6, 9, 2));
  EXPECT_EQ(publisher.next_us(), 100'000);
  EXPECT_THAT(Due(&publisher, 100'000), testing::ElementsAre(5, 8, 1, 4, 7));
  EXPECT_THAT(Due(&publisher, 110'000), testing::ElementsAre(0));
}

TEST(PublisherTest, ABurstIsOfAllStreamsOrNone) {
  BareOptions options;
  options.streams = 4;
  options.rate = 4'000;
  options.pattern = Pattern::kBurst;
  Publisher publisher(options);
  publisher.Start(0);
  EXPECT_THAT(Due(&publisher, 999), testing::IsEmpty());
  EXPECT_THAT(Due(&publisher, 2'500), testing::SizeIs(8));
  options.pattern = Pattern::kFlat;
  Publisher flat(options);
  flat.Start(0);
  EXPECT_THAT(Due(&flat, 2'500), testing::IsEmpty());
}

}  // namespace
}  // namespace tidegate::bare
