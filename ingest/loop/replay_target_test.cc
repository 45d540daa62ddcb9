#include "ingest/loop/replay_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Diverted For(std::string view, std::vector<EventTime> windows = {}) {
  Diverted one;
  one.view = std::move(view);
  one.windows = std::move(windows);
  return one;
}

TEST(ReplayTargetTest, ReadsWhatItWrites) {
  const std::string text = FormatReplayTarget(
      {For("b"), For("a", {EventTime(-60), EventTime(0)}), For("c")});
  EXPECT_EQ(text, "b,a@-60/0,c");
  const auto target = ParseReplayTarget(text);
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_THAT(*target,
              ElementsAre(Pair("a", ElementsAre(EventTime(-60), EventTime(0))),
                          Pair("b", ElementsAre()), Pair("c", ElementsAre())));
}

TEST(ReplayTargetTest, RefusesWhatIsNoTarget) {
  for (const auto& [text, message] :
       std::vector<std::pair<const char*, const char*>>{
           {"", "without a name"},
           {"a,,b", "without a name"},
           {"@5", "without a name"},
           {"a,a", "named twice: a"},
           {"a@", "not a window's start"},
           {"a@1/x", "start=x"},
           {"a@99999999999999999999", "not a window's start"}}) {
    const auto target = ParseReplayTarget(text);
    EXPECT_TRUE(absl::IsInvalidArgument(target.status())) << text;
    EXPECT_THAT(std::string(target.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace tidegate
