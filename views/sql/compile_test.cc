// What good files mean: the plans, and what their expressions compute.
#include "views/sql/compile.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;

constexpr char kSources[] = R"sql(
CREATE SOURCE orders (
  order_id VARCHAR, driver_id BIGINT, region VARCHAR, n INT, ok BOOLEAN,
  amount DOUBLE PRECISION, ts TIMESTAMPTZ, unused VARCHAR,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = 'orders', key = 'driver_id', idle.timeout = '5s',
        dead.letter.topic = 'orders.dlq')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'shop.Order', file = 'x.proto');
CREATE TABLE drivers (driver_id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = 'drivers') FORMAT UPSERT ENCODE JSON;
CREATE TABLE prices (b VARCHAR, a BIGINT, price BIGINT, PRIMARY KEY (a, b))
  WITH (topic = 'prices') FORMAT UPSERT ENCODE JSON KEY ENCODE JSON;
)sql";

PlanSet Compile(absl::string_view views) {
  std::string text = absl::StrCat(kSources, views);
  CompileResult result = CompileViews(text);
  EXPECT_EQ(FormatDiagnostics("v.sql", text, result.diagnostics), "");
  return std::move(result.plans);
}

// The last view of the file.
ViewPlan CompileView(absl::string_view view) {
  PlanSet plans = Compile(view);
  EXPECT_EQ(plans.views.size(), 3u);
  return plans.views.empty() ? ViewPlan() : std::move(plans.views.back());
}

std::vector<std::string> Show(const std::vector<OutputColumn>& columns) {
  std::vector<std::string> out;
  out.reserve(columns.size());
  for (const OutputColumn& column : columns) {
    out.push_back(absl::StrCat(column.name, " ", TypeName(column.type)));
  }
  return out;
}

TEST(CompileTest, Sources) {
  PlanSet plans = Compile("");
  ASSERT_EQ(plans.sources.size(), 3u);
  const SourcePlan& orders = plans.sources[0];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_FALSE(orders.is_table);
  EXPECT_EQ(orders.topic, "orders");
  EXPECT_EQ(orders.columns.size(), 8u);
  EXPECT_EQ(orders.columns[6].type, Type::kTimestamptz);
  ASSERT_TRUE(orders.watermark.has_value());
  EXPECT_EQ(orders.watermark->column, 6);
  EXPECT_EQ(orders.watermark->bound_us, 2'000'000);
  ASSERT_EQ(orders.encodings.size(), 1u);
  EXPECT_EQ(orders.encodings[0].format, Format::kProtobuf);
  EXPECT_EQ(orders.encodings[0].proto_message, "shop.Order");
  EXPECT_EQ(orders.encodings[0].proto_file, "x.proto");
  EXPECT_EQ(orders.key_column, "driver_id");
  EXPECT_EQ(orders.dead_letter_topic, "orders.dlq");
  EXPECT_EQ(orders.idle_timeout_ms, 5000);
  EXPECT_EQ(orders.options.size(), 4u);
  EXPECT_EQ(orders.definition.substr(0, 20), "CREATE SOURCE orders");
  EXPECT_EQ(orders.definition.back(), ')');
}

TEST(CompileTest, Encodings) {
  const auto encodings = [](const std::string& encode) {
    PlanSet plans = Compile(absl::StrCat(
        "CREATE SOURCE e (x INT) WITH (topic = 'e') FORMAT PLAIN ENCODE ",
        encode, ";"));
    std::vector<std::string> out;
    for (const Encoding& e : plans.sources.back().encodings) {
      out.push_back(absl::StrCat(static_cast<int>(e.format), "|",
                                 e.proto_message, "|", e.proto_file, "|",
                                 e.schema_file, "|", e.schema_registry));
    }
    return out;
  };
  EXPECT_THAT(encodings("JSON"), ElementsAre("0||||"));
  EXPECT_THAT(encodings("JSON (schema.registry = 'http://r:8081/x')"),
              ElementsAre("0||||http://r:8081/x"));
  EXPECT_THAT(encodings("PROTOBUF (schema.registry = 'https://r')"),
              ElementsAre("1||||https://r"));
  EXPECT_THAT(encodings("AVRO (file = 'a.avsc')"), ElementsAre("2|||a.avsc|"));
  // JSON comes first, however it is written.
  EXPECT_THAT(encodings("PROTOBUF (message = 'a.M', file = 'm.proto') OR JSON"),
              ElementsAre("0||||", "1|a.M|m.proto||"));
  EXPECT_THAT(encodings("JSON OR AVRO (schema.registry = 'http://r')"),
              ElementsAre("0||||", "2||||http://r"));
}

TEST(CompileTest, Metadata) {
  PlanSet plans = Compile(R"sql(
CREATE SOURCE m (x INT, WATERMARK FOR at AS at - INTERVAL '1' SECOND)
  INCLUDE KEY INCLUDE TIMESTAMP AS at INCLUDE PARTITION INCLUDE OFFSET
  INCLUDE HEADER 'Trace-Id' INCLUDE HEADER 'b' AS b
  WITH (topic = 'm') FORMAT PLAIN ENCODE JSON;
CREATE TABLE u (x INT, PRIMARY KEY (k)) INCLUDE KEY AS k
  WITH (topic = 'u') FORMAT UPSERT ENCODE JSON;
CREATE MATERIALIZED VIEW v AS SELECT kafka_key, max(kafka_offset) AS last
  FROM m WHERE b <> 'x' GROUP BY kafka_key;)sql");
  const SourcePlan& m = plans.sources[3];
  std::vector<std::string> columns;
  for (const Column& c : m.columns) {
    columns.push_back(absl::StrCat(c.name, " ", TypeName(c.type)));
  }
  EXPECT_THAT(columns,
              ElementsAre("x INT", "kafka_key VARCHAR", "at TIMESTAMPTZ",
                          "kafka_partition INT", "kafka_offset BIGINT",
                          "kafka_header_trace_id VARCHAR", "b VARCHAR"));
  EXPECT_EQ(m.value_columns(), 1u);
  ASSERT_EQ(m.included.size(), 6u);
  EXPECT_EQ(m.included[0].what, Metadata::kKey);
  EXPECT_EQ(m.included[4].what, Metadata::kHeader);
  EXPECT_EQ(m.included[4].header, "Trace-Id");
  ASSERT_TRUE(m.watermark.has_value());
  EXPECT_EQ(m.watermark->column, 2);
  EXPECT_THAT(plans.sources[4].primary_key, ElementsAre(1));
  EXPECT_THAT(plans.views.back().used_columns,
              ElementsAre(false, true, true, false, true, false, true));
}

TEST(CompileTest, TablesAreServed) {
  PlanSet plans = Compile("");
  EXPECT_TRUE(plans.sources[1].is_table);
  EXPECT_EQ(plans.sources[1].key_format, KeyFormat::kText);
  EXPECT_EQ(plans.sources[2].key_format, KeyFormat::kJson);
  EXPECT_THAT(plans.sources[2].primary_key, ElementsAre(1, 0));
  ASSERT_EQ(plans.views.size(), 2u);
  const ViewPlan& prices = plans.views[1];
  EXPECT_TRUE(prices.is_table);
  EXPECT_EQ(prices.name, "prices");
  EXPECT_EQ(prices.pipeline, "default");
  EXPECT_EQ(prices.source, 2);
  EXPECT_THAT(prices.key_columns, ElementsAre(1, 0));
  EXPECT_THAT(Show(prices.columns),
              ElementsAre("b VARCHAR", "a BIGINT", "price BIGINT"));
  EXPECT_EQ(prices.outputs.size(), 3u);
  EXPECT_THAT(prices.used_columns, ElementsAre(true, true, true));
}

TEST(CompileTest, GroupedView) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW totals WITH (pipeline = 'heavy') AS
  SELECT count(*) AS orders, region AS "where", driver_id,
         sum(amount) / count(*) AS mean, last_value(n ORDER BY ts) AS last,
         count(*) + 1 AS more, sum(n), min(region), avg(n) AS a
  FROM orders WHERE ok GROUP BY driver_id, 2)sql");
  EXPECT_EQ(view.pipeline, "heavy");
  EXPECT_TRUE(view.grouped);
  EXPECT_EQ(view.source, 0);
  ASSERT_TRUE(view.where.has_value());
  EXPECT_EQ(view.group_by.size(), 2u);
  EXPECT_THAT(view.key_columns, ElementsAre(2, 1));
  EXPECT_THAT(Show(view.columns),
              ElementsAre("orders BIGINT", "where VARCHAR", "driver_id BIGINT",
                          "mean DOUBLE PRECISION", "last INT", "more BIGINT",
                          "sum BIGINT", "min VARCHAR", "a DOUBLE PRECISION"));
  std::vector<AggregateKind> kinds;
  for (const AggregateCall& call : view.aggregates) kinds.push_back(call.kind);
  // count(*) is there once.
  EXPECT_THAT(kinds, ElementsAre(AggregateKind::kCountStar, AggregateKind::kSum,
                                 AggregateKind::kLastValue, AggregateKind::kSum,
                                 AggregateKind::kMin, AggregateKind::kAvg));
  EXPECT_FALSE(view.aggregates[0].argument.has_value());
  EXPECT_EQ(view.aggregates[1].result, Type::kDouble);
  ASSERT_TRUE(view.aggregates[2].order_by.has_value());
  EXPECT_EQ(view.aggregates[2].order_by->code[0].arg, 6);
  EXPECT_EQ(view.aggregates[3].result, Type::kBigint);
  // Groups come first in the row of outputs, then aggregates.
  EXPECT_EQ(view.outputs[0].code[0].arg, 2);
  EXPECT_EQ(view.outputs[1].code[0].arg, 1);
  EXPECT_EQ(view.outputs[2].code[0].arg, 0);
  EXPECT_THAT(view.used_columns,
              ElementsAre(false, true, true, true, true, true, true, false));
}

TEST(CompileTest, GroupByExpressionsAndAliases) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v (PRIMARY KEY (big, half)) AS
  SELECT n > 5 AS big, n / 2 AS half, n / 2 + 1 AS next
  FROM orders GROUP BY big, orders.n / 2)sql");
  EXPECT_TRUE(view.aggregates.empty());
  EXPECT_THAT(view.key_columns, ElementsAre(0, 1));
  EXPECT_EQ(view.outputs[2].code[0].op, Op::kColumn);
  EXPECT_EQ(view.outputs[2].code[0].arg, 1);
}

TEST(CompileTest, AggregatesOfTwoValuesAndVariances) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW v AS
  SELECT date_trunc('hour', ts) AS hour, max_by(region, amount),
         min_by(n, ts) AS first_n, max_by(ok, driver_id + 1) AS ok,
         stddev(n), stddev_samp(n) AS same, stddev_pop(amount),
         variance(driver_id), var_samp(driver_id) AS same_too, var_pop(n),
         min_by(n, ts) AS again, extract(minute FROM date_trunc('hour', ts))
  FROM orders GROUP BY hour)sql");
  EXPECT_THAT(
      Show(view.columns),
      ElementsAre("hour TIMESTAMPTZ", "max_by VARCHAR", "first_n INT",
                  "ok BOOLEAN", "stddev DOUBLE PRECISION",
                  "same DOUBLE PRECISION", "stddev_pop DOUBLE PRECISION",
                  "variance DOUBLE PRECISION", "same_too DOUBLE PRECISION",
                  "var_pop DOUBLE PRECISION", "again INT", "extract BIGINT"));
  std::vector<AggregateKind> kinds;
  for (const AggregateCall& call : view.aggregates) kinds.push_back(call.kind);
  // Each is there once, whatever it is called.
  EXPECT_THAT(kinds,
              ElementsAre(AggregateKind::kMaxBy, AggregateKind::kMinBy,
                          AggregateKind::kMaxBy, AggregateKind::kStddevSamp,
                          AggregateKind::kStddevPop, AggregateKind::kVarSamp,
                          AggregateKind::kVarPop));
  std::vector<Type> types;
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(view.aggregates[i].order_by.has_value());
    types.push_back(view.aggregates[i].order_by->type);
  }
  EXPECT_THAT(types,
              ElementsAre(Type::kDouble, Type::kTimestamptz, Type::kBigint));
  EXPECT_EQ(view.aggregates[0].argument->code[0].arg, 2);
  EXPECT_EQ(view.aggregates[0].order_by->code[0].arg, 5);
  EXPECT_FALSE(view.aggregates[3].order_by.has_value());
  // All columns that only order_by reads are read.
  EXPECT_THAT(view.used_columns,
              ElementsAre(false, true, true, true, true, true, true, false));
  // The group's value, taken apart.
  EXPECT_EQ(view.outputs.back().code[0].op, Op::kColumn);
  EXPECT_EQ(view.outputs.back().code[0].arg, 0);
}

TEST(CompileTest, JoinKeysAreInTheTablesOrderAndTypes) {
  ViewPlan view = CompileView(R"sql(
CREATE MATERIALIZED VIEW named (PRIMARY KEY (order_id)) AS
  SELECT o.order_id, p.price FROM orders o
  LEFT OUTER JOIN prices FOR SYSTEM_TIME AS OF PROCTIME() AS p
  ON region || 'x' = p.b AND a = o.n)sql");
  ASSERT_TRUE(view.join.has_value());
  EXPECT_TRUE(view.join->left);
  EXPECT_EQ(view.join->table, 2);
  ASSERT_EQ(view.join->key.size(), 2u);
  EXPECT_EQ(view.join->key[0].type, Type::kBigint);
  EXPECT_EQ(view.join->key[0].code[0].arg, 3);
  EXPECT_EQ(view.join->key[0].code[1].op, Op::kCast);
  EXPECT_EQ(view.join->key[1].type, Type::kVarchar);
  // The table's columns follow the source's eight.
  EXPECT_EQ(view.outputs[1].code[0].arg, 8 + 2);
  EXPECT_THAT(view.key_columns, ElementsAre(0));
  EXPECT_THAT(view.used_columns,
              ElementsAre(true, false, true, true, false, false, true, false));
}

TEST(CompileTest, StarTakesAllColumns) {
  ViewPlan view = CompileView(
      "CREATE MATERIALIZED VIEW v (PRIMARY KEY (order_id)) AS "
      "SELECT * FROM orders");
  EXPECT_EQ(view.columns.size(), 8u);
  EXPECT_EQ(view.columns[7].name, "unused");
  EXPECT_TRUE(view.used_columns[7]);
}

TEST(CompileTest, OrderOfStatementsDoesNotMatter) {
  std::string text = absl::StrCat(
      "CREATE MATERIALIZED VIEW v AS SELECT region, count(*) FROM orders "
      "GROUP BY region;",
      kSources);
  CompileResult result = CompileViews(text);
  ASSERT_TRUE(result.ok()) << FormatDiagnostics("", text, result.diagnostics);
  EXPECT_EQ(result.plans.views[0].name, "v");
  EXPECT_EQ(result.plans.views[1].name, "drivers");
}

TEST(CompileTest, NamesFoldUnlessQuoted) {
  CompileResult result = CompileViews(R"sql(
create source S ("Order-Id" text, A int4, "group" string)
  with (TOPIC = 'T') format plain encode json;
Create Materialized View V (Primary Key (Id)) As
  Select "Order-Id" As Id, a, s.A As b, "group" From s;)sql");
  ASSERT_TRUE(result.ok()) << result.diagnostics[0].message;
  EXPECT_EQ(result.plans.sources[0].name, "s");
  EXPECT_EQ(result.plans.sources[0].topic, "T");
  EXPECT_EQ(result.plans.sources[0].columns[0].name, "Order-Id");
  EXPECT_THAT(Show(result.plans.views[0].columns),
              ElementsAre("id VARCHAR", "a INT", "b INT", "group VARCHAR"));
}

struct Value {
  const char* sql;
  const char* type;
  const char* result;
};

// Over order_id 'o1', driver_id 7, region 'north', n 5, ok NULL, amount 2.5,
// ts 2013-01-01T10:00:00Z, unused NULL.
const Value kValues[] = {
    {"n + 1", "INT", "6"},
    {"n + 3000000000", "BIGINT", "3000000005"},
    {"n * amount", "DOUBLE PRECISION", "12.5"},
    {"1 + 2 * 3 - 4 / 2", "INT", "5"},
    {"(1 + 2) * 3 % 5", "INT", "4"},
    {"- -n - -2", "INT", "7"},
    {"-9223372036854775808", "BIGINT", "-9223372036854775808"},
    {"-2147483648", "INT", "-2147483648"},
    {"2147483648", "BIGINT", "2147483648"},
    {"region || '-' || order_id", "VARCHAR", "\"north-o1\""},
    {"n = 5 AND driver_id <> 8 AND amount >= 2", "BOOLEAN", "true"},
    {"n < 5 OR n > 5 OR NOT n <= 5", "BOOLEAN", "false"},
    {"ok AND n = 6", "BOOLEAN", "false"},
    {"ok OR n = 5", "BOOLEAN", "true"},
    {"ok AND n = 5", "BOOLEAN", "NULL"},
    {"n = 6 AND 1 / 0 = 1", "BOOLEAN", "false"},
    {"n = 5 OR 1 / 0 = 1", "BOOLEAN", "true"},
    {"coalesce(ok, n = 5, 1 / 0 = 1)", "BOOLEAN", "true"},
    {"ok IS NULL", "BOOLEAN", "true"},
    {"n IS NOT NULL", "BOOLEAN", "true"},
    {"ok IS TRUE", "BOOLEAN", "false"},
    {"ok IS NOT FALSE", "BOOLEAN", "true"},
    {"(n = 5) IS TRUE", "BOOLEAN", "true"},
    {"n = 5 IS TRUE", "BOOLEAN", "true"},
    {"CASE WHEN n = 1 THEN 'a' WHEN n = 5 THEN 'b' ELSE 'c' END", "VARCHAR",
     "\"b\""},
    {"CASE n WHEN 1 THEN 1 WHEN 5 THEN 2.5 END", "DOUBLE PRECISION", "2.5"},
    {"CASE n WHEN 6 THEN 1 / 0 END", "INT", "NULL"},
    {"CASE WHEN ok THEN 1 ELSE driver_id END", "BIGINT", "7"},
    {"coalesce(unused, region)", "VARCHAR", "\"north\""},
    {"coalesce(NULL, n, 2.5)", "DOUBLE PRECISION", "5"},
    {"nullif(n, 5)", "INT", "NULL"},
    {"nullif(n, 5.5)", "INT", "5"},
    {"n IN (1, 5)", "BOOLEAN", "true"},
    {"n NOT IN (1, NULL)", "BOOLEAN", "NULL"},
    {"driver_id IN (n, 7)", "BOOLEAN", "true"},
    {"n BETWEEN 5 AND 6", "BOOLEAN", "true"},
    {"n NOT BETWEEN 4.5 AND 6", "BOOLEAN", "false"},
    {"region LIKE 'n%h'", "BOOLEAN", "true"},
    {"region NOT LIKE '_orth'", "BOOLEAN", "false"},
    {"'50%' LIKE '50!%' ESCAPE '!'", "BOOLEAN", "true"},
    {"CAST(amount * 2 AS INT)", "INT", "5"},
    {"n::VARCHAR || ''", "VARCHAR", "\"5\""},
    {"'12'::BIGINT + 1", "BIGINT", "13"},
    {"NULL::INT", "INT", "NULL"},
    {"ts = '2013-01-01T10:00:00Z'", "BOOLEAN", "true"},
    {"'2013-01-02' > ts", "BOOLEAN", "true"},
    {"ts = TIMESTAMPTZ '2013-01-01 10:00:00Z'", "BOOLEAN", "true"},
    {"ts - INTERVAL '1' HOUR", "TIMESTAMPTZ", "2013-01-01T09:00:00Z"},
    {"INTERVAL '90 seconds' + ts", "TIMESTAMPTZ", "2013-01-01T10:01:30Z"},
    {"'2013-01-01'::timestamptz", "TIMESTAMPTZ", "2013-01-01T00:00:00Z"},
    {"CASE WHEN ok THEN ts ELSE '2013-01-01' END", "TIMESTAMPTZ",
     "2013-01-01T00:00:00Z"},
    {"extract(year FROM ts)", "BIGINT", "2013"},
    {"EXTRACT(Hour FROM ts - INTERVAL '1' HOUR) * 2", "BIGINT", "18"},
    {"extract('SECOND' FROM '2013-01-01T10:00:01.5Z')", "DOUBLE PRECISION",
     "1.5"},
    {"extract(dow FROM ts) + extract(doy FROM ts)", "BIGINT", "3"},
    {"date_part('epoch', ts)", "DOUBLE PRECISION", "1357034400"},
    {"date_part('month', NULL)", "BIGINT", "NULL"},
    {"date_trunc('DAY', ts) + INTERVAL '1' HOUR", "TIMESTAMPTZ",
     "2013-01-01T01:00:00Z"},
    {"date_trunc('year', '2014-05-06') > ts", "BOOLEAN", "true"},
    {"length(region) + 1", "INT", "6"},
    {"length(unused)", "INT", "NULL"},
    {"upper(region) || lower('Xy')", "VARCHAR", "\"NORTHxy\""},
    {"replace(region, 'or', region)", "VARCHAR", "\"nnorthth\""},
    {"substring(region, n)", "VARCHAR", "\"h\""},
    {"substr(region, 2, n - 2)", "VARCHAR", "\"ort\""},
    {"substring(trim('  ab '), driver_id - 6, 1)", "VARCHAR", "\"a\""},
    {"abs(-n)", "INT", "5"},
    {"abs(NULL)", "DOUBLE PRECISION", "NULL"},
    {"abs(n - driver_id)", "BIGINT", "2"},
    {"abs(-amount)", "DOUBLE PRECISION", "2.5"},
    {"round(amount) + floor(-amount) + ceil(amount)", "DOUBLE PRECISION", "2"},
    {"ceiling(n) / 2", "DOUBLE PRECISION", "2.5"},
    {"greatest(n, driver_id, NULL, 6)", "BIGINT", "7"},
    {"least(n, amount, 3)", "DOUBLE PRECISION", "2.5"},
    {"least(n, 1) * 2 + greatest(1 + greatest(2, 3), n)", "INT", "7"},
    {"greatest(region)", "VARCHAR", "\"north\""},
    {"least(ts, '2012-01-01')", "TIMESTAMPTZ", "2012-01-01T00:00:00Z"},
    {"greatest(unused, NULL) IS NULL", "BOOLEAN", "true"},
    {"CASE WHEN ok THEN abs(n) ELSE length(region) END", "INT", "5"},
};

TEST(CompileTest, ExpressionsComputeWhatTheySay) {
  const Datum row[] = {Datum::Text("o1"),
                       Datum::Int(7),
                       Datum::Text("north"),
                       Datum::Int(5),
                       Datum::Null(),
                       Datum::Double(2.5),
                       Datum::Int(1357034400000000),
                       Datum::Null()};
  for (const Value& value : kValues) {
    ViewPlan view = CompileView(
        absl::StrCat("CREATE MATERIALIZED VIEW v (PRIMARY KEY (order_id)) AS "
                     "SELECT order_id, ",
                     value.sql, " AS x FROM orders"));
    ASSERT_EQ(view.outputs.size(), 2u) << value.sql;
    // A copy, after the plans are gone: it must hold its own text.
    const Expr expr = view.outputs[1];
    view = ViewPlan();
    TextArena arena;
    Datum result;
    absl::Status status = Evaluate(expr, row, &arena, &result);
    ASSERT_TRUE(status.ok()) << value.sql << ": " << status;
    EXPECT_EQ(TypeName(expr.type), value.type) << value.sql;
    EXPECT_EQ(DatumText(expr.type, result), value.result) << value.sql;
    EXPECT_LE(expr.max_stack, kMaxExprStack);
  }
}

TEST(CompileTest, LongInListsStayWithinTheStack) {
  std::string list = "1";
  for (int i = 2; i <= 1000; ++i) absl::StrAppend(&list, ", ", i * 2);
  for (const char* item : {"2000", "2001", "NULL"}) {
    ViewPlan view = CompileView(absl::StrCat(
        "CREATE MATERIALIZED VIEW v (PRIMARY KEY (order_id)) AS SELECT "
        "order_id, ",
        item, " + 0 IN (", list, ") AS x FROM orders"));
    ASSERT_EQ(view.outputs.size(), 2u);
    EXPECT_LE(view.outputs[1].max_stack, kMaxExprStack);
    TextArena arena;
    Datum result;
    std::vector<Datum> row(8);
    ASSERT_TRUE(Evaluate(view.outputs[1], row, &arena, &result).ok());
    EXPECT_EQ(result.is_null, std::string(item) == "NULL");
    if (!result.is_null) {
      EXPECT_EQ(result.b, std::string(item) == "2000");
    }
  }
}

}  // namespace
}  // namespace tidegate
