// Windowed folds against a model that knows every event: in any order, whatever
// the watermark does, however often they commit, crash and start again.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "views/fold/window_testing.h"

namespace tidegate {
namespace {

using testing::Column;
using testing::GroupK;
using testing::kNever;
using testing::PlanOf;
using testing::ValueText;
using testing::WindowEnd;
using testing::WindowEvent;
using testing::WindowHarness;
using testing::WindowStart;

constexpr int64_t kNone = kNoEventTime.value();

int64_t Floor(int64_t a, int64_t b) {
  int64_t steps = a / b;
  while (steps * b > a) --steps;
  return steps * b;
}

// What a view is of, beside the window.
struct View {
  WindowPlan window;
  bool emit_on_close = false;
  int64_t lateness = 0;
  std::optional<int64_t> retention;
  bool by_end = false;     // window_end is the key, window_start is not
  bool by_number = false;  // d is a key too

  bool sliding() const { return window.kind == WindowKind::kSliding; }
  bool session() const { return window.kind == WindowKind::kSession; }

  ViewPlan Plan() const {
    std::vector<Expr> groups = {GroupK()};
    if (!sliding()) groups.push_back(by_end ? WindowEnd() : WindowStart());
    if (by_number) groups.push_back(Column(2, Type::kDouble));
    ViewPlan plan = PlanOf(window, std::move(groups));
    plan.emit_on_close = emit_on_close;
    plan.allowed_lateness_us = lateness;
    plan.retention_us = retention;
    return plan;
  }
};

// A window of a group: the events in it.
struct Cell {
  std::vector<WindowEvent> events;
  bool corrected = false;
};
struct CellKey {
  std::string k;
  std::string d;
  int64_t start = 0;
  int64_t end = 0;
  friend auto operator<=>(const CellKey&, const CellKey&) = default;
};
using Cells = std::map<CellKey, Cell>;

class Model {
 public:
  explicit Model(View view) : view_(view) {}

  // What WindowHarness::Apply returns.
  std::string Apply(const WindowEvent& event, bool replay,
                    const std::vector<int64_t>& named) {
    if (!event.x || *event.x == 13) return "";
    if (view_.session()) {
      events_.push_back(event);
      return "";
    }
    if (view_.sliding()) {
      if (watermark_ != kNone && event.ts < Reach(watermark_)) return "late";
      events_.push_back(event);
      return "";
    }
    std::vector<int64_t> late;
    for (int64_t start = event.ts - view_.window.size_us + 1; start <= event.ts;
         ++start) {
      const int64_t from_offset = start - view_.window.offset_us;
      if (Floor(from_offset, view_.window.slide_us) != from_offset) continue;
      if (!named.empty() &&
          std::find(named.begin(), named.end(), start) == named.end()) {
        continue;
      }
      const int64_t end = start + view_.window.size_us;
      const bool gone =
          replay ? Expired(end)
                 : watermark_ != kNone && end + view_.lateness <= watermark_;
      if (gone) {
        late.push_back(start);
        continue;
      }
      Cell& cell = cells_[KeyOf(event, start, end)];
      cell.events.push_back(event);
      cell.corrected |= end <= watermark_;
    }
    return late.empty() ? "" : absl::StrCat("late ", absl::StrJoin(late, ","));
  }

  void Advance(int64_t watermark) { watermark_ = watermark; }
  int64_t watermark() const { return watermark_; }

  // As WindowHarness::Rows, but sorted.
  std::vector<std::string> Rows() const {
    std::vector<std::string> rows;
    for (const auto& [key, cell] : Current()) {
      if (!view_.sliding() && Expired(key.end)) continue;
      if (view_.emit_on_close && key.end > watermark_) continue;
      rows.push_back(RowText(key, cell));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  int64_t NextTimer() const {
    int64_t next = kNever;
    for (const auto& [key, cell] : Current()) {
      if (view_.sliding()) {
        int64_t first = kNever;
        for (const WindowEvent& e : cell.events) first = std::min(first, e.ts);
        int64_t at = std::max(watermark_, first);
        while (Reach(at) <= first) ++at;
        next = std::min(next, at);
      } else if (Expired(key.end)) {
        continue;
      } else if (view_.emit_on_close && key.end > watermark_) {
        next = std::min(next, key.end);
      } else if (view_.retention) {
        next = std::min(next, key.end + *view_.retention);
      }
    }
    return next;
  }

 private:
  bool Expired(int64_t end) const {
    return view_.retention && end + *view_.retention <= watermark_;
  }
  // SLIDING: what is older does not count.
  int64_t Reach(int64_t watermark) const {
    const int64_t step = view_.window.slide_us;
    return Floor(watermark, step) + step - view_.window.size_us;
  }

  CellKey KeyOf(const WindowEvent& event, int64_t start, int64_t end) const {
    CellKey key = {.k = event.k.value_or("NULL"), .start = start, .end = end};
    if (view_.by_number) {
      key.d = !event.d ? "NULL"
              : *event.d == 0
                  ? "0"  // -0 too
                  : ValueText(Type::kDouble, Datum::Double(*event.d));
    }
    return key;
  }

  // All windows there ever were.
  Cells Current() const {
    if (!view_.session() && !view_.sliding()) return cells_;
    Cells cells;
    std::map<CellKey, std::vector<WindowEvent>> groups;
    for (const WindowEvent& event : events_) {
      if (view_.sliding() && watermark_ != kNone &&
          event.ts < Reach(watermark_)) {
        continue;
      }
      groups[KeyOf(event, 0, 0)].push_back(event);
    }
    for (auto& [key, events] : groups) {
      if (view_.sliding()) {
        cells[key].events = events;
        continue;
      }
      std::sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
        return a.order() < b.order();
      });
      for (size_t first = 0, i = 0; i < events.size(); ++i) {
        const int64_t end = events[i].ts + view_.window.size_us;
        if (i + 1 < events.size() && events[i + 1].ts < end) continue;
        Cell& cell = cells[KeyOf(events[first], events[first].ts, end)];
        cell.events.assign(events.begin() + static_cast<int64_t>(first),
                           events.begin() + static_cast<int64_t>(i) + 1);
        first = i + 1;
      }
    }
    return cells;
  }

  std::string RowText(const CellKey& key, const Cell& cell) const {
    std::string text = key.k;
    if (!view_.sliding()) {
      absl::StrAppend(&text, "|", view_.by_end ? key.end : key.start);
    }
    if (view_.by_number) absl::StrAppend(&text, "|", key.d);
    if (view_.session()) absl::StrAppend(&text, "|", key.end);
    int64_t total = 0;
    double sum = 0;
    bool any = false;
    const WindowEvent* last = &cell.events[0];
    for (const WindowEvent& event : cell.events) {
      total += *event.x;
      if (event.d) any = true, sum += *event.d;
      if (event.order() > last->order()) last = &event;
    }
    absl::StrAppend(&text, "|", cell.events.size(), "|", total, "|", *last->x,
                    "|",
                    any ? ValueText(Type::kDouble, Datum::Double(sum)) : "NULL",
                    cell.corrected ? "!" : "");
    return text;
  }

  const View view_;
  int64_t watermark_ = kNone;
  Cells cells_;                      // TUMBLE, HOP
  std::vector<WindowEvent> events_;  // SESSION, SLIDING
};

// An event, or the watermark's move.
struct Input {
  std::optional<WindowEvent> event;
  bool replay = false;
  std::vector<int64_t> named;
  int64_t watermark = 0;
};

std::string Do(const Input& op, WindowHarness* view) {
  if (!op.event) {
    view->Advance(op.watermark);
    return "";
  }
  ReplayTarget target;
  for (const int64_t start : op.named) target["v"].emplace_back(start);
  target["v"];
  return view->Apply(*op.event, op.replay ? &target : nullptr);
}

class WindowPropertyTest : public ::testing::Test {
 protected:
  WindowPropertyTest() {
    const uint64_t seed = std::random_device{}();
    std::cout << "seed " << seed << "\n";
    random_.seed(seed);
  }

  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }
  bool OneIn(int64_t n) { return Below(n) == 0; }

  View RandomView(WindowKind kind) {
    View view;
    view.window.kind = kind;
    view.window.slide_us = 1 + Below(8);
    view.window.size_us = view.window.slide_us;
    if (kind == WindowKind::kHop || kind == WindowKind::kSliding) {
      view.window.size_us *= 1 + Below(5);
    }
    if (kind == WindowKind::kTumble || kind == WindowKind::kHop) {
      view.window.offset_us = Below(view.window.slide_us);
      if (OneIn(2)) view.lateness = Below(12);
      view.by_end = OneIn(2);
    }
    view.by_number = OneIn(2);
    if (kind != WindowKind::kSliding) {
      view.emit_on_close = OneIn(2);
      if (OneIn(2)) view.retention = view.lateness + Below(20);
    }
    return view;
  }

  WindowEvent RandomEvent(int64_t now) {
    WindowEvent event;
    if (!OneIn(6))
      event.k = OneIn(4) ? std::string("c\0d", 3) : OneIn(2) ? "a" : "";
    if (!OneIn(9)) event.x = OneIn(8) ? 13 : Below(9) - 4;
    if (!OneIn(5)) {
      const double values[] = {0.0, -0.0, 0.25, -1.5,
                               std::numeric_limits<double>::quiet_NaN()};
      event.d = values[Below(5)];
    }
    event.ts = now - (OneIn(5) ? Below(60) : Below(8));
    event.partition = static_cast<int32_t>(Below(3));
    event.offset = offsets_[event.partition]++;
    return event;
  }

  int64_t NextWatermark(int64_t now, const Model& model) {
    const int64_t timer = model.NextTimer();
    if (timer != kNever && OneIn(3)) {
      return std::max(model.watermark(), timer - Below(2));
    }
    return std::max(model.watermark(), now - Below(20));
  }

  // The fold that commits now and then and crashes, the one that starts again
  // after every step, and the model.
  struct Trio {
    explicit Trio(const View& view)
        : model(view),
          crashing(view.Plan()),
          restarting(view.Plan(), /*max_keys=*/4) {}
    Model model;
    WindowHarness crashing;
    WindowHarness restarting;
    std::vector<Input> uncommitted;  // of `crashing`
  };

  void Step(const Input& op, Trio* trio) {
    std::string expected;
    if (op.event) {
      expected = trio->model.Apply(*op.event, op.replay, op.named);
    } else {
      trio->model.Advance(op.watermark);
    }
    ASSERT_EQ(Do(op, &trio->crashing), expected);
    ASSERT_EQ(Do(op, &trio->restarting), expected);
    trio->uncommitted.push_back(op);
    if (op.event && !expected.empty()) {
      ++late_;
      if (expected != "late") late_events_.push_back({*op.event, expected});
    }
    trio->restarting.Commit();
    trio->restarting.Reopen();
    if (OneIn(20)) {
      ++crashes_;
      trio->crashing.Reopen();
      for (const Input& again : trio->uncommitted) Do(again, &trio->crashing);
    }
    ASSERT_EQ(trio->crashing.next_timer(), trio->model.NextTimer());
    ASSERT_EQ(trio->restarting.next_timer(), trio->model.NextTimer());
  }

  void Check(Trio* trio) {
    trio->crashing.Commit();
    trio->uncommitted.clear();
    std::vector<std::string> rows = trio->crashing.Rows();
    std::sort(rows.begin(), rows.end());
    ASSERT_EQ(rows, trio->model.Rows());
    ASSERT_EQ(trio->restarting.store().rows, trio->crashing.store().rows);
    ASSERT_EQ(trio->restarting.Rows(), trio->crashing.Rows());
    rows_ += rows.size();
  }

  // `tidegate replay` of something late: its windows by name, or all.
  Input Replay() {
    const auto& [event, text] = late_events_[static_cast<size_t>(
        Below(static_cast<int64_t>(late_events_.size())))];
    Input op;
    op.event = event;
    op.replay = true;
    if (OneIn(3)) return op;
    const std::vector<std::string> starts =
        absl::StrSplit(text.substr(sizeof("late")), ',');
    for (const std::string& start : starts) {
      op.named.push_back(std::stoll(start));
    }
    return op;
  }

  void RunOnArrival(const View& view) {
    Trio trio(view);
    late_events_.clear();
    int64_t now = Below(400) - 200;
    for (int step = 0; step < 200; ++step) {
      now += OneIn(10) ? Below(25) : Below(3);
      Input op;
      if (OneIn(6)) {
        op.watermark = NextWatermark(now, trio.model);
      } else if (OneIn(8) && !late_events_.empty()) {
        op = Replay();
      } else {
        op.event = RandomEvent(now);
      }
      ASSERT_NO_FATAL_FAILURE(Step(op, &trio));
      if (OneIn(7)) {
        ASSERT_NO_FATAL_FAILURE(Check(&trio));
      }
    }
    Check(&trio);
  }

  // Events below the watermark that is next, in their order.
  void RunOrdered(const View& view) {
    Trio trio(view);
    std::vector<WindowEvent> waiting;
    int64_t now = Below(400) - 200;
    for (int step = 0; step < 200; ++step) {
      now += OneIn(10) ? Below(25) : Below(3);
      const WindowEvent event = RandomEvent(now);
      if (event.ts >= trio.model.watermark()) waiting.push_back(event);
      if (!OneIn(6)) continue;
      Input advance;
      advance.watermark = NextWatermark(now, trio.model);
      std::sort(waiting.begin(), waiting.end(),
                [](const WindowEvent& a, const WindowEvent& b) {
                  return a.order() < b.order();
                });
      size_t released = 0;
      while (released < waiting.size() &&
             waiting[released].ts < advance.watermark) {
        Input op;
        op.event = waiting[released++];
        ASSERT_NO_FATAL_FAILURE(Step(op, &trio));
      }
      waiting.erase(waiting.begin(),
                    waiting.begin() + static_cast<int64_t>(released));
      ASSERT_NO_FATAL_FAILURE(Step(advance, &trio));
      if (OneIn(3)) {
        ASSERT_NO_FATAL_FAILURE(Check(&trio));
      }
    }
    Check(&trio);
  }

  void Run(WindowKind kind) {
    for (int round = 0; round < 100 && !HasFatalFailure(); ++round) {
      const View view = RandomView(kind);
      SCOPED_TRACE(absl::StrCat(
          "round ", round, " size ", view.window.size_us, " slide ",
          view.window.slide_us, " offset ", view.window.offset_us, " on close ",
          view.emit_on_close, " lateness ", view.lateness, " retention ",
          view.retention.value_or(-1), " by end ", view.by_end, " by number ",
          view.by_number));
      if (view.session()) {
        RunOrdered(view);
      } else {
        RunOnArrival(view);
      }
    }
    std::cout << "late " << late_ << ", crashes " << crashes_
              << ", rows compared " << rows_ << "\n";
    EXPECT_GT(crashes_, 0);
    EXPECT_GT(rows_, 0u);
    if (kind != WindowKind::kSession) {
      EXPECT_GT(late_, 0);
    }
  }

 private:
  std::mt19937_64 random_;
  int64_t offsets_[3] = {0, 0, 0};
  std::vector<std::pair<WindowEvent, std::string>> late_events_;
  int late_ = 0;
  int crashes_ = 0;
  size_t rows_ = 0;
};

TEST_F(WindowPropertyTest, Tumble) { Run(WindowKind::kTumble); }
TEST_F(WindowPropertyTest, Hop) { Run(WindowKind::kHop); }
TEST_F(WindowPropertyTest, Session) { Run(WindowKind::kSession); }
TEST_F(WindowPropertyTest, Sliding) { Run(WindowKind::kSliding); }

}  // namespace
}  // namespace tidegate
