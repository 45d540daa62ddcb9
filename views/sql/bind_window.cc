// FROM TUMBLE(…) and the like, what they ask of GROUP BY, and EMIT.
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "views/sql/bind_view.h"

namespace tidegate::sql {
namespace {

// What the INTERVALs of a window are, in their order.
struct WindowForm {
  absl::string_view name;
  size_t min_intervals;
  size_t max_intervals;
  absl::string_view count;
  absl::string_view intervals[3];
};

const WindowForm& FormOf(WindowKind kind) {
  static constexpr WindowForm kForms[] = {
      {"TUMBLE", 1, 2, "one or two INTERVALs", {"size", "offset", ""}},
      {"HOP", 2, 3, "two or three INTERVALs", {"slide", "size", "offset"}},
      {"SESSION", 1, 1, "one INTERVAL", {"gap", "", ""}},
      {"SLIDING", 1, 2, "one or two INTERVALs", {"size", "step", ""}},
  };
  return kForms[static_cast<size_t>(kind)];
}

// "HOP(orders, ts, INTERVAL slide, INTERVAL size [, INTERVAL offset])"
std::string Synopsis(const WindowForm& form, const std::string& source,
                     const std::string& time) {
  std::string out = absl::StrCat(form.name, "(", source, ", ", time);
  for (size_t i = 0; i < form.max_intervals; ++i) {
    bool optional = i >= form.min_intervals;
    absl::StrAppend(&out, optional ? " [, " : ", ", "INTERVAL ",
                    form.intervals[i], optional ? "]" : "");
  }
  return absl::StrCat(out, ")");
}

// SLIDING moves in so many steps unless it says how.
constexpr int64_t kDefaultSteps = 60;

}  // namespace

bool ViewBinder::CheckWindowTime(const WindowDef& window) {
  const WindowForm& form = FormOf(window.kind);
  if (!NeedWatermark(source(), window.time.span, form.name)) return false;
  const std::string& name = source().columns[source().watermark->column].name;
  if (name == window.time.text) return true;
  reporter_->Error(
      window.time.span,
      absl::StrCat(form.name, " takes the source's WATERMARK column, \"", name,
                   "\", found \"", window.time.text, "\""),
      absl::StrCat("write ", form.name, "(", view_.from.text, ", ", name,
                   ", …)"));
  return false;
}

bool ViewBinder::CheckIntervals(const WindowDef& window) {
  const WindowForm& form = FormOf(window.kind);
  size_t count = window.intervals.size();
  if (count < form.min_intervals || count > form.max_intervals) {
    reporter_->Error(
        window.span,
        absl::StrCat(form.name, " takes ", form.count, ", found ", count),
        absl::StrCat("write ",
                     Synopsis(form, view_.from.text, window.time.text)));
    return false;
  }
  for (size_t i = 0; i < count; ++i) {
    const IntervalArgument& interval = window.intervals[i];
    if (interval.micros > 0 || form.intervals[i] == "offset") continue;
    reporter_->Error(interval.span,
                     absl::StrCat("the ", form.intervals[i], " of ", form.name,
                                  " must be above 0"));
    return false;
  }
  return true;
}

// The size is a whole number of slides, and not of too many.
bool ViewBinder::CheckSlides(const WindowDef& window, const WindowPlan& plan) {
  const WindowForm& form = FormOf(window.kind);
  bool hop = window.kind == WindowKind::kHop;
  absl::string_view slide = hop ? "slide" : "step";
  Span span = window.intervals[hop ? 0 : 1].span;
  if (plan.size_us % plan.slide_us != 0) {
    std::string help =
        absl::StrCat("a window must be a whole number of ", slide, "s");
    if (plan.slide_us > plan.size_us) {
      help = absl::StrCat("the order is ",
                          Synopsis(form, view_.from.text, window.time.text));
    }
    reporter_->Error(span,
                     absl::StrCat("the ", slide, " of ", form.name,
                                  " does not divide its size"),
                     std::move(help));
    return false;
  }
  if (plan.size_us / plan.slide_us > kMaxSlidesPerWindow) {
    reporter_->Error(
        span,
        absl::StrCat(form.name, " has more than ", kMaxSlidesPerWindow, " ",
                     slide, "s in a window"),
        absl::StrCat("make the ", slide, " longer"));
    return false;
  }
  return true;
}

bool ViewBinder::DefaultStep(const WindowDef& window, WindowPlan* plan) {
  plan->slide_us = plan->size_us / kDefaultSteps;
  if (plan->size_us % kDefaultSteps == 0) return true;
  reporter_->Error(
      window.intervals[0].span,
      absl::StrCat("SLIDING needs a step: its size does not divide by ",
                   kDefaultSteps),
      absl::StrCat("write ", Synopsis(FormOf(window.kind), view_.from.text,
                                      window.time.text)));
  return false;
}

void ViewBinder::CheckWindowView(const WindowDef& window) {
  if (window.kind == WindowKind::kSliding) {
    expressions_->set_window_help(
        "a SLIDING view has one row for each group, not one for each window: "
        "leave it out");
  } else {
    for (const Column& column : source().columns) {
      if (column.name != "window_start" && column.name != "window_end") {
        continue;
      }
      reporter_->Error(
          view_.from.span,
          absl::StrCat("\"", view_.from.text, "\" has a column \"", column.name,
                       "\", which is what the window adds"),
          "rename it in the source");
      broken_ = true;
    }
  }
  if (view_.grouped || broken_) return;
  reporter_->Error(window.span,
                   absl::StrCat(FormOf(window.kind).name, " needs GROUP BY"),
                   window.kind == WindowKind::kSliding
                       ? "write GROUP BY with the columns to keep one row for "
                         "each of"
                       : "write GROUP BY window_start, …");
  broken_ = true;
}

// The number of INTERVALs is right.
bool ViewBinder::MakeWindow(const WindowDef& window, WindowPlan* out) {
  auto micros = [&](size_t i) {
    return i < window.intervals.size() ? window.intervals[i].micros : 0;
  };
  out->kind = window.kind;
  out->size_us = micros(window.kind == WindowKind::kHop ? 1 : 0);
  int64_t offset_us = 0;
  switch (window.kind) {
    case WindowKind::kTumble:
      out->slide_us = out->size_us;
      offset_us = micros(1);
      break;
    case WindowKind::kHop:
      out->slide_us = micros(0);
      offset_us = micros(2);
      if (!CheckSlides(window, *out)) return false;
      break;
    case WindowKind::kSession:
      return true;
    case WindowKind::kSliding:
      out->slide_us = micros(1);
      return out->slide_us == 0 ? DefaultStep(window, out)
                                : CheckSlides(window, *out);
  }
  out->offset_us = (offset_us % out->slide_us + out->slide_us) % out->slide_us;
  return true;
}

void ViewBinder::BindWindow(ViewPlan* plan) {
  if (!view_.window.has_value()) {
    expressions_->set_window_help(
        absl::StrCat("it is a column of windows: FROM TUMBLE(", view_.from.text,
                     ", ", WindowTime(), ", INTERVAL '1' MINUTE)"));
    return;
  }
  const WindowDef& window = *view_.window;
  CheckWindowView(window);
  plan->ordered = plan->ordered || window.kind == WindowKind::kSession;
  plan->window.emplace();
  bool ok = CheckWindowTime(window);
  ok = CheckIntervals(window) && MakeWindow(window, &*plan->window) && ok;
  broken_ = broken_ || !ok;
}

// 0 for window_start itself, 1 for window_end, -1 for anything else.
int ViewBinder::WindowKey(const Typed& typed) const {
  if (window_column_ < 0 || typed.kind != TypedKind::kColumn) return -1;
  int at = typed.index - window_column_;
  return at == 0 || at == 1 ? at : -1;
}

bool ViewBinder::UsesWindow(const Typed& typed) const {
  return WindowKey(typed) >= 0 ||
         std::any_of(typed.args.begin(), typed.args.end(),
                     [&](const TypedPtr& arg) { return UsesWindow(*arg); });
}

// A session's end is part of its row whether or not GROUP BY says so.
void ViewBinder::AddSessionEnd(ViewPlan* plan) {
  if (!view_.window.has_value() || broken_ ||
      view_.window->kind != WindowKind::kSession) {
    return;
  }
  for (const TypedPtr& key : group_keys_) {
    if (WindowKey(*key) == 1) return;
  }
  auto output = std::find_if(
      outputs_.begin(), outputs_.end(), [&](const Output& candidate) {
        return candidate.value != nullptr && WindowKey(*candidate.value) == 1;
      });
  if (output == outputs_.end()) {
    reporter_->Error(view_.window->span,
                     "SESSION needs window_end in the SELECT list",
                     "add it: it says when a session's row is final");
    broken_ = true;
    return;
  }
  Expr expr;
  if (!EmitInto(*output->value, &expr)) return;
  plan->group_by.push_back(std::move(expr));
  group_keys_.push_back(Clone(*output->value));
  key_outputs_.push_back(
      static_cast<int>(std::distance(outputs_.begin(), output)));
}

void ViewBinder::CheckWindowGroups() {
  if (window_column_ < 0 || broken_) return;
  bool session = view_.window->kind == WindowKind::kSession;
  bool found = std::any_of(group_keys_.begin(), group_keys_.end(),
                           [&](const TypedPtr& key) {
                             int at = WindowKey(*key);
                             return at == 0 || (at == 1 && !session);
                           });
  if (!found) {
    reporter_->Error(view_.group_by[0]->span,
                     session
                         ? "GROUP BY does not have window_start"
                         : "GROUP BY has neither window_start nor window_end",
                     "write GROUP BY window_start, …");
    broken_ = true;
  }
  if (session) CheckSessionGroups();
}

// Which session an event belongs to is found by the other keys, and its bounds
// are known only when it has been folded.
void ViewBinder::CheckSessionGroups() {
  auto refuse = [&](const Typed& typed, absl::string_view where) {
    reporter_->Error(typed.span,
                     absl::StrCat("not supported: window_start or window_end "
                                  "in ",
                                  where, " over SESSION"),
                     "compute from them in the SELECT list");
    broken_ = true;
  };
  for (const TypedPtr& key : group_keys_) {
    if (WindowKey(*key) < 0 && UsesWindow(*key)) {
      refuse(*key, "a GROUP BY expression");
    }
  }
  for (const Aggregate& aggregate : expressions_->aggregates()) {
    for (const TypedPtr* part : {&aggregate.argument, &aggregate.order_by}) {
      if (*part != nullptr && UsesWindow(**part)) {
        refuse(**part, "an aggregate");
      }
    }
  }
}

void ViewBinder::FindWindowColumn(ViewPlan* plan) {
  if (broken_ || window_column_ < 0 || !plan->window.has_value()) return;
  for (size_t i = 0; i < group_keys_.size(); ++i) {
    int at = WindowKey(*group_keys_[i]);
    if (at < 0 || (at == 0 && plan->window_column >= 0)) continue;
    plan->window_column = key_outputs_[i];
    plan->window_add_us = at == 0 ? plan->window->size_us : 0;
  }
}

void ViewBinder::BindEmit(ViewPlan* plan) {
  plan->emit_on_close = view_.emit_on_close;
  if (!view_.emit_on_close || (broken_ && !view_.window.has_value())) return;
  if (!view_.window.has_value()) {
    reporter_->Error(*view_.emit_span, "EMIT ON WINDOW CLOSE needs a window",
                     absl::StrCat("write FROM TUMBLE(", view_.from.text, ", ",
                                  WindowTime(), ", INTERVAL '1' MINUTE)"));
  } else if (view_.window->kind == WindowKind::kSliding) {
    reporter_->Error(*view_.emit_span,
                     "EMIT ON WINDOW CLOSE does not go with SLIDING",
                     "what a sliding window covers moves on and never closes: "
                     "leave it out");
  }
}

}  // namespace tidegate::sql
