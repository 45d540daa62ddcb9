// What a views file means, resolved: the binder's output, and all that folds,
// decoders and the gateway know of SQL. Names and types are resolved here once;
// nothing is looked up by name per event.
#ifndef TIDEGATE_VIEWS_PLAN_PLAN_H_
#define TIDEGATE_VIEWS_PLAN_PLAN_H_

#include <cstddef>
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

enum class Format : uint8_t { kJson, kProtobuf, kAvro };

// One way in which a topic's values are written.
struct Encoding {
  Format format = Format::kJson;
  // kProtobuf: the full name; empty with a registry, whose framing says it.
  std::string proto_message;
  std::string proto_file;   // a .proto or a FileDescriptorSet (.desc, .pb)
  std::string schema_file;  // kAvro: an .avsc
  // The URL of a schema registry: records are framed with their schema's id,
  // and begin with byte 0. Empty: they are bare, and a file is given (JSON
  // needs none). With kJson, bare records are read too.
  std::string schema_registry;
};

// What a Kafka record says beside its value.
enum class Metadata : uint8_t {
  kKey,        // VARCHAR
  kTimestamp,  // TIMESTAMPTZ
  kPartition,  // INT
  kOffset,     // BIGINT
  kHeader,     // VARCHAR: the last of its name; NULL if there is none
};

// INCLUDE …: a column with metadata of the record. One that was sent back has
// the partition and offset where it stood first.
struct Included {
  Metadata what = Metadata::kKey;
  std::string header;  // kHeader: its name
};
inline constexpr int kMaxIncludedHeaders = 32;

// How the Kafka key of a FORMAT UPSERT table is read.
enum class KeyFormat : uint8_t { kText, kJson };

struct WatermarkPlan {
  int column = 0;        // TIMESTAMPTZ, in SourcePlan::columns
  int64_t bound_us = 0;  // WATERMARK FOR ts AS ts - bound
};

inline constexpr int64_t kDefaultIdleTimeoutMs = 5'000;
inline constexpr int64_t kDefaultMaxFutureSkewMs = 600'000;

// CREATE SOURCE (is_table false) or CREATE TABLE … FORMAT UPSERT.
struct SourcePlan {
  std::string name;
  bool is_table = false;
  std::string topic;
  // Fields of the value, and behind them one for each of `included`.
  std::vector<Column> columns;
  std::vector<Included> included;
  // Positions in `columns`; tables only. One column with KeyFormat::kText, any
  // number with kJson (an object).
  std::vector<int> primary_key;
  KeyFormat key_format = KeyFormat::kText;
  std::optional<WatermarkPlan> watermark;
  // One, or JSON and a binary one, in this order: of a topic that is being
  // migrated. A record that begins with byte 0 is framed; else, if both are
  // bare, JSON begins with '{'.
  std::vector<Encoding> encodings = {Encoding()};
  std::string key_column;  // `key`, empty if not given; for planning only
  std::string dead_letter_topic;  // empty: none
  // A partition that is at its end for so long no longer holds the watermark.
  int64_t idle_timeout_ms = kDefaultIdleTimeoutMs;
  // While all partitions are idle, the watermark moves on with the clock.
  bool idle_advance = true;
  // An event further ahead of the clock is diverted; with a watermark only.
  int64_t max_future_skew_ms = kDefaultMaxFutureSkewMs;
  // Every WITH option as written, defaults not filled in.
  std::map<std::string, std::string> options;
  std::string definition;  // the statement's text, without the semicolon

  // How many columns are fields of the value.
  size_t value_columns() const { return columns.size() - included.size(); }
  // Null if the topic is not written so.
  const Encoding* FindEncoding(Format format) const {
    for (const Encoding& encoding : encodings) {
      if (encoding.format == format) return &encoding;
    }
    return nullptr;
  }
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
  kMinBy,  // min_by(x, y): x where y is least, ties by EventOrder
  kMaxBy,
  kStddevSamp,
  kStddevPop,
  kVarSamp,
  kVarPop,
};

// One aggregate call. Its result has type `result`. sum(INT) and sum(BIGINT)
// are BIGINT, accumulated in 128 bits and an error when read out of range;
// avg of integers is DOUBLE PRECISION.
struct AggregateCall {
  AggregateKind kind = AggregateKind::kCountStar;
  std::optional<Expr> argument;  // over the input row; absent for count(*)
  // first_value, last_value: a TIMESTAMPTZ. min_by, max_by: the second
  // argument, of any type but VARCHAR.
  std::optional<Expr> order_by;
  Type result = Type::kBigint;
};

// [LEFT] JOIN table FOR SYSTEM_TIME AS OF … AS d ON a = d.key
struct JoinPlan {
  int table = 0;  // in PlanSet::sources; has a watermark if event_time
  bool left = false;
  // AS OF the source's event time rather than PROCTIME(): the table's version
  // that was valid then, whatever came when. Such a view is ordered.
  bool event_time = false;
  // One expression over the stream's columns per primary key column of the
  // table, in the table's key order and of its types.
  std::vector<Expr> key;
};

enum class WindowKind : uint8_t {
  kTumble,
  kHop,
  kSession,  // per group; a view over sessions is ordered
  // SLIDING: one row a group, over the events of the last `size`; what it
  // covers moves in steps of `slide`.
  kSliding,
};

// FROM TUMBLE(s, ts, size [, offset]), HOP(s, ts, slide, size [, offset]),
// SESSION(s, ts, gap), SLIDING(s, ts, size [, step]). `ts` is the source's
// WATERMARK column. Windows are [start, end), start = offset + k * slide.
struct WindowPlan {
  WindowKind kind = WindowKind::kTumble;
  int64_t size_us = 0;    // kSession: the gap
  int64_t slide_us = 0;   // kTumble: equal to size_us; divides size_us
  int64_t offset_us = 0;  // in [0, slide_us)
};
// Of slides in a window, for HOP and SLIDING.
inline constexpr int64_t kMaxSlidesPerWindow = 3600;

// lag(x [, n [, default]]) OVER (PARTITION BY … ORDER BY ts), `ts` being the
// source's WATERMARK column: x of the event n before, in event-time order.
struct LagCall {
  Expr argument;                         // over source and table columns
  int64_t distance = 1;                  // 1 to kMaxLagDistance
  std::optional<Expr> default_constant;  // else NULL
};
inline constexpr int64_t kMaxLagDistance = 1000;

struct OutputColumn {
  std::string name;
  Type type = Type::kVarchar;
};

// One materialized view, or a table that is served as a view (then `source` is
// the table, and filter, groups, aggregates and outputs are empty/identity).
//
// The *input row* of filter, group_by, aggregates (and of `outputs` when not
// grouped) is, one after another:
//   the source's columns,
//   the joined table's (all NULL where a LEFT JOIN found none),
//   window_start and window_end, if there is a window other than SLIDING,
//   the record's partition (INT) and offset (BIGINT), if `keyless`,
//   the results of `lags`.
// The input row of `outputs` when grouped is the group_by values followed by
// the aggregate results.
struct ViewPlan {
  std::string name;
  std::string pipeline = "default";
  int source = 0;  // in PlanSet::sources
  bool is_table = false;
  std::optional<JoinPlan> join;
  // Grouped views only. But for SLIDING, group_by holds window_start or
  // window_end (SESSION: window_start, and window_end is among the outputs).
  std::optional<WindowPlan> window;
  std::optional<Expr> where;  // never over window, place or lags
  bool grouped = false;
  std::vector<Expr> group_by;
  std::vector<AggregateCall> aggregates;
  std::vector<Expr> outputs;  // one per column
  std::vector<OutputColumn> columns;
  // Positions in `columns`, in key order. Grouped: the columns that are group
  // keys, all of them (SESSION: but window_end, which follows from the others).
  // Else the declared PRIMARY KEY; `keyless`: the last two columns.
  std::vector<int> key_columns;
  // Ungrouped without PRIMARY KEY: keyed by (kafka_partition, kafka_offset),
  // which are the last two of `columns`; has a retention.
  bool keyless = false;
  // All of a view's lags have one PARTITION BY. Ungrouped views only; ordered.
  std::vector<Expr> partition_by;
  std::vector<LagCall> lags;
  // Events pass the reorder buffer and fold in (event time, partition, offset)
  // order, as the watermark releases them.
  bool ordered = false;
  // Windows other than SLIDING: a row appears when its window closes.
  bool emit_on_close = false;
  // A closed window takes late events until end + allowed_lateness_us.
  int64_t allowed_lateness_us = 0;
  // Rows leave once the watermark is this far past their window's end (without
  // windows: their newest event). Not less than allowed_lateness_us.
  std::optional<int64_t> retention_us;
  // Where a row's window ends: the value of this output column, plus
  // window_add_us. -1 without windows, and for SLIDING.
  int window_column = -1;
  int64_t window_add_us = 0;
  std::map<std::string, std::string> options;
  std::string definition;  // the statement's text, without the semicolon
  // What the view's content depends on, canonical: its own definition and
  // those of its source and table, comments and spacing removed. Two plans
  // with equal text fold to equal rows.
  std::string canonical;
  // The canonical texts without one of a source's two encodings: rows made
  // under such a definition are this one's as well.
  std::vector<std::string> canonical_before;
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
