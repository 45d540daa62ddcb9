#include "cmd/tidegate/formats/broker_round.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ingest/kafka/embedded_broker.h"

namespace tidegate {
namespace {

TEST(BrokerRoundTest, EveryFormatComesBackAsItWent) {
  const auto broker = EmbeddedBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  BenchOptions options;
  options.bootstrap_servers = (*broker)->bootstrap_servers();
  options.partitions = 2;
  options.events = 2'500;
  const FormatPool pool = MakeFormatPool(1'000, 100);
  double last_bytes = 0;
  for (const BenchFormat format : kBenchFormats) {
    const std::string topic = absl::StrCat("orders-", FormatName(format));
    ASSERT_TRUE((*broker)->CreateTopic(topic, options.partitions).ok());
    const auto round = RunBrokerRound(options, pool, format, topic);
    ASSERT_TRUE(round.ok()) << FormatName(format) << ": " << round.status();
    EXPECT_GT(round->bytes, 10);
    EXPECT_NE(round->bytes, last_bytes);
    EXPECT_GT(round->produce.cpu_us, 0);
    EXPECT_GT(round->produce.rate, 0);
    EXPECT_GT(round->consume.cpu_us, 0);
    EXPECT_GT(round->consume.rate, 0);
    last_bytes = round->bytes;
  }
}

}  // namespace
}  // namespace tidegate
