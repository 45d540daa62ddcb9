#include "tests/simulation/event_time_world.h"

#include "absl/strings/str_cat.h"

namespace tidegate::simulation {
namespace {

std::optional<Value> Quotient(int64_t dividend, const Value& divisor) {
  if (IsNull(divisor)) return Value();
  const int64_t by = std::get<int64_t>(divisor);
  if (by == 0) return std::nullopt;
  return Value(dividend / by);
}

Value Greater(const Value& value, int64_t than) {
  if (IsNull(value)) return Value();
  if (const auto* number = std::get_if<double>(&value)) {
    return Value(*number > static_cast<double>(than));
  }
  return Value(std::get<int64_t>(value) > than);
}

// SQL's three-valued AND (`decides` is false) and OR (true).
Value Combine(const Value& a, const Value& b, bool decides) {
  if (!IsNull(a) && std::get<bool>(a) == decides) return a;
  if (!IsNull(b) && std::get<bool>(b) == decides) return b;
  if (IsNull(a) || IsNull(b)) return Value();
  return Value(!decides);
}

}  // namespace

std::string ValueText(const Value& value) {
  struct Text {
    std::string operator()(std::monostate) { return "NULL"; }
    std::string operator()(bool v) { return v ? "true" : "false"; }
    std::string operator()(int64_t v) { return absl::StrCat(v); }
    std::string operator()(double v) { return absl::StrCat(v); }
    std::string operator()(const std::string& v) { return v; }
  };
  return std::visit(Text(), value);
}

std::optional<Value> Evaluate(const SimExpr& expr, const SimInput& input) {
  std::vector<Value> values;
  for (const SimExpr& child : expr.children) {
    std::optional<Value> value = Evaluate(child, input);
    if (!value.has_value()) return std::nullopt;
    values.push_back(*std::move(value));
  }
  switch (expr.kind) {
    case SimExpr::Kind::kColumn:
      return (*input.columns)[expr.index];
    case SimExpr::Kind::kTableColumn:
      return input.table == nullptr ? Value() : (*input.table)[expr.index];
    case SimExpr::Kind::kLag:
      return input.lags == nullptr ? Value() : (*input.lags)[expr.index];
    case SimExpr::Kind::kQuotient:
      return Quotient(expr.number, values[0]);
    case SimExpr::Kind::kGreater:
      return Greater(values[0], expr.number);
    case SimExpr::Kind::kNotNull:
      return Value(!IsNull(values[0]));
    case SimExpr::Kind::kBoth:
      return Combine(values[0], values[1], false);
    case SimExpr::Kind::kEither:
      return Combine(values[0], values[1], true);
  }
  return Value();
}

bool SimWorld::IsRead(int source) const {
  if (sources[source].is_table) return true;
  for (const SimView& view : views) {
    if (view.source == source) return true;
  }
  return false;
}

bool SimWorld::HoldsWatermark(int source) const {
  if (!sources[source].is_table) return IsRead(source);
  for (const SimView& view : views) {
    if (view.table == source) return true;
  }
  return false;
}

}  // namespace tidegate::simulation
