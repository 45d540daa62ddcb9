// What the tests of windowed folds share: plans over one source, and a fold
// with its store, its watermark and its end in a crash.
#ifndef TIDEGATE_VIEWS_FOLD_WINDOW_TESTING_H_
#define TIDEGATE_VIEWS_FOLD_WINDOW_TESTING_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "views/fold/fold_testing.h"

namespace tidegate::testing {

// The source: k VARCHAR, x BIGINT, d DOUBLE PRECISION, ts TIMESTAMPTZ; then
// window_start and window_end.
inline constexpr int kWindowStart = 4;
inline constexpr int kWindowEnd = 5;

struct WindowEvent {
  std::optional<std::string> k;
  std::optional<int64_t> x;
  std::optional<double> d;
  int64_t ts = 0;
  int32_t partition = 0;
  int64_t offset = 0;

  EventOrder order() const { return At(ts, partition, offset); }
};

// GROUP BY `groups`, which become the key; a session's end is a column too.
// Further columns: count(*), sum(x), last_value(x ORDER BY ts), sum(d).
// WHERE x <> 13.
inline ViewPlan PlanOf(WindowPlan window, std::vector<Expr> groups) {
  ViewPlan plan;
  plan.name = "v";
  plan.grouped = true;
  plan.ordered = window.kind == WindowKind::kSession;
  plan.window = window;
  plan.where = Compare(Op::kNotEqual, Column(1, Type::kBigint),
                       Constant(Type::kBigint, Datum::Int(13)));
  plan.group_by = std::move(groups);
  for (size_t i = 0; i < plan.group_by.size(); ++i) {
    const int place = static_cast<int>(i);
    plan.key_columns.push_back(place);
    AddOutput(&plan, absl::StrCat("g", i),
              Column(place, plan.group_by[i].type));
  }
  if (window.kind == WindowKind::kSession) {
    AddOutput(
        &plan, "window_end",
        Column(static_cast<int>(plan.group_by.size()), Type::kTimestamptz));
    plan.group_by.push_back(Column(kWindowEnd, Type::kTimestamptz));
  }
  AddAggregate(&plan, "n", {.kind = AggregateKind::kCountStar});
  AddAggregate(
      &plan, "total",
      {.kind = AggregateKind::kSum, .argument = Column(1, Type::kBigint)});
  AddAggregate(&plan, "last",
               {.kind = AggregateKind::kLastValue,
                .argument = Column(1, Type::kBigint),
                .order_by = Column(3, Type::kTimestamptz)});
  AddAggregate(&plan, "sum",
               {.kind = AggregateKind::kSum,
                .argument = Column(2, Type::kDouble),
                .result = Type::kDouble});
  return plan;
}

inline Expr WindowStart() { return Column(kWindowStart, Type::kTimestamptz); }
inline Expr WindowEnd() { return Column(kWindowEnd, Type::kTimestamptz); }
inline Expr GroupK() { return Column(0, Type::kVarchar); }

// As SQL would print it, but for timestamps: microseconds.
inline std::string ValueText(Type type, const Datum& value) {
  if (value.is_null) return "NULL";
  if (type == Type::kVarchar) return std::string(value.text());
  if (type == Type::kTimestamptz) return absl::StrCat(value.i);
  return DatumText(type, value);
}

// One fold of one plan.
class WindowHarness {
 public:
  explicit WindowHarness(ViewPlan plan, size_t max_keys = kMaxCachedKeys)
      : source_(Source({{"k", Type::kVarchar},
                        {"x", Type::kBigint},
                        {"d", Type::kDouble},
                        {"ts", Type::kTimestamptz}})),
        plan_(std::move(plan)),
        schema_(SchemaOf(plan_)),
        max_keys_(max_keys) {
    Reopen();
  }

  // What was not committed is gone.
  void Reopen() {
    fold_ = ViewFold::Create(&plan_, &source_, nullptr, &schema_,
                             store_.Sources(NoTable()), max_keys_);
    watermark_ = committed_;
    scans_ = store_.scans;
    const absl::Status status = fold_->Open(watermark_);
    EXPECT_TRUE(status.ok()) << status;
    scans_ = store_.scans - scans_;
  }
  // Of the last Reopen.
  int scans() const { return scans_; }

  absl::Status TryApply(const WindowEvent& in,
                        const ReplayTarget* replay = nullptr,
                        bool no_event_time = false) {
    const Datum columns[] = {in.k ? Datum::Text(*in.k) : Datum::Null(),
                             in.x ? Datum::Int(*in.x) : Datum::Null(),
                             in.d ? Datum::Double(*in.d) : Datum::Null(),
                             no_event_time ? Datum::Null() : Datum::Int(in.ts)};
    late_ = LateEvent();
    return fold_->Apply({.order = in.order(),
                         .columns = columns,
                         .no_event_time = no_event_time,
                         .replay = replay},
                        &late_);
  }

  // Folds one event; returns the windows it is late for: "late", or
  // "late 10,20".
  std::string Apply(const WindowEvent& in,
                    const ReplayTarget* replay = nullptr) {
    const absl::Status status = TryApply(in, replay);
    if (!status.ok()) return std::string(status.message());
    if (!late_.late) {
      EXPECT_TRUE(late_.windows.empty());
      return "";
    }
    std::vector<int64_t> starts;
    for (const EventTime start : late_.windows) starts.push_back(start.value());
    return starts.empty() ? "late"
                          : absl::StrCat("late ", absl::StrJoin(starts, ","));
  }
  std::string Apply(const char* k, int64_t x, int64_t ts) {
    return Apply({.k = k, .x = x, .ts = ts, .offset = offset_++});
  }

  void Advance(int64_t watermark) {
    watermark_ = EventTime(watermark);
    const absl::Status status = fold_->Advance(watermark_);
    EXPECT_TRUE(status.ok()) << status;
  }
  // How many keys changed.
  int Commit() {
    committed_ = watermark_;
    return store_.Commit(fold_.get());
  }
  int AdvanceAndCommit(int64_t watermark) {
    Advance(watermark);
    return Commit();
  }

  // The rows in key order, those that were corrected with a "!" at the end:
  // "0|a|1|5|5|NULL".
  std::vector<std::string> Rows() const {
    std::vector<std::string> texts;
    for (const auto& [key, stored] : store_.rows) {
      if (!stored.has_row) continue;
      texts.push_back(absl::StrCat(Text(stored.row),
                                   store_.corrected.contains(key) ? "!" : ""));
    }
    return texts;
  }

  std::string Text(absl::string_view row) const {
    std::vector<Datum> values(schema_.fields.size());
    const absl::Status status = DecodeRow(schema_, row, absl::MakeSpan(values));
    EXPECT_TRUE(status.ok()) << status;
    std::vector<std::string> parts;
    for (size_t i = 0; i < values.size(); ++i) {
      parts.push_back(ValueText(schema_.fields[i].type, values[i]));
    }
    return absl::StrJoin(parts, "|");
  }

  ViewFold* fold() { return fold_.get(); }
  FakeStore& store() { return store_; }
  const LateEvent& late() const { return late_; }
  EventTime watermark() const { return watermark_; }
  int64_t next_timer() const { return fold_->next_timer().value(); }

 private:
  const SourcePlan source_;
  const ViewPlan plan_;
  const RowSchema schema_;
  const size_t max_keys_;
  FakeStore store_;
  std::unique_ptr<ViewFold> fold_;
  EventTime watermark_ = kNoEventTime;
  EventTime committed_ = kNoEventTime;
  LateEvent late_;
  int64_t offset_ = 0;
  int scans_ = 0;
};

using Texts = std::vector<std::string>;
inline constexpr int64_t kNever = kNeverEventTime.value();

}  // namespace tidegate::testing

#endif  // TIDEGATE_VIEWS_FOLD_WINDOW_TESTING_H_
