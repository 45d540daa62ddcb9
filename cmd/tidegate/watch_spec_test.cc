#include "cmd/tidegate/watch_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::StatusOr<std::vector<WatchSpec>> Parse(
    const std::vector<std::string>& words) {
  static const auto* const commands = new std::vector<Command>{
      {.name = "watch",
       .min_arguments = 1,
       .max_arguments = -1,
       .flags = {{.name = "key", .repeated = true},
                 {.name = "key-prefix", .repeated = true},
                 {.name = "where", .repeated = true},
                 {.name = "resume", .repeated = true}}}};
  const auto arguments =
      ParseArguments(*commands, commands->front(), words, {});
  if (!arguments.ok()) return arguments.status();
  return ParseWatchSpecs(*arguments);
}

// A single view's values are taken as they are, whatever they begin with.
TEST(WatchSpecTest, OneView) {
  const auto got = Parse(
      {"v", "--key", "a", "--key=v:b", "--where", "v = ':'", "--resume=dA=="});
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), 1u);
  const WatchSpec& spec = got->front();
  EXPECT_EQ(spec.view, "v");
  EXPECT_THAT(spec.keys, ElementsAre("a", "v:b"));
  EXPECT_THAT(spec.key_prefix, IsEmpty());
  EXPECT_EQ(spec.where, "v = ':'");
  EXPECT_EQ(spec.resume_token, "t");
}

TEST(WatchSpecTest, SeveralViews) {
  const auto got = Parse({"v", "vw", "x", "--key", "vw:a:b", "--key=vw:c",
                          "--key-prefix", "v:a=1", "--where=x:n > 1", "--where",
                          "v:m = ':'", "--resume=x:dA=="});
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), 3u);
  EXPECT_EQ((*got)[0].view, "v");
  EXPECT_THAT((*got)[0].keys, IsEmpty());
  EXPECT_THAT((*got)[0].key_prefix, ElementsAre("a=1"));
  EXPECT_EQ((*got)[0].where, "m = ':'");
  EXPECT_EQ((*got)[0].resume_token, "");
  EXPECT_EQ((*got)[1].view, "vw");
  EXPECT_THAT((*got)[1].keys, ElementsAre("a:b", "c"));
  EXPECT_EQ((*got)[1].where, "");
  EXPECT_EQ((*got)[2].view, "x");
  EXPECT_EQ((*got)[2].where, "n > 1");
  EXPECT_EQ((*got)[2].resume_token, "t");
}

TEST(WatchSpecTest, MistakesAreNamed) {
  const struct {
    std::vector<std::string> words;
    const char* message;
  } kCases[] = {
      {{"v", "v"}, "view \"v\" is named twice"},
      {{"v", "w", "--key=a"}, "--key: with several views, begin with the one"},
      {{"v", "w", "--key=w"}, "it is for, as in v:w"},
      {{"v", "w", "--where=x:n > 1"}, "--where: with several views"},
      {{"v", "--where=a", "--where=b"},
       "--where is given twice for view \"v\""},
      {{"v", "w", "--resume=w:dA==", "--resume=w:dA=="}, "--resume is given"},
      {{"v", "--key-prefix=a", "--key-prefix=b"}, "--key-prefix is given"},
      {{"v", "w", "--resume=dA=="}, "--resume: with several views"},
      {{"v", "--resume=?"}, "--resume: not a token of watch"},
  };
  for (const auto& c : kCases) {
    const auto got = Parse(c.words);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(got.status().message(), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace tidegate
