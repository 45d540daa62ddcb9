// What a views file means, resolved: the binder's output, and all that folds,
// decoders and the gateway know of SQL. Names and types are resolved here once;
// nothing is looked up by name per event.
#ifndef TIDEGATE_VIEWS_PLAN_PLAN_H_
#define TIDEGATE_VIEWS_PLAN_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "views/plan/datum.h"
#include "views/plan/expr.h"

namespace tidegate {

struct Column {
  std::string name;
  Type type = Type::kVarchar;
};

enum class Format : uint8_t { kJson, kProtobuf };

// How the Kafka key of a FORMAT UPSERT table is read.
enum class KeyFormat : uint8_t { kText, kJson };

struct WatermarkPlan {
  int column = 0;        // TIMESTAMPTZ, in SourcePlan::columns
  int64_t bound_us = 0;  // WATERMARK FOR ts AS ts - bound
};

// CREATE SOURCE (is_table false) or CREATE TABLE … FORMAT UPSERT.
struct SourcePlan {
  std::string name;
  bool is_table = false;
  std::string topic;
  std::vector<Column> columns;
  // Positions in `columns`; tables only. One column with KeyFormat::kText, any
  // number with kJson (an object).
  std::vector<int> primary_key;
  KeyFormat key_format = KeyFormat::kText;
  std::optional<WatermarkPlan> watermark;
  Format format = Format::kJson;
  std::string proto_message;  // full name; kProtobuf
  std::string proto_file;     // a .proto or a FileDescriptorSet (.desc, .pb)
  std::string key_column;     // `key`, empty if not given; for planning only
  std::string dead_letter_topic;  // empty: none
  int64_t idle_timeout_ms = 0;    // 0: default
  // Every WITH option as written, defaults not filled in.
  std::map<std::string, std::string> options;
  std::string definition;  // the statement's text, without the semicolon
};

enum class AggregateKind : uint8_t {
  kCountStar,
  kCount,
  kSum,
  kMin,
  kMax,
  kAvg,
  kFirstValue,
  kLastValue,
};

// One aggregate call. Its result has type `result`. sum(INT) and sum(BIGINT)
// are BIGINT, accumulated in 128 bits and an error when read out of range;
// avg of integers is DOUBLE PRECISION.
struct AggregateCall {
  AggregateKind kind = AggregateKind::kCountStar;
  std::optional<Expr> argument;  // over the input row; absent for count(*)
  std::optional<Expr> order_by;  // TIMESTAMPTZ; first_value, last_value
  Type result = Type::kBigint;
};

// [LEFT] JOIN table FOR SYSTEM_TIME AS OF PROCTIME() AS d ON a = d.key
struct JoinPlan {
  int table = 0;  // in PlanSet::sources
  bool left = false;
  // One expression over the stream's columns per primary key column of the
  // table, in the table's key order and of its types.
  std::vector<Expr> key;
};

struct OutputColumn {
  std::string name;
  Type type = Type::kVarchar;
};

// One materialized view, or a table that is served as a view (then `source` is
// the table, and filter, groups, aggregates and outputs are empty/identity).
//
// The *input row* of filter, group_by, aggregates (and of `outputs` when not
// grouped) is the source's columns followed by the joined table's columns (all
// NULL where a LEFT JOIN found none). The input row of `outputs` and `having`
// when grouped is the group_by values followed by the aggregate results.
struct ViewPlan {
  std::string name;
  std::string pipeline = "default";
  int source = 0;  // in PlanSet::sources
  bool is_table = false;
  std::optional<JoinPlan> join;
  std::optional<Expr> where;
  bool grouped = false;
  std::vector<Expr> group_by;
  std::vector<AggregateCall> aggregates;
  std::vector<Expr> outputs;  // one per column
  std::vector<OutputColumn> columns;
  // Positions in `columns`, in key order. Grouped: the columns that are group
  // keys, all of them. Else the declared PRIMARY KEY.
  std::vector<int> key_columns;
  std::map<std::string, std::string> options;
  std::string definition;  // the statement's text, without the semicolon
  // What the view's content depends on, canonical: its own definition and
  // those of its source and table, comments and spacing removed. Two plans
  // with equal text fold to equal rows.
  std::string canonical;
  // Which source columns anything above reads (the rest is not decoded); size
  // of the source's columns. The watermark column is always in it.
  std::vector<bool> used_columns;
};

// A whole views file.
struct PlanSet {
  std::vector<SourcePlan> sources;
  std::vector<ViewPlan> views;  // served tables included, in file order
};

}  // namespace tidegate

#endif  // TIDEGATE_VIEWS_PLAN_PLAN_H_
