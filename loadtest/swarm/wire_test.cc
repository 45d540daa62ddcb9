#include "loadtest/swarm/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "loadtest/swarm/message_reader.h"

namespace tidegate::swarm {
namespace {

using std::string_literals::operator""s;

TEST(WireTest, DealsKeysOutInTurn) {
  const std::vector<std::string> keys = {"a", "b", "c"};
  EXPECT_EQ(EncodeSubscribe({.view = "v",
                             .keys = keys,
                             .first_key = 2,
                             .key_count = 2,
                             .token = "t",
                             .progress_ms = 1'000}),
            "\x0a\1v\x12\1c\x12\1a\x2a\1t\x42\4\x08\1\x10\0"s);
  EXPECT_EQ(EncodeSubscribe({.view = "v", .key_count = 1}), "\x0a\1v"s);
}

TEST(WireTest, NamesAndStamps) {
  EXPECT_EQ(CodeName(14), "UNAVAILABLE");
  EXPECT_EQ(CodeName(99), "99");
  EXPECT_EQ(ResetCauseName(1), "HISTORY_TRIMMED");
  EXPECT_TRUE(MayRetry(14));
  EXPECT_FALSE(MayRetry(3));
  EXPECT_EQ(RawStamp("\x09\1\0\0\0\0\0\0\0rest"s), 1);
  EXPECT_EQ(RawStamp("\x0a\1x"s), 0);
}

TEST(MessageReaderTest, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string whole = "\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\2de"s;
  for (size_t one = 0; one <= whole.size(); ++one) {
    for (size_t two = one; two <= whole.size(); ++two) {
      MessageReader reader;
      std::vector<std::string> messages;
      const auto take = [&](size_t from, size_t to) {
        return reader.Take(
            whole.substr(from, to - from),
            [&](absl::string_view message) { messages.emplace_back(message); });
      };
      ASSERT_TRUE(take(0, one).ok());
      ASSERT_TRUE(take(one, two).ok());
      ASSERT_TRUE(take(two, whole.size()).ok());
      EXPECT_EQ(messages, (std::vector<std::string>{"abc", "", "de"}));
    }
  }
}

TEST(MessageReaderTest, RefusesCompressedAndHugeMessages) {
  const auto ignore = [](absl::string_view) {};
  EXPECT_FALSE(MessageReader().Take("\1\0\0\0\1x"s, ignore).ok());
  EXPECT_FALSE(MessageReader().Take("\0\xff\xff\xff\xff"s, ignore).ok());
}

}  // namespace
}  // namespace tidegate::swarm
