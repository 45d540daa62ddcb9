#include "tests/simulation/event_time_batch.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate::simulation {
namespace {

using Order = std::tuple<int64_t, int, int64_t>;
using Events = std::vector<const TakenEvent*>;

Order OrderOf(const SimRecord& record) {
  return {record.time_us, record.partition, record.offset};
}

SimInput InputOf(const TakenEvent& event) {
  SimInput input;
  input.columns = &event.record->columns;
  if (event.table.has_value()) input.table = &*event.table;
  return input;
}

// Expressions of events that were taken do not fail.
Value ValueOf(const SimExpr& expr, const TakenEvent& event) {
  return *Evaluate(expr, InputOf(event));
}

double AsDouble(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return static_cast<double>(std::get<int64_t>(value));
}

Value Sum(const Values& values) {
  if (values.empty()) return Value();
  if (std::holds_alternative<int64_t>(values[0])) {
    int64_t sum = 0;
    for (const Value& value : values) sum += std::get<int64_t>(value);
    return Value(sum);
  }
  double sum = 0;
  for (const Value& value : values) sum += std::get<double>(value);
  return Value(sum);
}

Value Variance(const Values& values, bool sample, bool root) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < (sample ? 2u : 1u)) return Value();
  double mean = 0;
  for (const Value& value : values) mean += AsDouble(value) / n;
  double squares = 0;
  for (const Value& value : values) {
    squares += (AsDouble(value) - mean) * (AsDouble(value) - mean);
  }
  const double variance = squares / (sample ? n - 1 : n);
  return Value(root ? std::sqrt(variance) : variance);
}

// first_value, last_value, min_by, max_by.
Value Winner(const SimAggregate& aggregate, const Events& events) {
  using Kind = SimAggregate::Kind;
  const bool by_time =
      aggregate.kind == Kind::kFirstValue || aggregate.kind == Kind::kLastValue;
  const bool greatest =
      aggregate.kind == Kind::kLastValue || aggregate.kind == Kind::kMaxBy;
  const TakenEvent* winner = nullptr;
  Value best;
  for (const TakenEvent* event : events) {
    const Value by = ValueOf(aggregate.order_by, *event);
    if (IsNull(by)) continue;
    bool wins = winner == nullptr;
    if (!wins && by != best) {
      wins = greatest ? best < by : by < best;
    } else if (!wins) {
      // Ties: by place; min_by and max_by also by event time, the first wins.
      const Order mine =
          by_time ? Order(0, event->record->partition, event->record->offset)
                  : OrderOf(*event->record);
      const Order other =
          by_time ? Order(0, winner->record->partition, winner->record->offset)
                  : OrderOf(*winner->record);
      wins = aggregate.kind == Kind::kLastValue ? mine > other : mine < other;
    }
    if (!wins) continue;
    winner = event;
    best = by;
  }
  return winner == nullptr ? Value() : ValueOf(aggregate.argument, *winner);
}

Value Reduce(const SimAggregate& aggregate, const Events& events) {
  using Kind = SimAggregate::Kind;
  if (aggregate.kind == Kind::kCountStar) {
    return Value(static_cast<int64_t>(events.size()));
  }
  Values values;
  for (const TakenEvent* event : events) {
    Value value = ValueOf(aggregate.argument, *event);
    if (!IsNull(value)) values.push_back(std::move(value));
  }
  const auto count = static_cast<int64_t>(values.size());
  switch (aggregate.kind) {
    case Kind::kCount:
      return Value(count);
    case Kind::kCountQuotient:
      return count == 0 ? Value() : Value(kCountDividend / count);
    case Kind::kSum:
      return Sum(values);
    case Kind::kAvg:
      return values.empty()
                 ? Value()
                 : Value(AsDouble(Sum(values)) / static_cast<double>(count));
    case Kind::kMin:
      return values.empty() ? Value()
                            : *std::min_element(values.begin(), values.end());
    case Kind::kMax:
      return values.empty() ? Value()
                            : *std::max_element(values.begin(), values.end());
    case Kind::kStddevSamp:
      return Variance(values, true, true);
    case Kind::kStddevPop:
      return Variance(values, false, true);
    case Kind::kVarSamp:
      return Variance(values, true, false);
    case Kind::kVarPop:
      return Variance(values, false, false);
    default:
      return Winner(aggregate, events);
  }
}

class Batch {
 public:
  Batch(const SimView& view, const std::vector<TakenEvent>& taken,
        std::optional<int64_t> watermark, int64_t* windows_closed)
      : view_(view),
        taken_(taken),
        watermark_(watermark),
        closed_(windows_closed) {}

  BatchRows Rows() {
    if (!view_.grouped()) {
      Ungrouped();
    } else if (view_.shape == Shape::kSession) {
      Sessions();
    } else {
      Grouped();
    }
    return std::move(rows_);
  }

 private:
  struct Group {
    Values keys;
    Events events;
    bool corrected = false;
  };

  bool Passed(int64_t time) const {
    return watermark_.has_value() && time <= *watermark_;
  }

  Values KeysOf(const TakenEvent& event) const {
    Values keys;
    for (const SimExpr& group : view_.groups) {
      keys.push_back(ValueOf(group, event));
    }
    return keys;
  }

  void Show(Values key_columns, const Group& group) {
    for (const SimAggregate& aggregate : view_.aggregates) {
      key_columns.push_back(Reduce(aggregate, group.events));
    }
    Put({std::move(key_columns), group.corrected});
  }
  void Put(BatchRow row) {
    std::string key = KeyText(KeyColumns(view_), row.values);
    rows_[std::move(key)] = std::move(row);
  }

  void ShowWindow(int64_t start, int64_t end, const Group& group) {
    if (Passed(end)) ++*closed_;
    if (view_.emit_on_close && !Passed(end)) return;
    if (view_.retention_us.has_value() && Passed(end + *view_.retention_us)) {
      return;
    }
    Values columns = group.keys;
    if (view_.shows_start) columns.emplace_back(start);
    if (view_.shows_end) columns.emplace_back(end);
    Show(std::move(columns), group);
  }

  void Grouped() {
    std::map<std::pair<Values, int64_t>, Group> groups;
    for (const TakenEvent& event : taken_) {
      std::map<int64_t, bool> windows = event.windows;
      if (!view_.windows()) {
        if (view_.shape == Shape::kSliding && watermark_.has_value() &&
            FloorTo(event.record->time_us, 0, view_.slide_us) <
                FirstPane(view_, *watermark_)) {
          continue;
        }
        windows[0] = false;
      }
      const Values keys = KeysOf(event);
      for (const auto& [start, corrected] : windows) {
        Group& group = groups[{keys, start}];
        group.keys = keys;
        group.events.push_back(&event);
        group.corrected |= corrected;
      }
    }
    for (const auto& [place, group] : groups) {
      if (view_.windows()) {
        ShowWindow(place.second, place.second + view_.size_us, group);
      } else {
        Show(group.keys, group);
      }
    }
  }

  void Sessions() {
    std::map<Values, Events> groups;
    for (const TakenEvent& event : taken_) {
      groups[KeysOf(event)].push_back(&event);
    }
    for (auto& [keys, events] : groups) {
      std::sort(events.begin(), events.end(), [](const auto* a, const auto* b) {
        return OrderOf(*a->record) < OrderOf(*b->record);
      });
      Group session;
      int64_t start = 0;
      int64_t last = 0;
      for (const TakenEvent* event : events) {
        const int64_t time = event->record->time_us;
        if (!session.events.empty() && time >= last + view_.size_us) {
          ShowWindow(start, last + view_.size_us, session);
          session.events.clear();
        }
        if (session.events.empty()) start = time;
        session.keys = keys;
        session.events.push_back(event);
        last = time;
      }
      ShowWindow(start, last + view_.size_us, session);
    }
  }

  // The lags of every event, in order.
  std::map<const TakenEvent*, Values> Lags() const {
    std::map<Value, Events> partitions;
    if (view_.lags.empty()) return {};
    for (const TakenEvent& event : taken_) {
      partitions[ValueOf(view_.partition_by, event)].push_back(&event);
    }
    std::map<const TakenEvent*, Values> lags;
    for (auto& [key, events] : partitions) {
      std::sort(events.begin(), events.end(), [](const auto* a, const auto* b) {
        return OrderOf(*a->record) < OrderOf(*b->record);
      });
      for (size_t i = 0; i < events.size(); ++i) {
        for (const SimLag& lag : view_.lags) {
          const auto distance = static_cast<size_t>(lag.distance);
          Value value;
          if (i >= distance) {
            value = ValueOf(lag.argument, *events[i - distance]);
          } else if (lag.otherwise.has_value()) {
            value = Value(*lag.otherwise);
          }
          lags[events[i]].push_back(std::move(value));
        }
      }
    }
    return lags;
  }

  void Ungrouped() {
    const std::map<const TakenEvent*, Values> lags = Lags();
    std::map<std::string, const SimRecord*> newest;
    for (const TakenEvent& event : taken_) {
      SimInput input = InputOf(event);
      const auto lag = lags.find(&event);
      if (lag != lags.end()) input.lags = &lag->second;
      BatchRow row;
      for (const SimExpr& output : view_.outputs) {
        row.values.push_back(*Evaluate(output, input));
      }
      if (view_.shape == Shape::kKeyless) {
        row.values.emplace_back(static_cast<int64_t>(event.record->partition));
        row.values.emplace_back(event.record->offset);
      }
      std::string key = KeyText(KeyColumns(view_), row.values);
      const SimRecord*& best = newest[key];
      if (best != nullptr && OrderOf(*best) > OrderOf(*event.record)) continue;
      best = event.record;
      rows_[std::move(key)] = std::move(row);
    }
    if (!view_.retention_us.has_value()) return;
    for (const auto& [key, record] : newest) {
      if (Passed(record->time_us + *view_.retention_us)) rows_.erase(key);
    }
  }

  const SimView& view_;
  const std::vector<TakenEvent>& taken_;
  const std::optional<int64_t> watermark_;
  int64_t* const closed_;
  BatchRows rows_;
};

}  // namespace

int64_t FloorTo(int64_t time, int64_t offset, int64_t step) {
  const int64_t past = (time - offset) % step;
  return time - (past < 0 ? past + step : past);
}

std::vector<int64_t> WindowStarts(const SimView& view, int64_t time) {
  std::vector<int64_t> starts;
  for (int64_t start = FloorTo(time, view.offset_us, view.slide_us);
       start + view.size_us > time; start -= view.slide_us) {
    starts.push_back(start);
  }
  return starts;
}

int64_t FirstPane(const SimView& view, int64_t watermark) {
  return FloorTo(watermark, 0, view.slide_us) + view.slide_us - view.size_us;
}

BatchRows ComputeRows(const SimView& view, const std::vector<TakenEvent>& taken,
                      std::optional<int64_t> watermark,
                      int64_t* windows_closed) {
  return Batch(view, taken, watermark, windows_closed).Rows();
}

std::vector<size_t> KeyColumns(const SimView& view) {
  std::vector<size_t> columns;
  if (view.shape == Shape::kKeyed) {
    for (size_t i = 0; i < view.key_outputs; ++i) columns.push_back(i);
  } else if (view.shape == Shape::kKeyless) {
    columns = {view.outputs.size(), view.outputs.size() + 1};
  } else {
    size_t keys = view.groups.size() + (view.shows_start ? 1 : 0);
    if (view.shows_end && view.shape != Shape::kSession) ++keys;
    for (size_t i = 0; i < keys; ++i) columns.push_back(i);
  }
  return columns;
}

std::optional<SimWindowEnd> WindowEndOf(const SimView& view) {
  if (!view.windows()) return std::nullopt;
  SimWindowEnd end;
  end.column = view.groups.size();
  if (view.shows_end) {
    end.column += view.shows_start ? 1 : 0;
  } else {
    end.add_us = view.size_us;
  }
  return end;
}

std::string KeyText(const std::vector<size_t>& columns, const Values& values) {
  std::string text;
  for (const size_t column : columns) {
    absl::StrAppend(&text, ValueText(values[column]), "|");
  }
  return text;
}

std::vector<bool> RoundedColumns(const SimView& view) {
  std::vector<bool> rounded;
  if (!view.grouped()) return rounded;
  rounded.resize(view.groups.size() + (view.shows_start ? 1 : 0) +
                 (view.shows_end ? 1 : 0));
  for (const SimAggregate& aggregate : view.aggregates) {
    rounded.push_back(aggregate.kind >= SimAggregate::Kind::kStddevSamp);
  }
  return rounded;
}

}  // namespace tidegate::simulation
