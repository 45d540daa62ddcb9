#include "tests/simulation/event_time_grammar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate::simulation {
namespace {

bool IsInteger(ValueType type) {
  return type == ValueType::kInt || type == ValueType::kBigint;
}
bool IsNumber(ValueType type) {
  return IsInteger(type) || type == ValueType::kDouble;
}

class Grammar {
 public:
  explicit Grammar(std::mt19937_64* random) : random_(*random) {}

  SimWorld Make() {
    static constexpr ValueType kKeyTypes[] = {
        ValueType::kBigint, ValueType::kInt, ValueType::kVarchar,
        ValueType::kVarchar};
    key_type_ = kKeyTypes[Below(4)];
    for (uint64_t i = 0, n = 1 + Below(2); i < n; ++i) AddSource(false);
    if (OneIn(2)) AddSource(true);
    const uint64_t views = 1 + Below(kMaxSimViews);
    while (world_.views.size() < views) AddView();
    world_.sql = WriteSql(world_);
    return std::move(world_);
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  int64_t Grid(int64_t least, int64_t most) {
    return (least + static_cast<int64_t>(Below(most - least + 1))) *
           kWindowGridUs;
  }

  void AddSource(bool table) {
    SimSource source;
    source.name = table ? "t" : absl::StrCat("s", world_.sources.size());
    source.is_table = table;
    source.partitions = 1 + static_cast<int>(Below(table ? 2 : 3));
    const std::string prefix = table ? "t_" : "";
    source.columns = {{prefix + "ts", ValueType::kTimestamp},
                      {prefix + "k", key_type_},
                      {prefix + "d", ValueType::kInt}};
    // Sources show every type, one after another.
    for (uint64_t i = 0, n = table ? 1 + Below(2) : 2 + Below(5); i < n; ++i) {
      source.columns.push_back(
          {absl::StrCat(prefix, "c", i),
           static_cast<ValueType>((next_type_++) % kValueTypes)});
    }
    source.bound_us = static_cast<int64_t>(1 + Below(30)) * kTimeGridUs;
    source.idle_timeout_us = Grid(1, 8);
    source.max_future_skew_us = Grid(4, 20);
    source.idle_advance = !OneIn(4);
    world_.sources.push_back(std::move(source));
  }

  const SimSource& source() const { return world_.sources[view_.source]; }
  bool joined() const { return view_.table.has_value(); }

  // A column whose type passes `fits`, of the source or the joined table.
  template <typename Fits>
  SimExpr Column(Fits fits) {
    while (true) {
      SimExpr expr;
      const bool of_table = joined() && OneIn(3);
      expr.kind =
          of_table ? SimExpr::Kind::kTableColumn : SimExpr::Kind::kColumn;
      const auto& columns =
          world_.sources[of_table ? *view_.table : view_.source].columns;
      expr.index = static_cast<int>(Below(columns.size()));
      expr.type = columns[expr.index].type;
      if (fits(expr.type)) return expr;
    }
  }
  SimExpr AnyColumn() {
    return Column([](ValueType) { return true; });
  }
  // Fails where the divisor is 0.
  SimExpr Quotient() {
    SimExpr expr;
    expr.kind = SimExpr::Kind::kQuotient;
    expr.number = 12 + static_cast<int64_t>(Below(50));
    expr.children.push_back(Column(IsInteger));
    expr.type = expr.children[0].type;
    return expr;
  }
  SimExpr ColumnOrQuotient() { return OneIn(6) ? Quotient() : AnyColumn(); }

  // Of the source alone: whether an event passes is known when it comes.
  SimExpr SimplePredicate() {
    const std::optional<int> table = std::exchange(view_.table, std::nullopt);
    SimExpr expr;
    expr.type = ValueType::kBoolean;
    if (OneIn(3)) {
      expr.kind = SimExpr::Kind::kNotNull;
      expr.children.push_back(AnyColumn());
    } else {
      expr.kind = SimExpr::Kind::kGreater;
      expr.number = static_cast<int64_t>(Below(6)) - 3;
      expr.children.push_back(Column(IsNumber));
    }
    view_.table = table;
    return expr;
  }
  SimExpr Predicate() {
    SimExpr expr = SimplePredicate();
    if (OneIn(4)) {
      // Not beside another: which of the two is looked at first is not told.
      const std::optional<int> table = std::exchange(view_.table, std::nullopt);
      expr.kind = SimExpr::Kind::kGreater;
      expr.number = 5;
      expr.children = {Quotient()};
      view_.table = table;
    } else if (OneIn(3)) {
      SimExpr both;
      both.kind = OneIn(2) ? SimExpr::Kind::kBoth : SimExpr::Kind::kEither;
      both.type = ValueType::kBoolean;
      both.children = {std::move(expr), SimplePredicate()};
      return both;
    }
    return expr;
  }

  void AddAggregate() {
    using Kind = SimAggregate::Kind;
    SimAggregate aggregate;
    aggregate.kind = static_cast<Kind>(Below(SimAggregate::kKinds));
    switch (aggregate.kind) {
      case Kind::kCountStar:
        break;
      case Kind::kCount:
      case Kind::kCountQuotient:
        aggregate.argument = ColumnOrQuotient();
        break;
      case Kind::kMin:
      case Kind::kMax:
        aggregate.argument =
            Column([](ValueType type) { return type != ValueType::kBoolean; });
        break;
      case Kind::kFirstValue:
      case Kind::kLastValue:
        aggregate.argument = ColumnOrQuotient();
        aggregate.order_by = Column(
            [](ValueType type) { return type == ValueType::kTimestamp; });
        break;
      case Kind::kMinBy:
      case Kind::kMaxBy:
        aggregate.argument = ColumnOrQuotient();
        aggregate.order_by = Column([](ValueType type) {
          return IsNumber(type) || type == ValueType::kTimestamp;
        });
        break;
      default:
        aggregate.argument = OneIn(6) ? Quotient() : Column(IsNumber);
    }
    view_.aggregates.push_back(std::move(aggregate));
  }

  void AddView() {
    view_ = SimView();
    view_.name = absl::StrCat("v", world_.views.size());
    const bool has_table = world_.sources.back().is_table;
    view_.source =
        static_cast<int>(Below(world_.sources.size() - (has_table ? 1 : 0)));
    view_.shape = static_cast<Shape>(Below(kShapes));
    if (has_table && view_.shape != Shape::kSliding && OneIn(2)) {
      view_.table = static_cast<int>(world_.sources.size()) - 1;
      view_.left = OneIn(2);
      view_.join_key.index = source().key_column;
      view_.join_key.type = key_type_;
    }
    if (!OneIn(3)) view_.where = Predicate();
    if (view_.grouped()) {
      MakeGrouped();
    } else {
      MakeUngrouped();
    }
    world_.views.push_back(view_);
  }

  void MakeWindow() {
    switch (view_.shape) {
      case Shape::kTumble:
        view_.size_us = Grid(2, 16);
        view_.slide_us = view_.size_us;
        break;
      case Shape::kHop:
      case Shape::kSliding:
        view_.slide_us = Grid(1, 6);
        view_.size_us = view_.slide_us * static_cast<int64_t>(1 + Below(5));
        break;
      default:
        view_.size_us = Grid(1, 6);
        return;
    }
    if (view_.order_free_windows() && OneIn(2)) {
      view_.offset_us =
          static_cast<int64_t>(Below(view_.slide_us / kTimeGridUs)) *
          kTimeGridUs;
    }
  }

  void MakeGrouped() {
    const bool windows = view_.windows();
    const uint64_t keys = (windows ? 0 : 1) + Below(3);
    while (view_.groups.size() < keys) {
      SimExpr group = ColumnOrQuotient();
      // One given twice would be one key.
      if (std::find(view_.groups.begin(), view_.groups.end(), group) ==
          view_.groups.end()) {
        view_.groups.push_back(std::move(group));
      }
    }
    for (uint64_t i = 0, n = 1 + Below(4); i < n; ++i) AddAggregate();
    if (view_.shape == Shape::kGrouped) return;
    MakeWindow();
    if (!windows) return;
    view_.shows_start = view_.shape == Shape::kSession || !OneIn(3);
    view_.shows_end =
        view_.shape == Shape::kSession || !view_.shows_start || OneIn(2);
    view_.emit_on_close = OneIn(2);
    if (!view_.ordered() && OneIn(2)) view_.allowed_us = Grid(1, 8);
    if (OneIn(2)) {
      view_.retention_us =
          view_.allowed_us + Grid(view_.allowed_us > 0 ? 0 : 1, 12);
    }
  }

  void MakeUngrouped() {
    for (uint64_t i = 0, n = 1 + Below(3); i < n; ++i) {
      view_.outputs.push_back(ColumnOrQuotient());
    }
    if (view_.outputs.size() > 1 && OneIn(2)) view_.key_outputs = 2;
    if (view_.shape == Shape::kKeyless || OneIn(2)) {
      view_.retention_us = Grid(2, 20);
    }
    if (!OneIn(3)) return;
    const std::optional<int> table = std::exchange(view_.table, std::nullopt);
    view_.partition_by = AnyColumn();
    view_.table = table;
    for (uint64_t i = 0, n = 1 + Below(2); i < n; ++i) {
      SimLag lag;
      lag.argument = AnyColumn();
      lag.distance = 1 + static_cast<int64_t>(Below(3));
      if (IsInteger(lag.argument.type) && OneIn(2)) lag.otherwise = 77;
      SimExpr output;
      output.kind = SimExpr::Kind::kLag;
      output.type = lag.argument.type;
      output.index = static_cast<int>(view_.lags.size());
      view_.lags.push_back(std::move(lag));
      view_.outputs.push_back(std::move(output));
    }
  }

  std::mt19937_64& random_;
  SimWorld world_;
  SimView view_;
  ValueType key_type_ = ValueType::kBigint;
  int next_type_ = 0;
};

}  // namespace

SimWorld RandomWorld(std::mt19937_64* random) { return Grammar(random).Make(); }

}  // namespace tidegate::simulation
