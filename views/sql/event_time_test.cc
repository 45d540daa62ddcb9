// What windows, retention, lag and joins as of event time are in a plan.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/plan/datum_text.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

// The source has columns 0 to 4, the table three.
constexpr char kSources[] = R"sql(
CREATE SOURCE clicks (uid VARCHAR, page INT, ms BIGINT, unused INT,
  at TIMESTAMPTZ, WATERMARK FOR at AS at - INTERVAL '2' SECOND)
  WITH (topic = 'clicks', idle.timeout = '7s', idle.advance = 'off',
        max.future.skew = '90s')
  FORMAT PLAIN ENCODE JSON;
CREATE TABLE pages (page INT PRIMARY KEY, title VARCHAR, since TIMESTAMPTZ,
  WATERMARK FOR since AS since)
  WITH (topic = 'pages') FORMAT UPSERT ENCODE JSON;
)sql";
constexpr int kSourceColumns = 5;
constexpr int kTableColumns = 3;

PlanSet Compile(absl::string_view view) {
  std::string text = absl::StrCat(kSources, view);
  CompileResult result = CompileViews(text);
  EXPECT_EQ(FormatDiagnostics("v.sql", text, result.diagnostics), "");
  return std::move(result.plans);
}

ViewPlan CompileView(absl::string_view view) {
  PlanSet plans = Compile(view);
  EXPECT_EQ(plans.views.size(), 2u);
  return plans.views.empty() ? ViewPlan() : std::move(plans.views.back());
}

// The column that `expr` is, or -1.
int ColumnOf(const Expr& expr) {
  bool column = expr.code.size() == 1 && expr.code[0].op == Op::kColumn;
  return column ? expr.code[0].arg : -1;
}

std::vector<int> ColumnsOf(const std::vector<Expr>& expressions) {
  std::vector<int> out;
  out.reserve(expressions.size());
  for (const Expr& expr : expressions) out.push_back(ColumnOf(expr));
  return out;
}

std::vector<std::string> Names(const ViewPlan& view) {
  std::vector<std::string> out;
  out.reserve(view.columns.size());
  for (const OutputColumn& column : view.columns) out.push_back(column.name);
  return out;
}

TEST(EventTimeTest, SourceOptions) {
  PlanSet plans = Compile("");
  EXPECT_EQ(plans.sources[0].idle_timeout_ms, 7000);
  EXPECT_FALSE(plans.sources[0].idle_advance);
  EXPECT_EQ(plans.sources[0].max_future_skew_ms, 90'000);
  EXPECT_EQ(plans.sources[1].idle_timeout_ms, kDefaultIdleTimeoutMs);
  EXPECT_TRUE(plans.sources[1].idle_advance);
  EXPECT_EQ(plans.sources[1].max_future_skew_ms, kDefaultMaxFutureSkewMs);
  ASSERT_TRUE(plans.sources[1].watermark.has_value());
  EXPECT_EQ(plans.sources[1].watermark->bound_us, 0);
}

TEST(EventTimeTest, Tumble) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v
  WITH (retention = '2h', allowed.lateness = '30s') AS
  SELECT c.page, c.window_start AS "start", count(*) AS n,
         max(window_end) AS m
  FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE) AS c WHERE c.ms > 5
  GROUP BY window_start, page EMIT ON WINDOW CLOSE)sql");
  ASSERT_TRUE(view.window.has_value());
  EXPECT_EQ(view.window->kind, WindowKind::kTumble);
  EXPECT_EQ(view.window->size_us, kMinute);
  EXPECT_EQ(view.window->slide_us, kMinute);
  EXPECT_EQ(view.window->offset_us, 0);
  EXPECT_TRUE(view.grouped);
  EXPECT_TRUE(view.emit_on_close);
  EXPECT_FALSE(view.ordered);
  EXPECT_EQ(view.retention_us, 2 * kHour);
  EXPECT_EQ(view.allowed_lateness_us, 30 * kSecond);
  EXPECT_THAT(ColumnsOf(view.group_by), ElementsAre(kSourceColumns, 1));
  EXPECT_EQ(ColumnOf(*view.aggregates[1].argument), kSourceColumns + 1);
  EXPECT_THAT(view.key_columns, ElementsAre(1, 0));
  EXPECT_EQ(view.window_column, 1);
  EXPECT_EQ(view.window_add_us, kMinute);
  EXPECT_THAT(view.used_columns, ElementsAre(false, true, true, false, true));
}

TEST(EventTimeTest, WindowEndIsPreferredToTellWhereAWindowEnds) {
  ViewPlan both = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT window_start, window_end, count(*)
  FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE)
  GROUP BY window_start, window_end EMIT ON UPDATE)sql");
  EXPECT_EQ(both.window_column, 1);
  EXPECT_EQ(both.window_add_us, 0);
  EXPECT_THAT(both.key_columns, ElementsAre(0, 1));
  EXPECT_FALSE(both.emit_on_close);
  EXPECT_FALSE(both.retention_us.has_value());
  EXPECT_EQ(both.allowed_lateness_us, 0);
  ViewPlan end = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT count(*), window_end
  FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE) GROUP BY 2)sql");
  EXPECT_EQ(end.window_column, 1);
  EXPECT_EQ(end.window_add_us, 0);
  ViewPlan reversed = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT window_end, window_start, count(*)
  FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE)
  GROUP BY window_end, window_start)sql");
  EXPECT_EQ(reversed.window_column, 0);
  EXPECT_EQ(reversed.window_add_us, 0);
}

TEST(EventTimeTest, OffsetsComeIntoTheSlide) {
  const struct {
    const char* window;
    int64_t slide_us;
    int64_t size_us;
    int64_t offset_us;
  } kCases[] = {
      {"TUMBLE(clicks, at, INTERVAL '1' HOUR, INTERVAL '15' MINUTE)", kHour,
       kHour, 15 * kMinute},
      {"TUMBLE(clicks, at, INTERVAL '1' HOUR, INTERVAL '-15' MINUTE)", kHour,
       kHour, 45 * kMinute},
      {"TUMBLE(clicks, at, INTERVAL '1' HOUR, INTERVAL '1' DAY)", kHour, kHour,
       0},
      {"HOP(clicks, at, INTERVAL '5' MINUTE, INTERVAL '1' HOUR)", 5 * kMinute,
       kHour, 0},
      {"HOP(clicks, at, INTERVAL '5' MINUTE, INTERVAL '1' HOUR, INTERVAL '-1' "
       "SECOND)",
       5 * kMinute, kHour, 299 * kSecond},
      {"HOP(clicks, at, INTERVAL '1' SECOND, INTERVAL '1' HOUR, INTERVAL '5' "
       "SECOND)",
       kSecond, kHour, 0},
  };
  for (const auto& test : kCases) {
    ViewPlan view = CompileView(absl::StrCat(
        "CREATE MATERIALIZED VIEW v AS SELECT window_start, count(*) FROM ",
        test.window, " GROUP BY window_start"));
    ASSERT_TRUE(view.window.has_value());
    EXPECT_EQ(view.window->slide_us, test.slide_us) << test.window;
    EXPECT_EQ(view.window->size_us, test.size_us) << test.window;
    EXPECT_EQ(view.window->offset_us, test.offset_us) << test.window;
    EXPECT_EQ(view.window_add_us, test.size_us) << test.window;
  }
}

// The end is in the plan's groups, given or not, and never in the key.
TEST(EventTimeTest, Session) {
  for (const char* end : {"", ", window_end"}) {
    ViewPlan view = CompileView(absl::StrCat(
        "CREATE MATERIALIZED VIEW v (PRIMARY KEY (window_start, uid)) "
        "WITH (retention = '1h') AS "
        "SELECT window_end, uid, window_start, count(*) AS n, "
        "window_end + INTERVAL '1' SECOND AS later "
        "FROM SESSION(clicks, at, INTERVAL '30' SECOND) "
        "GROUP BY window_start, uid",
        end, " EMIT ON WINDOW CLOSE"));
    ASSERT_TRUE(view.window.has_value());
    EXPECT_EQ(view.window->kind, WindowKind::kSession);
    EXPECT_EQ(view.window->size_us, 30 * kSecond);
    EXPECT_TRUE(view.ordered);
    EXPECT_TRUE(view.emit_on_close);
    EXPECT_EQ(view.retention_us, kHour);
    EXPECT_THAT(ColumnsOf(view.group_by),
                ElementsAre(kSourceColumns, 0, kSourceColumns + 1));
    EXPECT_THAT(view.key_columns, ElementsAre(2, 1));
    EXPECT_EQ(view.window_column, 0);
    EXPECT_EQ(view.window_add_us, 0);
    EXPECT_EQ(ColumnOf(view.outputs[0]), 2);
    EXPECT_EQ(ColumnOf(view.outputs[3]), 3);
  }
}

TEST(EventTimeTest, Sliding) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT uid, sum(ms) AS ms
  FROM SLIDING(clicks, at, INTERVAL '10' MINUTE) GROUP BY uid)sql");
  ASSERT_TRUE(view.window.has_value());
  EXPECT_EQ(view.window->kind, WindowKind::kSliding);
  EXPECT_EQ(view.window->size_us, 10 * kMinute);
  EXPECT_EQ(view.window->slide_us, 10 * kSecond);
  EXPECT_EQ(view.window->offset_us, 0);
  EXPECT_FALSE(view.ordered);
  EXPECT_EQ(view.window_column, -1);
  EXPECT_EQ(view.window_add_us, 0);
  EXPECT_THAT(view.key_columns, ElementsAre(0));
  ViewPlan stepped = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT uid, sum(ms) AS ms
  FROM SLIDING(clicks, at, INTERVAL '1' HOUR, INTERVAL '1' SECOND) c
  GROUP BY c.uid)sql");
  ASSERT_TRUE(stepped.window.has_value());
  EXPECT_EQ(stepped.window->slide_us, kSecond);
}

TEST(EventTimeTest, WindowsAfterAJoinedTable) {
  for (const char* as_of : {"PROCTIME()", "c.at"}) {
    ViewPlan view = CompileView(absl::StrCat(
        "CREATE MATERIALIZED VIEW v AS SELECT window_end, title, count(*) ",
        "FROM TUMBLE(clicks, at, INTERVAL '1' MINUTE) c ",
        "LEFT JOIN pages FOR SYSTEM_TIME AS OF ", as_of, " AS p ",
        "ON c.page = p.page GROUP BY window_end, p.title"));
    ASSERT_TRUE(view.join.has_value());
    bool event_time = std::string(as_of) == "c.at";
    EXPECT_EQ(view.join->event_time, event_time);
    EXPECT_EQ(view.ordered, event_time);
    EXPECT_THAT(
        ColumnsOf(view.group_by),
        ElementsAre(kSourceColumns + kTableColumns + 1, kSourceColumns + 1));
  }
}

TEST(EventTimeTest, JoinAsOfEventTime) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v (PRIMARY KEY (uid)) AS SELECT uid, title
  FROM clicks JOIN pages FOR SYSTEM_TIME AS OF at AS p
  ON clicks.page = p.page)sql");
  ASSERT_TRUE(view.join.has_value());
  EXPECT_TRUE(view.join->event_time);
  EXPECT_TRUE(view.ordered);
  EXPECT_FALSE(view.window.has_value());
  ViewPlan grouped = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS SELECT title, count(*)
  FROM clicks c JOIN pages FOR SYSTEM_TIME AS OF c.at ON c.page = pages.page
  GROUP BY title)sql");
  EXPECT_TRUE(grouped.ordered);
}

TEST(EventTimeTest, KeylessViewsAreKeyedByPlace) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v WITH (retention = '1d') AS
  SELECT c.uid, p.title, lag(ms) OVER (PARTITION BY uid ORDER BY at) AS before
  FROM clicks c LEFT JOIN pages FOR SYSTEM_TIME AS OF PROCTIME() AS p
  ON c.page = p.page)sql");
  EXPECT_TRUE(view.keyless);
  EXPECT_EQ(view.retention_us, 24 * kHour);
  EXPECT_THAT(Names(view), ElementsAre("uid", "title", "before",
                                       "kafka_partition", "kafka_offset"));
  EXPECT_EQ(view.columns[3].type, Type::kInt);
  EXPECT_EQ(view.columns[4].type, Type::kBigint);
  EXPECT_THAT(view.key_columns, ElementsAre(3, 4));
  const int place = kSourceColumns + kTableColumns;
  // Place first, then lags.
  EXPECT_THAT(ColumnsOf(view.outputs),
              ElementsAre(0, kSourceColumns + 1, place + 2, place, place + 1));
  EXPECT_EQ(view.window_column, -1);
}

TEST(EventTimeTest, RetentionOfKeyedViews) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v (PRIMARY KEY (uid)) WITH (retention = '1h') AS
  SELECT uid, page FROM clicks)sql");
  EXPECT_FALSE(view.keyless);
  EXPECT_FALSE(view.ordered);
  EXPECT_EQ(view.retention_us, kHour);
  EXPECT_THAT(view.key_columns, ElementsAre(0));
}

TEST(EventTimeTest, Lag) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v (PRIMARY KEY (page)) AS
  SELECT page, ms - lag(ms) OVER (PARTITION BY uid, page ORDER BY at) AS more,
    lag(page, 3, 2.5) OVER (PARTITION BY page, uid, page ORDER BY at ASC) AS p,
    lag(ms) OVER (PARTITION BY uid, clicks.page ORDER BY clicks.at),
    lag(uid, 2, NULL) OVER (PARTITION BY uid, page ORDER BY at) AS u
  FROM clicks WHERE page > 0)sql");
  EXPECT_TRUE(view.ordered);
  EXPECT_FALSE(view.keyless);
  EXPECT_THAT(ColumnsOf(view.partition_by), ElementsAre(0, 1));
  // lag(ms) is there once.
  ASSERT_EQ(view.lags.size(), 3u);
  EXPECT_EQ(ColumnOf(view.lags[0].argument), 2);
  EXPECT_EQ(view.lags[0].distance, 1);
  EXPECT_FALSE(view.lags[0].default_constant.has_value());
  EXPECT_EQ(view.lags[1].distance, 3);
  EXPECT_EQ(view.lags[1].argument.type, Type::kDouble);
  ASSERT_TRUE(view.lags[1].default_constant.has_value());
  EXPECT_TRUE(view.lags[1].default_constant->is_constant());
  EXPECT_EQ(view.lags[1].default_constant->type, Type::kDouble);
  EXPECT_EQ(view.lags[2].distance, 2);
  EXPECT_EQ(view.lags[2].argument.type, Type::kVarchar);
  EXPECT_THAT(ColumnsOf(view.outputs),
              ElementsAre(1, -1, kSourceColumns + 1, kSourceColumns,
                          kSourceColumns + 2));
  EXPECT_EQ(view.columns[3].name, "lag");
  EXPECT_THAT(view.used_columns, ElementsAre(true, true, true, false, true));

  // The difference is computed over the result like over a column.
  std::vector<Datum> row(kSourceColumns + 3);
  row[2] = Datum::Int(100);
  row[kSourceColumns] = Datum::Int(70);
  TextArena arena;
  Datum result;
  ASSERT_TRUE(Evaluate(view.outputs[1], row, &arena, &result).ok());
  EXPECT_EQ(DatumText(view.outputs[1].type, result), "30");
}

TEST(EventTimeTest, LagsHaveALimit) {
  for (int count : {100, 101}) {
    std::string view =
        "CREATE MATERIALIZED VIEW v (PRIMARY KEY (uid)) AS SELECT uid";
    for (int i = 1; i <= count; ++i) {
      absl::StrAppend(&view, ", lag(ms, ", i,
                      ") OVER (PARTITION BY uid ORDER BY at) AS l", i);
    }
    CompileResult result =
        CompileViews(absl::StrCat(kSources, view, " FROM clicks"));
    EXPECT_EQ(result.ok(), count == 100);
    if (result.ok()) continue;
    EXPECT_EQ(result.diagnostics[0].message, "too many lags, the limit is 100");
  }
}

}  // namespace
}  // namespace tidegate
