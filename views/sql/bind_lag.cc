// lag(…) OVER (PARTITION BY … ORDER BY ts), and functions that belong in FROM.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "views/sql/bind_expr.h"

namespace tidegate::sql {
namespace {

bool SameLag(const Lag& a, const Lag& b) {
  bool defaults = a.default_value != nullptr && b.default_value != nullptr;
  return a.distance == b.distance && SameExpression(*a.argument, *b.argument) &&
         (defaults ? SameExpression(*a.default_value, *b.default_value)
                   : a.default_value == b.default_value);
}

// The order of the keys does not matter.
bool SameKeys(const std::vector<TypedPtr>& a, const std::vector<TypedPtr>& b) {
  auto within = [](const std::vector<TypedPtr>& keys,
                   const std::vector<TypedPtr>& others) {
    return std::all_of(keys.begin(), keys.end(), [&](const TypedPtr& key) {
      return std::any_of(
          others.begin(), others.end(),
          [&](const TypedPtr& other) { return SameExpression(*key, *other); });
    });
  };
  return within(a, b) && within(b, a);
}

}  // namespace

bool ExprBinder::RefuseWindowFunction(const Node& node) {
  for (absl::string_view name : {"tumble", "hop", "session", "sliding"}) {
    std::string upper = absl::AsciiStrToUpper(name);
    if (node.text == name) {
      reporter_->Error(
          node.name_span, absl::StrCat(upper, " belongs in FROM"),
          absl::StrCat("write FROM ", upper, "(source, ts, INTERVAL …)",
                       name == "sliding" ? "" : ", and window_start here"));
      return true;
    }
    for (absl::string_view end : {"_start", "_end"}) {
      if (node.text != absl::StrCat(name, end)) continue;
      reporter_->Error(
          node.name_span,
          absl::StrCat("not supported: the function ", node.text, "(…)"),
          absl::StrCat("write the column window", end, " of FROM ", upper,
                       "(source, ts, INTERVAL …)"));
      return true;
    }
  }
  if (node.text != "window_start" && node.text != "window_end") return false;
  reporter_->Error(node.name_span,
                   absl::StrCat(node.text, " is a column, not a function"),
                   absl::StrCat("write ", node.text));
  return true;
}

bool ExprBinder::CheckLagForm(const Node& node) {
  auto fail = [&](std::string message, std::string help = "") {
    reporter_->Error(node.span, std::move(message), std::move(help));
    return false;
  };
  if (node.over == nullptr) {
    return fail("lag needs OVER",
                "write lag(x) OVER (PARTITION BY … ORDER BY ts)");
  }
  if (node.star || node.order_by != nullptr) {
    return fail("lag takes values only");
  }
  if (node.args.empty() || node.args.size() > 3) {
    return fail(
        absl::StrCat("lag needs one to three values, found ", node.args.size()),
        "write lag(x), lag(x, 2) or lag(x, 2, default)");
  }
  if (inside_lag_) return fail("lag(…) inside another lag");
  if (inside_aggregate_) return fail("lag(…) inside an aggregate");
  if (place_ != "SELECT") {
    return fail(absl::StrCat("lag(…) is not allowed in ", place_));
  }
  return true;
}

TypedPtr ExprBinder::BindLag(const Node& node) {
  if (!CheckLagForm(node)) return nullptr;
  // A source whose WATERMARK could not be read was reported.
  if (!lag_place_.has_value()) {
    if (!grouped_) return nullptr;
    reporter_->Error(node.span, "not supported: lag(…) in a view with GROUP BY",
                     "it belongs to views without: write (PRIMARY KEY (…))");
    return nullptr;
  }
  Lag lag;
  inside_lag_ = true;
  bool ok = BindLagArguments(node, &lag);
  ok = BindPartitionBy(node) && ok;
  ok = CheckLagOrder(node) && ok;
  inside_lag_ = false;
  return ok ? UseLag(node, std::move(lag)) : nullptr;
}

bool ExprBinder::BindLagArguments(const Node& node, Lag* lag) {
  lag->argument = BindNode(*node.args[0]);
  if (node.args.size() > 1) {
    const Node& distance = *node.args[1];
    lag->distance = distance.integer;
    if (distance.kind != NodeKind::kInteger || distance.integer < 1 ||
        distance.integer > kMaxLagDistance) {
      reporter_->Error(distance.span,
                       absl::StrCat("lag goes back by a number from 1 to ",
                                    kMaxLagDistance));
      return false;
    }
  }
  if (lag->argument == nullptr) return false;
  if (node.args.size() > 2) return BindLagDefault(node, lag);
  if (!lag->argument->untyped) return true;
  reporter_->Error(lag->argument->span, "the NULL in lag has no type",
                   "write CAST(NULL AS …)");
  return false;
}

bool ExprBinder::BindLagDefault(const Node& node, Lag* lag) {
  lag->default_value = BindNode(*node.args[2]);
  if (lag->default_value == nullptr) return false;
  auto fail = [&](std::string message, std::string help) {
    reporter_->Error(node.args[2]->span, std::move(message), std::move(help));
    return false;
  };
  if (ContainsColumn(*lag->default_value)) {
    return fail("the default of lag must be a constant",
                "write coalesce(lag(…) OVER (…), …)");
  }
  std::optional<Type> type =
      CommonType({lag->argument.get(), lag->default_value.get()}, "lag");
  if (!type.has_value()) return false;
  lag->argument = Coerce(std::move(lag->argument), *type);
  lag->default_value = Coerce(std::move(lag->default_value), *type);
  if (lag->argument == nullptr || lag->default_value == nullptr) return false;
  std::optional<Expr> constant = Emit(*lag->default_value);
  TextArena arena;
  Datum result;
  absl::Status status = constant.has_value()
                            ? Evaluate(*constant, {}, &arena, &result)
                            : absl::OkStatus();
  if (status.ok()) return true;
  return fail(absl::StrCat("the default of lag fails: ", status.message()), "");
}

bool ExprBinder::CheckLagOrder(const Node& node) {
  const Node& order_by = *node.over->order_by;
  if (lag_place_->time_column < 0) {
    reporter_->Error(order_by.span,
                     absl::StrCat("lag needs a WATERMARK, and \"",
                                  lag_place_->source, "\" declares none"),
                     lag_place_->watermark_help);
    return false;
  }
  TypedPtr time = BindNode(order_by);
  if (time == nullptr) return false;
  if (time->kind == TypedKind::kColumn &&
      time->index == lag_place_->time_column) {
    return true;
  }
  reporter_->Error(order_by.span,
                   absl::StrCat("lag goes by the source's WATERMARK column, \"",
                                lag_place_->time_name, "\""),
                   absl::StrCat("write ORDER BY ", lag_place_->time_name));
  return false;
}

// Into partition_by_ for the first lag; later ones must have the same.
bool ExprBinder::BindPartitionBy(const Node& node) {
  std::vector<TypedPtr> keys;
  for (const NodePtr& part : node.over->partition_by) {
    TypedPtr key = BindNode(*part);
    if (key == nullptr) return false;
    if (!ContainsColumn(*key)) {
      reporter_->Error(part->span, "PARTITION BY a constant", "name a column");
      return false;
    }
    auto same = [&](const TypedPtr& other) {
      return SameExpression(*other, *key);
    };
    if (std::any_of(keys.begin(), keys.end(), same)) continue;
    keys.push_back(std::move(key));
  }
  if (partition_by_.empty()) {
    partition_by_ = std::move(keys);
    return true;
  }
  if (SameKeys(keys, partition_by_)) return true;
  reporter_->Error(node.over->partition_by[0]->span,
                   "not supported yet: another PARTITION BY in the same view",
                   "all lags of a view look back over the same events: write "
                   "a second view");
  return false;
}

TypedPtr ExprBinder::UseLag(const Node& node, Lag lag) {
  auto typed = std::make_unique<Typed>();
  typed->kind = TypedKind::kColumn;
  typed->span = node.span;
  typed->type = lag.argument->type;
  auto same = std::find_if(lags_.begin(), lags_.end(), [&](const Lag& other) {
    return SameLag(other, lag);
  });
  typed->index =
      lag_place_->first_column + static_cast<int>(same - lags_.begin());
  if (same != lags_.end()) return typed;
  if (lags_.size() == kMaxLags) {
    reporter_->Error(node.span,
                     absl::StrCat("too many lags, the limit is ", kMaxLags));
    return nullptr;
  }
  lags_.push_back(std::move(lag));
  return typed;
}

}  // namespace tidegate::sql
