#include "tests/simulation/event_time_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate::simulation {
namespace {

std::string TimeText(std::optional<int64_t> time) {
  return time.has_value() ? absl::StrCat(*time) : "none";
}

}  // namespace

EventTimeModel::EventTimeModel(const SimWorld* world, const RecordBook* records)
    : world_(*world),
      book_(*records),
      watermarks_(world),
      views_(world->views.size()) {}

int64_t EventTimeModel::next(int source, int partition) const {
  const auto at = partitions_.find({source, partition});
  return at == partitions_.end() ? 0 : at->second.next;
}

absl::Status EventTimeModel::Play(absl::Span<const JournalEntry> journal) {
  for (const JournalEntry& entry : journal) {
    const auto [source, partition, offset] = entry.place;
    switch (entry.kind) {
      case JournalEntry::Kind::kRestart:
        watermarks_.Restart();
        next_watermark_ = watermark();
        break;
      case JournalEntry::Kind::kStart:
        watermarks_.Start(source, partition, offset < next(source, partition));
        break;
      case JournalEntry::Kind::kPoll:
        now_us_ = entry.now_us;
        break;
      case JournalEntry::Kind::kRecord:
        Read(entry.place);
        break;
      case JournalEntry::Kind::kLook:
        next_watermark_ = watermarks_.Look(entry.sights, now_us_);
        break;
      case JournalEntry::Kind::kCommit:
        RETURN_IF_ERROR(Commit(entry));
    }
  }
  return absl::OkStatus();
}

void EventTimeModel::PlayUncommitted() { Release(next_watermark_); }

absl::Status EventTimeModel::Commit(const JournalEntry& entry) {
  // A commit may keep a watermark that could move: it is not the time to.
  if (entry.watermark != next_watermark_ && entry.watermark != watermark() &&
      !IsOnTheWay(entry.watermark)) {
    return absl::InternalError(absl::StrCat(
        "commit=", entry.seq, " watermark=", TimeText(entry.watermark),
        " model=", TimeText(next_watermark_),
        " before=", TimeText(watermark())));
  }
  Release(entry.watermark);
  watermarks_.Commit(entry.watermark);
  return absl::OkStatus();
}

// What lies below the next watermark may not fit into one commit: then it moves
// to the first event that is left.
bool EventTimeModel::IsOnTheWay(std::optional<int64_t> to) const {
  if (!to.has_value() || Below(*to) || !next_watermark_.has_value() ||
      *to >= *next_watermark_) {
    return false;
  }
  return std::any_of(views_.begin(), views_.end(), [&](const ViewState& view) {
    const auto first = view.waiting.lower_bound({*to, 0, 0});
    return first != view.waiting.end() && std::get<0>(first->first) == *to;
  });
}

// A record below what was read before is read again: what became of it stands.
void EventTimeModel::Read(const Place& place) {
  const auto [source, partition, offset] = place;
  PartitionState& state = partitions_[{source, partition}];
  watermarks_.Saw(source, partition);
  if (offset < state.next) {
    if (offset + 1 == state.next) watermarks_.CaughtUp(source, partition);
    return;
  }
  watermarks_.CaughtUp(source, partition);
  state.next = offset + 1;
  ++records_taken_;
  Judge(book_.at(place));
}

bool EventTimeModel::Below(int64_t time) const {
  return watermark().has_value() && time < *watermark();
}

void EventTimeModel::Refuse(const SimRecord& record, const std::string& view,
                            const std::string& reason,
                            std::set<int64_t> windows) {
  const Place place(record.source, record.partition, record.offset);
  refusals_.insert({place, view, reason, std::move(windows), watermark()});
}

void EventTimeModel::Judge(const SimRecord& record) {
  const SimSource& source = world_.sources[record.source];
  if (record.undecodable) return Refuse(record, "", "undecodable");
  if (world_.HoldsWatermark(record.source) &&
      record.time_us > now_us_ + source.max_future_skew_us) {
    return Refuse(record, "", "future");
  }
  if (record.has_event_time || record.tombstone) {
    watermarks_.Take(record.source, record.partition, record.time_us);
  }
  if (source.is_table) return TakeTableRow(record);
  for (size_t v = 0; v < views_.size(); ++v) {
    const SimView& view = world_.views[v];
    if (view.source != record.source) continue;
    if (!record.replay.empty() && record.replay.count(view.name) == 0) continue;
    Offer(v, record);
  }
}

void EventTimeModel::TakeTableRow(const SimRecord& record) {
  const Value& key = record.columns[world_.sources[record.source].key_column];
  std::optional<Values> row;
  if (!record.tombstone) row = record.columns;
  tables_[record.source][key] = row;
  Version version;
  version.from = record.time_us;
  version.order = {record.time_us, record.partition, record.offset};
  version.row = std::move(row);
  if (world_.HoldsWatermark(record.source) && Below(record.time_us)) {
    ++late_table_rows_;
    version.from = *watermark();
  }
  std::vector<Version>& versions = versions_[record.source][key];
  ForgetDeletion(&versions);
  versions.push_back(std::move(version));
}

// A deletion below the watermark is forgotten with its key, unless a newer
// version waits above the watermark.
void EventTimeModel::ForgetDeletion(std::vector<Version>* versions) const {
  const Version* newest = nullptr;
  for (const Version& version : *versions) {
    if (!watermark().has_value() || version.from > *watermark()) return;
    if (newest == nullptr || newest->order < version.order) newest = &version;
  }
  if (newest == nullptr || newest->row.has_value()) return;
  if (std::get<0>(newest->order) < *watermark()) versions->clear();
}

void EventTimeModel::Offer(size_t v, const SimRecord& record) {
  const SimView& view = world_.views[v];
  if (view.needs_event_time() && !record.has_event_time) {
    return Refuse(record, view.name, "no_event_time");
  }
  if (view.ordered()) return OfferOrdered(v, record);
  FoldInto(v, record);
}

void EventTimeModel::OfferOrdered(size_t v, const SimRecord& record) {
  if (!Below(record.time_us)) {
    views_[v].waiting[{record.time_us, record.partition, record.offset}] =
        &record;
    return;
  }
  const SimView& view = world_.views[v];
  TakenEvent event;
  event.record = &record;
  if (Filter(view, event)) Refuse(record, view.name, "late");
}

void EventTimeModel::Release(std::optional<int64_t> watermark) {
  if (!watermark.has_value()) return;
  for (size_t v = 0; v < views_.size(); ++v) {
    auto& waiting = views_[v].waiting;
    while (!waiting.empty() &&
           std::get<0>(waiting.begin()->first) < *watermark) {
      const SimRecord* record = waiting.begin()->second;
      waiting.erase(waiting.begin());
      FoldInto(v, *record);
    }
  }
}

bool EventTimeModel::Join(const SimView& view, TakenEvent* event) const {
  if (!view.table.has_value()) return true;
  SimInput input;
  input.columns = &event->record->columns;
  const Value key = *Evaluate(view.join_key, input);
  const Version* best = nullptr;
  const auto table = versions_.find(*view.table);
  if (!IsNull(key) && table != versions_.end()) {
    const auto versions = table->second.find(key);
    if (versions != table->second.end()) {
      for (const Version& version : versions->second) {
        if (version.from > event->record->time_us) continue;
        if (best == nullptr || best->order < version.order) best = &version;
      }
    }
  }
  if (best == nullptr || !best->row.has_value()) return view.left;
  event->table = best->row;
  return true;
}

bool EventTimeModel::Filter(const SimView& view, const TakenEvent& event) {
  if (!view.where.has_value()) return true;
  SimInput input;
  input.columns = &event.record->columns;
  const std::optional<Value> passes = Evaluate(*view.where, input);
  if (!passes.has_value()) {
    Refuse(*event.record, view.name, "expression");
    return false;
  }
  return !IsNull(*passes) && std::get<bool>(*passes);
}

// Whether any expression of the view fails for the event.
bool EventTimeModel::Computes(const SimView& view,
                              const TakenEvent& event) const {
  SimInput input;
  input.columns = &event.record->columns;
  if (event.table.has_value()) input.table = &*event.table;
  const Values no_lags(view.lags.size());
  input.lags = &no_lags;
  const auto computes = [&](const SimExpr& expr) {
    return Evaluate(expr, input).has_value();
  };
  for (const SimAggregate& aggregate : view.aggregates) {
    if (aggregate.kind == SimAggregate::Kind::kCountStar) continue;
    if (!computes(aggregate.argument)) return false;
  }
  return std::all_of(view.groups.begin(), view.groups.end(), computes) &&
         std::all_of(view.outputs.begin(), view.outputs.end(), computes);
}

// An ungrouped view's retention, or SLIDING's reach, is over.
bool EventTimeModel::IsTooOld(const SimView& view,
                              const SimRecord& record) const {
  if (!watermark().has_value()) return false;
  if (view.shape == Shape::kSliding) {
    return FloorTo(record.time_us, 0, view.slide_us) <
           FirstPane(view, *watermark());
  }
  return !view.grouped() && view.retention_us.has_value() &&
         record.time_us + *view.retention_us <= *watermark();
}

// False if the event is for no window that takes it. `any_open`: one of its
// windows, meant or not, takes events like it.
bool EventTimeModel::SortIntoWindows(const SimView& view, TakenEvent* event,
                                     bool* any_open,
                                     std::set<int64_t>* late) const {
  const SimRecord& record = *event->record;
  std::vector<int64_t> only;
  const auto target = record.replay.find(view.name);
  if (target != record.replay.end()) only = target->second;
  for (const int64_t start : WindowStarts(view, record.time_us)) {
    const int64_t end = start + view.size_us;
    std::optional<int64_t> takes_until = end + view.allowed_us;
    if (target != record.replay.end()) {
      takes_until.reset();
      if (view.retention_us.has_value()) takes_until = end + *view.retention_us;
    }
    const bool is_late = watermark().has_value() && takes_until.has_value() &&
                         *takes_until <= *watermark();
    *any_open |= !is_late;
    if (!only.empty() &&
        std::find(only.begin(), only.end(), start) == only.end()) {
      continue;
    }
    if (is_late) {
      late->insert(start);
    } else {
      event->windows[start] = watermark().has_value() && end <= *watermark();
    }
  }
  return !event->windows.empty();
}

void EventTimeModel::FoldInto(size_t v, const SimRecord& record) {
  const SimView& view = world_.views[v];
  TakenEvent event;
  event.record = &record;
  if (!Join(view, &event) || !Filter(view, event)) return;
  if (IsTooOld(view, record)) return Refuse(record, view.name, "late");
  bool any_open = true;
  bool takes = true;
  std::set<int64_t> late;
  if (view.order_free_windows()) {
    any_open = false;
    takes = SortIntoWindows(view, &event, &any_open, &late);
  }
  if (any_open && !Computes(view, event)) {
    return Refuse(record, view.name, "expression");
  }
  if (!late.empty()) Refuse(record, view.name, "late", std::move(late));
  if (takes) views_[v].taken.push_back(std::move(event));
}

BatchRows EventTimeModel::Rows(size_t view, int64_t* windows_closed) const {
  return ComputeRows(world_.views[view], views_[view].taken, watermark(),
                     windows_closed);
}

BatchRows EventTimeModel::TableRows(int source) const {
  BatchRows rows;
  const auto table = tables_.find(source);
  if (table == tables_.end()) return rows;
  for (const auto& [key, row] : table->second) {
    if (row.has_value()) rows[ValueText(key) + "|"] = {*row, false};
  }
  return rows;
}

}  // namespace tidegate::simulation
