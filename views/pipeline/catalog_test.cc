#include "views/pipeline/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/coding.h"
#include "views/pipeline/definition_diff.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ViewPlan MakeView(const std::string& name, const std::string& pipeline,
                  std::vector<OutputColumn> columns) {
  ViewPlan view;
  view.name = name;
  view.pipeline = pipeline;
  view.columns = std::move(columns);
  view.key_columns = {0};
  view.definition = "CREATE MATERIALIZED VIEW " + name;
  view.canonical = "create " + name + " as select a, b from s";
  return view;
}

// A source s (0), a table t (1), view totals of s, view named of s and t in a
// pipeline of its own.
PlanSet MakePlans() {
  PlanSet plans;
  plans.sources.resize(2);
  plans.sources[0].name = "s";
  plans.sources[0].columns = {{"a", Type::kBigint}, {"at", Type::kTimestamptz}};
  plans.sources[0].watermark = WatermarkPlan{1, 2'000'000};
  plans.sources[1].name = "t";
  plans.sources[1].is_table = true;
  ViewPlan table = MakeView("t", "default", {{"id", Type::kBigint}});
  table.is_table = true;
  table.source = 1;
  plans.views.push_back(MakeView(
      "totals", "default", {{"a", Type::kBigint}, {"b", Type::kVarchar}}));
  plans.views.push_back(table);
  plans.views.push_back(MakeView("named", "own", {{"a", Type::kBigint}}));
  plans.views.back().join = JoinPlan{.table = 1};
  return plans;
}

std::vector<std::string> Numbers(const std::vector<RowSchema::Field>& fields) {
  std::vector<std::string> out;
  out.reserve(fields.size());
  for (const auto& field : fields) {
    out.push_back(field.name + "=" + std::to_string(field.number));
  }
  return out;
}

TEST(CatalogTest, HoldsThePipelinesViewsAndTheTablesTheyJoin) {
  const PlanSet plans = MakePlans();
  EXPECT_THAT(PipelineNames(plans), ElementsAre("default", "own"));

  const Catalog main = MakeCatalog(plans, "default", nullptr);
  ASSERT_EQ(main.views.size(), 2u);
  EXPECT_EQ(main.views[0].name, "t");
  EXPECT_TRUE(main.views[0].is_table);
  EXPECT_FALSE(main.views[0].is_private);
  EXPECT_EQ(main.views[0].id, ViewId(1));
  EXPECT_EQ(main.views[1].name, "totals");
  EXPECT_EQ(main.views[1].id, ViewId(2));
  EXPECT_EQ(main.views[1].version, 1u);
  EXPECT_THAT(Numbers(main.views[1].schema.fields), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(main.views[1].schema.key_columns, ElementsAre(0));
  EXPECT_EQ(main.views[1].fingerprint, Fnv1a64(plans.views[0].canonical));

  const Catalog own = MakeCatalog(plans, "own", nullptr);
  ASSERT_EQ(own.views.size(), 2u);
  EXPECT_EQ(own.views[0].name, "t");
  EXPECT_TRUE(own.views[0].is_private);
  EXPECT_EQ(own.views[1].name, "named");
}

TEST(CatalogTest, SurvivesEncodingAndNoticesDamage) {
  PlanSet plans = MakePlans();
  const Catalog first = MakeCatalog(plans, "default", nullptr);
  plans.views[0].columns = {{"a", Type::kBigint}};
  const Catalog catalog = MakeCatalog(plans, "default", &first);
  std::string bytes;
  EncodeCatalog(catalog, &bytes);
  const auto decoded = DecodeCatalog(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  std::string again;
  EncodeCatalog(*decoded, &again);
  EXPECT_EQ(again, bytes);
  EXPECT_EQ(decoded->pipeline, "default");
  EXPECT_EQ(decoded->build, 2u);
  EXPECT_EQ(decoded->next_view_id, 5u);
  EXPECT_EQ(decoded->views[1].canonical, catalog.views[1].canonical);
  EXPECT_EQ(decoded->views[1].definition, catalog.views[1].definition);
  EXPECT_THAT(Numbers(decoded->views[1].retired), ElementsAre("b=2"));
  EXPECT_EQ(decoded->views[0].event_time_column, "");
  EXPECT_EQ(decoded->views[1].event_time_column, "at");
  EXPECT_EQ(decoded->views[1].watermark_delay_us, 2'000'000);

  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x10;
    EXPECT_TRUE(absl::IsDataLoss(DecodeCatalog(damaged).status())) << i;
    EXPECT_TRUE(absl::IsDataLoss(DecodeCatalog(bytes.substr(0, i)).status()))
        << i;
  }
}

TEST(CatalogTest, FieldNumbersAreKeptByNameAndTypeAndNeverReused) {
  PlanSet plans = MakePlans();
  std::vector<OutputColumn>& columns = plans.views[0].columns;
  const Catalog one = MakeCatalog(plans, "default", nullptr);

  // b goes, c comes first, a stays.
  columns = {{"c", Type::kDouble}, {"a", Type::kBigint}};
  const Catalog two = MakeCatalog(plans, "default", &one);
  EXPECT_THAT(Numbers(two.views[1].schema.fields), ElementsAre("c=3", "a=1"));
  EXPECT_THAT(Numbers(two.views[1].retired), ElementsAre("b=2"));

  // a changes its type; b comes back, as another column.
  columns = {{"a", Type::kVarchar}, {"b", Type::kVarchar}};
  const Catalog three = MakeCatalog(plans, "default", &two);
  EXPECT_THAT(Numbers(three.views[1].schema.fields), ElementsAre("a=4", "b=5"));
  EXPECT_THAT(Numbers(three.views[1].retired),
              ElementsAre("b=2", "a=1", "c=3"));

  // Retired numbers alone hold the next one up.
  columns = {};
  const Catalog four = MakeCatalog(plans, "default", &three);
  columns = {{"d", Type::kBoolean}};
  const Catalog five = MakeCatalog(plans, "default", &four);
  EXPECT_THAT(Numbers(five.views[1].schema.fields), ElementsAre("d=6"));
}

TEST(CatalogTest, ProtobufsOwnFieldNumbersAreSkipped) {
  PlanSet plans = MakePlans();
  Catalog previous = MakeCatalog(plans, "default", nullptr);
  previous.views[1].retired.push_back({"old", Type::kBoolean, 18999});
  plans.views[0].columns.push_back({"c", Type::kBoolean});
  const Catalog next = MakeCatalog(plans, "default", &previous);
  EXPECT_THAT(Numbers(next.views[1].schema.fields),
              ElementsAre("a=1", "b=2", "c=20000"));
}

TEST(CatalogTest, ARebuildRaisesEveryVersionAndGivesNewViewIds) {
  PlanSet plans = MakePlans();
  const Catalog one = MakeCatalog(plans, "default", nullptr);
  plans.views.push_back(MakeView("late", "default", {{"a", Type::kBigint}}));
  const Catalog two = MakeCatalog(plans, "default", &one);
  EXPECT_EQ(two.build, 2u);
  ASSERT_EQ(two.views.size(), 3u);
  EXPECT_EQ(two.views[0].version, 2u);
  EXPECT_EQ(two.views[0].id, ViewId(3));
  EXPECT_EQ(two.views[1].version, 2u);
  EXPECT_EQ(two.views[2].name, "late");
  EXPECT_EQ(two.views[2].version, 2u);
  EXPECT_EQ(two.next_view_id, 6u);
}

TEST(CheckUnchangedTest, AcceptsTheSameDefinitions) {
  const PlanSet plans = MakePlans();
  const Catalog one = MakeCatalog(plans, "default", nullptr);
  const Catalog two = MakeCatalog(plans, "default", &one);
  EXPECT_EQ(CheckUnchanged(one, two), absl::OkStatus());
}

TEST(CheckUnchangedTest, GoesOnFromADefinitionWithOneEncodingLess) {
  PlanSet plans = MakePlans();
  Catalog stored = MakeCatalog(plans, "default", nullptr);
  std::string bytes;
  EncodeCatalog(stored, &bytes);
  stored = *DecodeCatalog(bytes);
  const std::string before = plans.views[0].canonical;
  plans.views[0].canonical += " or avro";
  EXPECT_TRUE(absl::IsFailedPrecondition(
      CheckUnchanged(stored, MakeCatalog(plans, "default", nullptr))));
  plans.views[0].canonical_before = {"something else", before};
  const Catalog wanted = MakeCatalog(plans, "default", nullptr);
  EXPECT_EQ(CheckUnchanged(stored, wanted), absl::OkStatus());
  // And not the other way.
  plans = MakePlans();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      CheckUnchanged(wanted, MakeCatalog(plans, "default", nullptr))));
}

TEST(CheckUnchangedTest, ShowsWhatChangedAndTheWayOut) {
  PlanSet plans = MakePlans();
  const Catalog stored = MakeCatalog(plans, "default", nullptr);
  plans.views[0].canonical = "create totals as select a, sum(b) from s";
  const absl::Status status =
      CheckUnchanged(stored, MakeCatalog(plans, "default", nullptr));
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("view \"totals\" has changed:\n"));
  EXPECT_THAT(message, HasSubstr("    - b from s\n    + sum(b) from s\n"));
  EXPECT_THAT(message, Not(HasSubstr("- create totals as select a")));
  EXPECT_THAT(message, HasSubstr("`--rebuild totals` rebuilds its pipeline "
                                 "from the earliest offset, or give a new "
                                 "view a pipeline of its own with `WITH "
                                 "(pipeline = '…')`"));
  EXPECT_THAT(message, Not(HasSubstr("\"t\"")));
}

TEST(CheckUnchangedTest, NamesViewsThatAreNewOrGone) {
  PlanSet plans = MakePlans();
  const Catalog stored = MakeCatalog(plans, "default", nullptr);
  plans.views[0].name = "sums";
  const std::string message(
      CheckUnchanged(stored, MakeCatalog(plans, "default", nullptr)).message());
  EXPECT_THAT(message, HasSubstr("view \"sums\" is new\n"));
  EXPECT_THAT(message, HasSubstr("view \"totals\" is gone\n"));
  EXPECT_THAT(message, HasSubstr("--rebuild sums"));
}

TEST(CheckUnchangedTest, APrivateTableIsRebuiltThroughAView) {
  PlanSet plans = MakePlans();
  const Catalog stored = MakeCatalog(plans, "own", nullptr);
  plans.views[1].canonical = "create table t (id int)";
  const std::string message(
      CheckUnchanged(stored, MakeCatalog(plans, "own", nullptr)).message());
  EXPECT_THAT(message, HasSubstr("table \"t\" has changed"));
  EXPECT_THAT(message, HasSubstr("--rebuild named"));
}

TEST(DefinitionDiffTest, SplitsOutsideQuotesOnly) {
  EXPECT_THAT(
      DefinitionParts("select a, 'x, y;z' , b\nfrom s; create t"),
      ElementsAre("select a,", "'x, y;z' ,", "b", "from s", "create t"));
}

TEST(DefinitionDiffTest, IsBounded) {
  std::string before;
  std::string after;
  for (int i = 0; i < 100; ++i) {
    before += "a" + std::to_string(i) + ",";
    after += "b" + std::to_string(i) + ",";
  }
  const std::string diff = DiffDefinitions(before, after, "");
  EXPECT_EQ(std::count(diff.begin(), diff.end(), '\n'), kMaxDiffLines + 1);
  EXPECT_THAT(diff, HasSubstr("… and 180 more lines\n"));
  EXPECT_EQ(DiffDefinitions(before, before, ""), "");
}

}  // namespace
}  // namespace tidegate
