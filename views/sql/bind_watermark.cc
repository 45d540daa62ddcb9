// What needs the source's WATERMARK: retention, lateness, and lag.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/bind_view.h"
#include "views/sql/binder.h"

namespace tidegate::sql {
namespace {

// The column that is the event time, or could be; empty if there is none.
std::string TimeColumn(const SourcePlan& source) {
  if (source.watermark.has_value()) {
    return source.columns[source.watermark->column].name;
  }
  for (const Column& column : source.columns) {
    if (column.type == Type::kTimestamptz) return column.name;
  }
  return "";
}

std::string WatermarkHelp(const SourcePlan& source) {
  std::string time = TimeColumn(source);
  std::string first = "write WATERMARK FOR ";
  if (time.empty()) {
    time = "ts";
    first = "give it a column ts TIMESTAMPTZ, and WATERMARK FOR ";
  }
  return absl::StrCat(first, time, " AS ", time,
                      " - INTERVAL '2' SECOND in CREATE ",
                      source.is_table ? "TABLE " : "SOURCE ", source.name);
}

}  // namespace

std::string ViewBinder::WindowTime() const {
  std::string time = TimeColumn(source());
  return time.empty() ? "ts" : time;
}

const SourcePlan& ViewBinder::source() const {
  return (*catalog_.sources)[static_cast<size_t>(
      catalog_.positions->at(source_->name.text))];
}

bool ViewBinder::NeedWatermark(const SourcePlan& source, Span span,
                               absl::string_view what) {
  if (source.watermark.has_value()) return true;
  const Statement& statement = *catalog_.names->at(source.name);
  // If there is one that is wrong, that was reported.
  if (!statement.broken && !statement.source->watermark.has_value()) {
    reporter_->Error(span,
                     absl::StrCat(what, " needs a WATERMARK, and \"",
                                  source.name, "\" declares none"),
                     WatermarkHelp(source));
  }
  return false;
}

void ViewBinder::BindRetention(ViewPlan* plan) {
  const Option* option = FindOption(statement_.options, "retention");
  if (option != nullptr) {
    keyless_ = !view_.grouped && !view_.primary_key_span.has_value() &&
               !view_.window.has_value();
    if (!CheckRetention(*plan, *option)) broken_ = true;
  }
  plan->keyless = keyless_;
  BindLateness();
}

bool ViewBinder::CheckRetention(const ViewPlan& plan, const Option& option) {
  if (!view_.window.has_value()) {
    if (!view_.grouped) {
      return NeedWatermark(source(), option.key.span, "option \"retention\"");
    }
    if (broken_) return false;
    reporter_->Error(
        option.key.span,
        "option \"retention\" does not go with GROUP BY without a window",
        absl::StrCat("a group has no end; with a window it does: FROM TUMBLE(",
                     view_.from.text, ", ", WindowTime(),
                     ", INTERVAL '1' MINUTE)"));
    return false;
  }
  if (view_.window->kind == WindowKind::kSliding) {
    reporter_->Error(option.key.span,
                     "option \"retention\" does not go with SLIDING",
                     "rows of SLIDING leave when all their events have");
    return false;
  }
  if (plan.retention_us.has_value() &&
      plan.allowed_lateness_us > *plan.retention_us) {
    const Option* lateness = FindOption(statement_.options, "allowed.lateness");
    reporter_->Error(lateness->value.span,
                     "allowed.lateness is longer than retention",
                     "a row that has left cannot be amended: make retention "
                     "as long");
    return false;
  }
  return true;
}

void ViewBinder::BindLateness() {
  const Option* option = FindOption(statement_.options, "allowed.lateness");
  if (option == nullptr) return;
  bool joined = view_.join.has_value() && view_.join->as_of != nullptr;
  bool session =
      view_.window.has_value() && view_.window->kind == WindowKind::kSession;
  if (session || joined) {
    reporter_->Error(
        option->key.span,
        absl::StrCat("option \"allowed.lateness\" does not go with ",
                     session ? "SESSION" : "a join AS OF event time"),
        "such a view folds events in the order of their time: to wait longer "
        "for late ones, raise the bound of the WATERMARK");
    return;
  }
  bool windows =
      view_.window.has_value() && view_.window->kind != WindowKind::kSliding;
  if (windows || (broken_ && !view_.window.has_value())) return;
  reporter_->Error(option->key.span,
                   "option \"allowed.lateness\" needs TUMBLE or HOP",
                   "nothing else has windows that late events could amend: "
                   "leave it out");
}

void ViewBinder::AllowLags() {
  LagPlace place;
  place.first_column = source_columns_ + table_columns_ + (keyless_ ? 2 : 0);
  place.source = source().name;
  if (source().watermark.has_value()) {
    place.time_column = source().watermark->column;
    place.time_name = source().columns[place.time_column].name;
  } else {
    const Statement& statement = *catalog_.names->at(place.source);
    if (statement.broken || statement.source->watermark.has_value()) return;
    place.watermark_help = WatermarkHelp(source());
  }
  expressions_->AllowLags(std::move(place));
}

void ViewBinder::EmitLags(ViewPlan* plan) {
  for (const TypedPtr& key : expressions_->partition_by()) {
    Expr expr;
    if (EmitInto(*key, &expr)) plan->partition_by.push_back(std::move(expr));
  }
  for (const Lag& lag : expressions_->lags()) {
    LagCall call;
    call.distance = lag.distance;
    if (!EmitInto(*lag.argument, &call.argument)) continue;
    if (lag.default_value != nullptr) {
      Expr expr;
      if (!EmitInto(*lag.default_value, &expr)) continue;
      call.default_constant = std::move(expr);
    }
    plan->lags.push_back(std::move(call));
  }
  plan->ordered = plan->ordered || !plan->lags.empty();
}

}  // namespace tidegate::sql
