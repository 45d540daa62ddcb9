#include "cmd/tidegate/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<Command>& Commands() {
  static const auto* const commands = new std::vector<Command>{
      {.name = "serve",
       .summary = "serves",
       .flags = {{.name = "views", .value_name = "FILE", .required = true},
                 {.name = "data-dir", .default_value = "data"},
                 {.name = "limit", .type = FlagType::kInt},
                 {.name = "force", .type = FlagType::kSwitch},
                 {.name = "age", .type = FlagType::kDuration},
                 {.name = "size", .type = FlagType::kBytes},
                 {.name = "listen", .type = FlagType::kAddress},
                 {.name = "format",
                  .type = FlagType::kChoice,
                  .default_value = "table",
                  .choices = {"table", "json"}},
                 {.name = "kafka.config"},
                 {.name = "property", .repeated = true}}},
      {.name = "get",
       .arguments = "VIEW KEY...",
       .summary = "gets",
       .min_arguments = 2,
       .max_arguments = 3,
       .flags = {{.name = "server"}}},
      {.name = "secret", .summary = "hidden", .hidden = true}};
  return *commands;
}

struct Sources {
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;
};

absl::StatusOr<Arguments> Parse(const std::string& name,
                                const std::vector<std::string>& words,
                                const Sources& sources = {}) {
  FlagSources from;
  from.environment =
      [&](const std::string& variable) -> std::optional<std::string> {
    const auto it = sources.environment.find(variable);
    if (it == sources.environment.end()) return std::nullopt;
    return it->second;
  };
  from.read_file = [&](const std::string& path) -> absl::StatusOr<std::string> {
    const auto it = sources.files.find(path);
    if (it == sources.files.end()) return absl::NotFoundError(path);
    return it->second;
  };
  return ParseArguments(Commands(), **FindCommand(Commands(), name), words,
                        from);
}

TEST(FlagsTest, ValuesInBothForms) {
  const auto got = Parse(
      "serve", {"--views", "a.sql", "--limit=7", "--force", "--age", "5m",
                "--size=64MiB", "--listen", "[::1]:0", "--format", "json",
                "--property", "a=b", "--property=c=d;e", "--kafka.config=k"});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->text("views"), "a.sql");
  EXPECT_EQ(got->number("limit"), 7);
  EXPECT_TRUE(got->is_set("force"));
  EXPECT_EQ(got->number("age"), 300'000);
  EXPECT_EQ(got->number("size"), 64 << 20);
  EXPECT_EQ(got->text("format"), "json");
  EXPECT_THAT(got->list("property"), ElementsAre("a=b", "c=d;e"));
  EXPECT_EQ(got->text("data-dir"), "data");
  EXPECT_EQ(got->text("kafka.config"), "k");
}

TEST(FlagsTest, CommandLineOverEnvironmentOverFile) {
  const Sources sources = {
      {{"TIDEGATE_VIEWS", "from-environment"},
       {"TIDEGATE_DATA_DIR", "from-environment"},
       {"TIDEGATE_PROPERTY", "a=b; c=d"},
       {"TIDEGATE_CONFIG", "file"},
       {"TIDEGATE_KAFKA_CONFIG", "k"}},
      {{"file",
        "# comment\n\n views = from-file\ndata-dir=from-file\n"
        "limit = 3\nserver = other commands' flags are skipped\n"}}};
  const auto got = Parse("serve", {"--views", "from-line"}, sources);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->text("views"), "from-line");
  EXPECT_EQ(got->text("data-dir"), "from-environment");
  EXPECT_EQ(got->number("limit"), 3);
  EXPECT_THAT(got->list("property"), ElementsAre("a=b", "c=d"));
  EXPECT_EQ(got->text("kafka.config"), "k");
}

TEST(FlagsTest, SwitchesCanBeTurnedOff) {
  const Sources sources = {{{"TIDEGATE_FORCE", "true"}}, {}};
  EXPECT_TRUE(Parse("serve", {"--views=v"}, sources)->is_set("force"));
  EXPECT_FALSE(
      Parse("serve", {"--views=v", "--force=false"}, sources)->is_set("force"));
}

TEST(FlagsTest, Words) {
  const auto got = Parse("get", {"view", "-5", "--server", "s", "--", "--odd"});
  ASSERT_FALSE(got.ok() && got->words().size() > 3);
  const auto dashes = Parse("get", {"view", "--server=s", "--", "--odd"});
  ASSERT_TRUE(dashes.ok()) << dashes.status();
  EXPECT_THAT(dashes->words(), ElementsAre("view", "--odd"));
  EXPECT_THAT(Parse("get", {"view", "-5"})->words(), ElementsAre("view", "-5"));
}

TEST(FlagsTest, MistakesAreNamedWithASuggestion) {
  const struct {
    const char* command;
    std::vector<std::string> words;
    const char* message;
  } kCases[] = {
      {"serve", {"--view", "x"}, "unknown flag \"--view\", did you mean"},
      {"serve", {}, "--views is missing (or TIDEGATE_VIEWS)"},
      {"serve", {"--views"}, "--views needs a value"},
      {"serve", {"--views=v", "--limit=x"}, "--limit: not a whole number"},
      {"serve", {"--views=v", "--limit=-1"}, "--limit: not a whole number"},
      {"serve", {"--views=v", "--age=5"}, "--age: not a duration"},
      {"serve", {"--views=v", "--age=99999999999999999d"}, "not a duration"},
      {"serve", {"--views=v", "--size=5q"}, "--size: not a size"},
      {"serve", {"--views=v", "--listen=x"}, "--listen: not HOST:PORT"},
      {"serve", {"--views=v", "--listen=x:70000"}, "not HOST:PORT"},
      {"serve", {"--views=v", "--force=maybe"}, "not true or false"},
      {"serve", {"--views=v", "--format=jsno"}, "did you mean \"json\"?"},
      {"serve", {"--views=v", "extra"}, "unexpected word \"extra\""},
      {"serve", {"-views"}, "flags begin with --"},
      {"serve", {"--views=v", "--config=none"}, "none"},
      {"get", {"view"}, "get needs VIEW KEY..."},
  };
  for (const auto& c : kCases) {
    const auto got = Parse(c.command, c.words);
    EXPECT_EQ(got.status().code() == absl::StatusCode::kOk, false) << c.message;
    EXPECT_THAT(got.status().message(), HasSubstr(c.message));
  }
}

TEST(FlagsTest, FileMistakesNameTheLine) {
  for (const auto& [content, message] : std::map<std::string, std::string>{
           {"views = v\nlimt = 3\n", "f:2: unknown flag \"limt\""},
           {"views\n", "f:1: not of the form"},
           {"views = v\nlimit = x\n", "f:2: limit: not a whole number"}}) {
    const auto got = Parse("serve", {"--config", "f"}, {{}, {{"f", content}}});
    EXPECT_THAT(got.status().message(), HasSubstr(message));
  }
}

TEST(FlagsTest, UnknownCommand) {
  const auto got = FindCommand(Commands(), "serv");
  EXPECT_EQ(got.status().message(),
            "unknown command \"serv\", did you mean \"serve\"?");
  EXPECT_TRUE(FindCommand(Commands(), "secret").ok());
}

TEST(FlagsTest, Help) {
  const auto got = Parse("serve", {"--help", "--views"});
  EXPECT_FALSE(got.ok());
  EXPECT_TRUE(Parse("serve", {"--help"})->help());
  EXPECT_TRUE(Parse("get", {"-h"})->help());
  const std::string help = CommandHelp(Commands()[0]);
  EXPECT_THAT(help, HasSubstr("--views FILE"));
  EXPECT_THAT(help, HasSubstr("table|json"));
  EXPECT_THAT(help, HasSubstr("Exit codes:"));
  const std::string all = OverallHelp(Commands());
  EXPECT_THAT(all, HasSubstr("get VIEW KEY..."));
  EXPECT_THAT(all, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace tidegate
