// A world as the text of a views file.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/simulation/event_time_grammar.h"

namespace tidegate::simulation {
namespace {

absl::string_view TypeText(ValueType type) {
  static constexpr absl::string_view kNames[kValueTypes] = {
      "BOOLEAN", "INT", "BIGINT", "DOUBLE PRECISION", "VARCHAR", "TIMESTAMPTZ"};
  return kNames[static_cast<int>(type)];
}

std::string Interval(int64_t micros) {
  return absl::StrCat("INTERVAL '", micros / 1000, "' MILLISECOND");
}
std::string Option(absl::string_view name, int64_t micros) {
  return absl::StrCat(name, " = '", micros / 1000, "ms'");
}

std::string SourceSql(const SimSource& source) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < source.columns.size(); ++i) {
    const bool key =
        source.is_table && static_cast<int>(i) == source.key_column;
    lines.push_back(absl::StrCat(source.columns[i].name, " ",
                                 TypeText(source.columns[i].type),
                                 key ? " PRIMARY KEY" : ""));
  }
  const std::string& time = source.columns[source.time_column].name;
  lines.push_back(absl::StrCat("WATERMARK FOR ", time, " AS ", time, " - ",
                               Interval(source.bound_us)));
  std::vector<std::string> options = {
      absl::StrCat("topic = '", source.name, "'"),
      absl::StrCat("dead.letter.topic = '", source.name, ".dlq'"),
      Option("idle.timeout", source.idle_timeout_us),
      Option("max.future.skew", source.max_future_skew_us)};
  if (!source.idle_advance) options.push_back("idle.advance = 'off'");
  return absl::StrCat(
      "CREATE ", source.is_table ? "TABLE " : "SOURCE ", source.name, " (\n  ",
      absl::StrJoin(lines, ",\n  "), "\n) WITH (", absl::StrJoin(options, ", "),
      ")\n  FORMAT ", source.is_table ? "UPSERT" : "PLAIN", " ENCODE JSON;\n");
}

class ViewWriter {
 public:
  ViewWriter(const SimWorld& world, const SimView& view)
      : world_(world), view_(view), source_(world.sources[view.source]) {}

  std::string Write() {
    std::vector<std::string> items = view_.grouped() ? Grouped() : Ungrouped();
    std::string sql = absl::StrCat("CREATE MATERIALIZED VIEW ", view_.name);
    if (view_.shape == Shape::kKeyed) {
      absl::StrAppend(&sql, " (PRIMARY KEY (",
                      view_.key_outputs > 1 ? "o0, o1" : "o0", "))");
    }
    std::vector<std::string> options;
    if (view_.retention_us.has_value()) {
      options.push_back(Option("retention", *view_.retention_us));
    }
    if (view_.allowed_us > 0) {
      options.push_back(Option("allowed.lateness", view_.allowed_us));
    }
    if (!options.empty()) {
      absl::StrAppend(&sql, " WITH (", absl::StrJoin(options, ", "), ")");
    }
    absl::StrAppend(&sql, " AS\n  SELECT ", absl::StrJoin(items, ", "),
                    "\n  FROM ", From());
    if (view_.where.has_value()) {
      absl::StrAppend(&sql, "\n  WHERE ", Text(*view_.where));
    }
    if (view_.grouped()) {
      absl::StrAppend(&sql, "\n  GROUP BY ", absl::StrJoin(group_by_, ", "));
    }
    if (view_.emit_on_close) absl::StrAppend(&sql, "\n  EMIT ON WINDOW CLOSE");
    return sql + ";\n";
  }

 private:
  std::string Text(const SimExpr& expr) const {
    const auto child = [&](size_t i) { return Text(expr.children[i]); };
    switch (expr.kind) {
      case SimExpr::Kind::kColumn:
        return source_.columns[expr.index].name;
      case SimExpr::Kind::kTableColumn:
        return world_.sources[*view_.table].columns[expr.index].name;
      case SimExpr::Kind::kLag:
        return LagText(view_.lags[expr.index]);
      case SimExpr::Kind::kQuotient:
        return absl::StrCat(expr.number, " / ", child(0));
      case SimExpr::Kind::kGreater:
        return absl::StrCat("(", child(0), ") > (", expr.number, ")");
      case SimExpr::Kind::kNotNull:
        return absl::StrCat("(", child(0), ") IS NOT NULL");
      case SimExpr::Kind::kBoth:
        return absl::StrCat("(", child(0), ") AND (", child(1), ")");
      case SimExpr::Kind::kEither:
        return absl::StrCat("(", child(0), ") OR (", child(1), ")");
    }
    return "";
  }

  std::string LagText(const SimLag& lag) const {
    return absl::StrCat(
        "lag(", Text(lag.argument), ", ", lag.distance,
        lag.otherwise.has_value() ? absl::StrCat(", ", *lag.otherwise) : "",
        ") OVER (PARTITION BY ", Text(view_.partition_by), " ORDER BY ",
        source_.columns[source_.time_column].name, ")");
  }

  std::string AggregateText(const SimAggregate& aggregate) const {
    static constexpr absl::string_view kNames[SimAggregate::kKinds] = {
        "count",  "count",       "count",       "sum",        "min",
        "max",    "avg",         "first_value", "last_value", "min_by",
        "max_by", "stddev_samp", "stddev_pop",  "var_samp",   "var_pop"};
    using Kind = SimAggregate::Kind;
    if (aggregate.kind == Kind::kCountStar) return "count(*)";
    std::string text = absl::StrCat(kNames[static_cast<int>(aggregate.kind)],
                                    "(", Text(aggregate.argument));
    if (aggregate.kind == Kind::kFirstValue ||
        aggregate.kind == Kind::kLastValue) {
      absl::StrAppend(&text, " ORDER BY ", Text(aggregate.order_by));
    } else if (aggregate.kind == Kind::kMinBy ||
               aggregate.kind == Kind::kMaxBy) {
      absl::StrAppend(&text, ", ", Text(aggregate.order_by));
    }
    text += ")";
    if (aggregate.kind == Kind::kCountQuotient) {
      return absl::StrCat(kCountDividend, " / ", text);
    }
    return text;
  }

  std::vector<std::string> Grouped() {
    std::vector<std::string> items;
    for (size_t i = 0; i < view_.groups.size(); ++i) {
      group_by_.push_back(absl::StrCat("g", i));
      items.push_back(
          absl::StrCat(Text(view_.groups[i]), " AS ", group_by_.back()));
    }
    for (const char* edge : {"window_start", "window_end"}) {
      const bool start = edge == std::string("window_start");
      if (!(start ? view_.shows_start : view_.shows_end)) continue;
      items.emplace_back(edge);
      group_by_.emplace_back(edge);
    }
    for (size_t i = 0; i < view_.aggregates.size(); ++i) {
      items.push_back(
          absl::StrCat(AggregateText(view_.aggregates[i]), " AS a", i));
    }
    return items;
  }

  std::vector<std::string> Ungrouped() const {
    std::vector<std::string> items;
    for (size_t i = 0; i < view_.outputs.size(); ++i) {
      items.push_back(absl::StrCat(Text(view_.outputs[i]), " AS o", i));
    }
    return items;
  }

  std::string From() const {
    static constexpr absl::string_view kNames[kShapes] = {
        "", "TUMBLE", "HOP", "SESSION", "SLIDING", "", ""};
    const std::string& time = source_.columns[source_.time_column].name;
    std::string from = source_.name;
    const absl::string_view name = kNames[static_cast<int>(view_.shape)];
    if (!name.empty()) {
      const bool hop = view_.shape == Shape::kHop;
      from = absl::StrCat(name, "(", source_.name, ", ", time, ", ",
                          Interval(hop ? view_.slide_us : view_.size_us));
      if (hop) absl::StrAppend(&from, ", ", Interval(view_.size_us));
      if (view_.shape == Shape::kSliding) {
        absl::StrAppend(&from, ", ", Interval(view_.slide_us));
      }
      if (view_.offset_us > 0) {
        absl::StrAppend(&from, ", ", Interval(view_.offset_us));
      }
      from += ")";
    }
    if (!view_.table.has_value()) return from;
    const SimSource& table = world_.sources[*view_.table];
    return absl::StrCat(from, " AS o\n  ", view_.left ? "LEFT " : "", "JOIN ",
                        table.name, " FOR SYSTEM_TIME AS OF o.", time,
                        " AS d ON o.", source_.columns[source_.key_column].name,
                        " = d.", table.columns[table.key_column].name);
  }

  const SimWorld& world_;
  const SimView& view_;
  const SimSource& source_;
  std::vector<std::string> group_by_;
};

}  // namespace

std::string WriteSql(const SimWorld& world) {
  std::string sql;
  for (const SimSource& source : world.sources) sql += SourceSql(source);
  for (const SimView& view : world.views) {
    sql += ViewWriter(world, view).Write();
  }
  return sql;
}

}  // namespace tidegate::simulation
