// A random world of the event-time simulation: sources, views and records, told
// apart from the product's own plans. The SQL text is written from it, and the
// model computes with it.
#ifndef TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WORLD_H_
#define TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace tidegate::simulation {

enum class ValueType : uint8_t {
  kBoolean,
  kInt,
  kBigint,
  kDouble,
  kVarchar,
  kTimestamp,  // microseconds
};
inline constexpr int kValueTypes = 6;

// NULL first; times and integers as int64_t.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;
using Values = std::vector<Value>;

inline bool IsNull(const Value& value) { return value.index() == 0; }
std::string ValueText(const Value& value);

struct SimColumn {
  std::string name;
  ValueType type = ValueType::kBigint;
};

// Its topic has the same name, its dead letters go to NAME.dlq.
struct SimSource {
  std::string name;
  bool is_table = false;
  int partitions = 1;  // at the start
  std::vector<SimColumn> columns;
  int time_column = 0;  // WATERMARK FOR
  int key_column = 1;   // a table's primary key
  int64_t bound_us = 0;
  int64_t idle_timeout_us = 0;
  int64_t max_future_skew_us = 0;
  bool idle_advance = true;
};

struct SimExpr {
  enum class Kind : uint8_t {
    kColumn,       // of the source, number `index`
    kTableColumn,  // of the joined table
    kLag,          // result of the view's lag number `index`
    kQuotient,     // number / child: an error where that is 0
    kGreater,      // child > number
    kNotNull,      // child IS NOT NULL
    kBoth,         // children AND each other
    kEither,       // OR
  };
  Kind kind = Kind::kColumn;
  ValueType type = ValueType::kBigint;
  int index = 0;
  int64_t number = 0;
  std::vector<SimExpr> children;
  friend bool operator==(const SimExpr&, const SimExpr&) = default;
};

// What an expression reads.
struct SimInput {
  const Values* columns = nullptr;
  const Values* table = nullptr;  // null: no row was found, all is NULL
  const Values* lags = nullptr;
};
// nullopt: division by zero.
std::optional<Value> Evaluate(const SimExpr& expr, const SimInput& input);

struct SimAggregate {
  enum class Kind : uint8_t {
    kCountStar,
    kCount,
    kCountQuotient,  // 60 / count(x): NULL where that divides by zero
    kSum,
    kMin,
    kMax,
    kAvg,
    kFirstValue,
    kLastValue,
    kMinBy,
    kMaxBy,
    kStddevSamp,
    kStddevPop,
    kVarSamp,
    kVarPop,
  };
  static constexpr int kKinds = 15;
  Kind kind = Kind::kCountStar;
  SimExpr argument;
  SimExpr order_by;
};
inline constexpr int64_t kCountDividend = 60;

struct SimLag {
  SimExpr argument;
  int64_t distance = 1;
  std::optional<int64_t> otherwise;  // the third argument
};

enum class Shape : uint8_t {
  kGrouped,  // without windows
  kTumble,
  kHop,
  kSession,
  kSliding,
  kKeyed,    // ungrouped, PRIMARY KEY
  kKeyless,  // ungrouped, by partition and offset
};
inline constexpr int kShapes = 7;

struct SimView {
  std::string name;
  int source = 0;
  Shape shape = Shape::kGrouped;
  int64_t size_us = 0;   // SESSION: the gap
  int64_t slide_us = 0;  // SLIDING: the step
  int64_t offset_us = 0;
  std::optional<SimExpr> where;
  // Grouped. The output columns are the groups, window_start and window_end as
  // far as the view shows them, the aggregates.
  std::vector<SimExpr> groups;
  bool shows_start = false;
  bool shows_end = false;
  std::vector<SimAggregate> aggregates;
  // Ungrouped; keyless ones also show partition and offset. The first are the
  // PRIMARY KEY of keyed ones.
  std::vector<SimExpr> outputs;
  size_t key_outputs = 1;
  std::optional<int> table;  // joined as of event time
  bool left = false;
  SimExpr join_key;
  std::vector<SimLag> lags;
  SimExpr partition_by;
  bool emit_on_close = false;
  int64_t allowed_us = 0;
  std::optional<int64_t> retention_us;

  bool grouped() const {
    return shape != Shape::kKeyed && shape != Shape::kKeyless;
  }
  bool order_free_windows() const {
    return shape == Shape::kTumble || shape == Shape::kHop;
  }
  bool windows() const {
    return order_free_windows() || shape == Shape::kSession;
  }
  bool ordered() const {
    return shape == Shape::kSession || table.has_value() || !lags.empty();
  }
  bool needs_event_time() const {
    return windows() || shape == Shape::kSliding || ordered() ||
           retention_us.has_value();
  }
};

struct SimWorld {
  std::vector<SimSource> sources;
  std::vector<SimView> views;
  std::string sql;

  // Some view reads it, or it is a table, which is served.
  bool IsRead(int source) const;
  // It bears on the watermark.
  bool HoldsWatermark(int source) const;
};

// As produced; what a reader makes of it is not in here.
struct SimRecord {
  int source = 0;
  int partition = 0;
  int64_t offset = 0;
  int64_t kafka_us = 0;
  bool undecodable = false;
  bool tombstone = false;
  Values columns;
  bool is_replay = false;
  // By view the starts of windows; none: all.
  std::map<std::string, std::vector<int64_t>> replay;

  // By which it is ordered, and whether the event itself says so.
  int64_t time_us = 0;
  bool has_event_time = false;
};
// Source, partition, offset.
using Place = std::tuple<int, int, int64_t>;
using RecordBook = std::map<Place, SimRecord>;

}  // namespace tidegate::simulation

#endif  // TIDEGATE_TESTS_SIMULATION_EVENT_TIME_WORLD_H_
