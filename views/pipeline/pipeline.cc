#include "views/pipeline/pipeline.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/timestamp.h"
#include "views/fold/row_codec.h"
#include "views/fold/versioned_table.h"
#include "views/fold/view_fold.h"
#include "views/store/build_rows.h"

namespace tidegate {
namespace {

// Held by a row that waits for its commit, whatever its text.
constexpr size_t kBytesPerRow = 64;

// One view or table with its fold; stays where it is, because the fold's
// look-ups borrow it.
struct PipelineView {
  const CatalogView* catalog = nullptr;
  const ViewPlan* plan = nullptr;
  std::unique_ptr<ViewFold> fold;
  // Of a table joined as of event time.
  std::unique_ptr<VersionedTable> versions;
  // Of a joined table: its key's types, and the bytes that look-ups borrow.
  std::vector<Type> key_types;
  std::string lookup_key;
  std::string lookup_row;
};

// Text columns of one input, whose sizes count toward a commit's, and the
// views that read it.
struct Route {
  std::vector<int> text_columns;
  std::vector<PipelineView*> views;    // fold on arrival
  std::vector<PipelineView*> ordered;  // fold as the watermark passes
  PipelineView* versioned = nullptr;
};

// What a drain reports under one id.
struct Drained {
  ViewId id;
  PipelineView* view = nullptr;
  bool state = false;  // the state beside the rows
};

bool IsDiverting(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsOutOfRange(status);
}

bool IsFor(const Event& event, const PipelineView& view) {
  return event.replay == nullptr || event.replay->count(view.catalog->name) > 0;
}

Diverted LateFor(const PipelineView& view, EventTime time, EventTime watermark,
                 std::vector<EventTime> windows) {
  Diverted late;
  late.view = view.catalog->name;
  late.reason = DivertReason::kLate;
  late.detail = absl::StrCat("late: time=", FormatTimestamp(time.value()),
                             " watermark=", FormatTimestamp(watermark.value()));
  late.windows = std::move(windows);
  return late;
}

class PipelineImpl final : public Pipeline {
 public:
  PipelineImpl(const PlanSet* plans, const Catalog* catalog,
               MaterializedStore* store, CommitLimits limits,
               CommitLimits build_limits)
      : limits_(limits),
        build_limits_(build_limits),
        plans_(*plans),
        catalog_(*catalog),
        store_(store),
        committed_(store->positions()),
        watermark_(committed_.watermark) {}

  absl::Status Init() {
    for (const CatalogView& entry : catalog_.views) {
      RETURN_IF_ERROR_CTX(AddView(entry), absl::StrCat("view=", entry.name));
    }
    std::sort(views_.begin(), views_.end(), [](const auto& a, const auto& b) {
      return a->catalog->id < b->catalog->id;
    });
    AddInputs(/*tables=*/true);
    AddInputs(/*tables=*/false);
    // Joins look into the tables' folds, so those exist first.
    for (const auto& view : views_) {
      RETURN_IF_ERROR_CTX(MakeFold(view.get()),
                          absl::StrCat("view=", view->catalog->name));
    }
    std::sort(drained_.begin(), drained_.end(),
              [](const Drained& a, const Drained& b) { return a.id < b.id; });
    return absl::OkStatus();
  }

  const std::vector<Input>& inputs() const override { return inputs_; }

  absl::Status Fold(int input, const Event& event,
                    std::vector<Diverted>* diverted) override {
    const Route& route = routes_[input];
    CountPending(route, event);
    if (route.versioned != nullptr) {
      RETURN_IF_ERROR_CTX(
          route.versioned->versions->Apply(event),
          absl::StrCat("table=", route.versioned->catalog->name));
    }
    for (PipelineView* view : route.views) {
      RETURN_IF_ERROR(FoldInto(view, event, diverted));
    }
    for (PipelineView* view : route.ordered) {
      RETURN_IF_ERROR(CheckInTime(view, event, diverted));
    }
    return absl::OkStatus();
  }

  absl::Status FoldOrdered(int input, const Event& event,
                           std::vector<Diverted>* diverted) override {
    const Route& route = routes_[input];
    CountPending(route, event);
    for (PipelineView* view : route.ordered) {
      RETURN_IF_ERROR(FoldInto(view, event, diverted));
    }
    return absl::OkStatus();
  }

  EventTime watermark() const override { return watermark_; }

  absl::Status Advance(EventTime watermark) override {
    for (const auto& view : views_) {
      RETURN_IF_ERROR_CTX(view->fold->Advance(watermark),
                          absl::StrCat("view=", view->catalog->name));
      if (view->versions == nullptr) continue;
      RETURN_IF_ERROR_CTX(view->versions->Advance(watermark),
                          absl::StrCat("table=", view->catalog->name));
    }
    watermark_ = watermark;
    return absl::OkStatus();
  }

  EventTime next_timer() const override {
    EventTime next = kNeverEventTime;
    for (const auto& view : views_) {
      next = std::min(next, view->fold->next_timer());
    }
    return next;
  }

  int64_t late_table_rows() const override {
    int64_t rows = 0;
    for (const auto& view : views_) {
      if (view->versions != nullptr) rows += view->versions->late_rows();
    }
    return rows;
  }

  bool CommitDue() const override {
    const CommitLimits& limits = store_->building() ? build_limits_ : limits_;
    // An event touches at most `touched_per_event_` keys.
    const size_t most = pending_events_ * touched_per_event_;
    if (most < limits.keys &&
        pending_text_ + most * kBytesPerRow < limits.bytes) {
      return false;
    }
    const size_t dirty = DirtyKeys();
    return dirty >= limits.keys ||
           pending_text_ + dirty * kBytesPerRow >= limits.bytes;
  }

  absl::StatusOr<std::shared_ptr<const Commit>> CommitPending(
      ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) override {
    if (store_->building()) {
      return CommitBuild(now, first_record_ms, positions);
    }
    RETURN_IF_ERROR(DrainAll([this](const Change& c) { builder_.Add(c); }));
    if (builder_.change_count() == 0 && positions == committed_) {
      return std::shared_ptr<const Commit>();
    }
    ASSIGN_OR_RETURN(
        std::shared_ptr<const Commit> commit,
        store_->Append(&builder_, now, first_record_ms, positions));
    committed_ = positions;
    return commit;
  }

  int64_t output_errors() const override {
    int64_t errors = 0;
    for (const auto& view : views_) errors += view->fold->output_errors();
    return errors;
  }

 private:
  absl::StatusOr<std::shared_ptr<const Commit>> CommitBuild(
      ProcessingTime now, int64_t first_record_ms, const Positions& positions) {
    BuildRows rows(store_->head().next());
    RETURN_IF_ERROR(DrainAll([&rows](const Change& c) { rows.Add(c); }));
    if (rows.empty() && positions == committed_) {
      return std::shared_ptr<const Commit>();
    }
    RETURN_IF_ERROR(store_->AppendBuild(&rows, positions));
    committed_ = positions;
    return Commit::Parse(
        CommitBuilder().Finish(rows.seq(), now, first_record_ms, positions));
  }

  size_t DirtyKeys() const {
    size_t dirty = 0;
    for (const auto& view : views_) {
      dirty += view->fold->dirty_keys();
      if (view->versions != nullptr) dirty += view->versions->dirty_keys();
    }
    return dirty;
  }

  void CountPending(const Route& route, const Event& event) {
    for (const int column : route.text_columns) {
      // A NULL's size is 0.
      pending_text_ += event.columns[column].size;
    }
    ++pending_events_;
  }

  absl::Status FoldInto(PipelineView* view, const Event& event,
                        std::vector<Diverted>* diverted) {
    if (!IsFor(event, *view)) return absl::OkStatus();
    late_.late = false;
    late_.windows.clear();
    const absl::Status status = view->fold->Apply(event, &late_);
    if (!status.ok()) return Divert(view, event, status, diverted);
    if (!late_.late) return absl::OkStatus();
    diverted->push_back(
        LateFor(*view, event.order.time, watermark_, late_.windows));
    return absl::OkStatus();
  }

  // An ordered view takes an event later, unless it is too late already.
  absl::Status CheckInTime(PipelineView* view, const Event& event,
                           std::vector<Diverted>* diverted) {
    if (!IsFor(event, *view)) return absl::OkStatus();
    if (event.no_event_time) {
      return Divert(view, event, absl::InvalidArgumentError("no event time"),
                    diverted);
    }
    if (event.order.time >= watermark_) return absl::OkStatus();
    const absl::StatusOr<bool> admits = view->fold->Admits(event);
    if (!admits.ok()) return Divert(view, event, admits.status(), diverted);
    if (*admits) {
      diverted->push_back(LateFor(*view, event.order.time, watermark_, {}));
    }
    return absl::OkStatus();
  }

  absl::Status Divert(PipelineView* view, const Event& event,
                      const absl::Status& status,
                      std::vector<Diverted>* diverted) {
    if (!IsDiverting(status)) {
      return Annotate(status, absl::StrCat("view=", view->catalog->name));
    }
    Diverted one;
    one.view = view->catalog->name;
    one.reason = event.no_event_time && NeedsEventTime(*view->plan)
                     ? DivertReason::kNoEventTime
                     : DivertReason::kExpression;
    one.detail = std::string(status.message());
    diverted->push_back(std::move(one));
    return absl::OkStatus();
  }

  static bool NeedsEventTime(const ViewPlan& plan) {
    return plan.window.has_value() || plan.ordered ||
           plan.retention_us.has_value();
  }

  absl::Status AddView(const CatalogView& entry) {
    auto view = std::make_unique<PipelineView>();
    view->catalog = &entry;
    for (const ViewPlan& plan : plans_.views) {
      if (plan.name == entry.name) view->plan = &plan;
    }
    if (view->plan == nullptr) {
      return absl::InternalError("in the catalog but not in the views file");
    }
    const auto& fields = entry.schema.fields;
    bool same = fields.size() == view->plan->columns.size();
    for (size_t i = 0; same && i < fields.size(); ++i) {
      same = fields[i].name == view->plan->columns[i].name &&
             fields[i].type == view->plan->columns[i].type;
    }
    if (!same) {
      return absl::InternalError(
          "the catalog's columns differ from the views file's");
    }
    for (const int column : entry.schema.key_columns) {
      view->key_types.push_back(fields[column].type);
    }
    if (view->plan->is_table) tables_[view->plan->source] = view.get();
    views_.push_back(std::move(view));
    return absl::OkStatus();
  }

  // Adds the sources (or tables) that the views read, in the order of the
  // views file.
  void AddInputs(bool tables) {
    for (size_t s = 0; s < plans_.sources.size(); ++s) {
      const SourcePlan& source = plans_.sources[s];
      if (source.is_table != tables) continue;
      Route route;
      Input input;
      input.source = static_cast<int>(s);
      input.used_columns.resize(source.columns.size());
      for (const auto& view : views_) {
        if (view->plan->source != input.source) continue;
        input.views.push_back(view->catalog->name);
        (view->plan->ordered ? route.ordered : route.views)
            .push_back(view.get());
        if (tables && view->catalog->state_id != ViewId()) {
          route.versioned = view.get();
        }
        touched_per_event_ += TouchedKeys(*view->plan);
        const std::vector<bool>& used = view->plan->used_columns;
        for (size_t c = 0; c < source.columns.size(); ++c) {
          // A table's rows are kept whole, for joins as for clients.
          if (tables || (c < used.size() && used[c])) {
            input.used_columns[c] = true;
          }
        }
      }
      if (route.views.empty() && route.ordered.empty()) continue;
      input.ordered = !route.ordered.empty();
      input.has_watermark = source.watermark.has_value() &&
                            (!tables || route.versioned != nullptr);
      for (size_t c = 0; c < source.columns.size(); ++c) {
        if (input.used_columns[c] && source.columns[c].type == Type::kVarchar) {
          route.text_columns.push_back(static_cast<int>(c));
        }
      }
      inputs_.push_back(std::move(input));
      routes_.push_back(std::move(route));
    }
  }

  // Keys of a view that one event can change.
  static size_t TouchedKeys(const ViewPlan& plan) {
    const bool hops =
        plan.window.has_value() && plan.window->kind == WindowKind::kHop;
    return hops ? static_cast<size_t>(plan.window->size_us /
                                      plan.window->slide_us)
                : 2;  // and one of the state beside the rows
  }

  StoredLookup LookupOf(ViewId id) {
    return [this, id](absl::string_view key, Stored* found) {
      return store_->Lookup(id, key, &found->has_row, &found->row,
                            &found->state);
    };
  }

  StoredScan ScanOf(ViewId id) {
    return [this, id](
               absl::FunctionRef<absl::Status(absl::string_view, const Stored&)>
                   sink) -> absl::Status {
      const auto rows =
          store_->HeadView()->NewIterator(id, ReadView::Which::kAllEntries);
      for (rows->Seek(""); rows->Valid(); rows->Next()) {
        const StoredEntry& entry = rows->entry();
        RETURN_IF_ERROR(
            sink(rows->key(), {entry.has_row, entry.row, entry.state}));
      }
      return rows->status();
    };
  }

  absl::Status MakeFold(PipelineView* view) {
    const ViewId id = view->catalog->id;
    const ViewId state_id = view->catalog->state_id;
    FoldSources sources;
    sources.stored = LookupOf(id);
    sources.scan = ScanOf(id);
    if (state_id != ViewId()) sources.stored_state = LookupOf(state_id);
    const SourcePlan* joined_source = nullptr;
    if (view->plan->join.has_value()) {
      const auto at = tables_.find(view->plan->join->table);
      if (at == tables_.end()) {
        return absl::InternalError("the joined table is not in the catalog");
      }
      joined_source = &plans_.sources[view->plan->join->table];
      sources.table = [joined = at->second,
                       as_of_event = view->plan->join->event_time](
                          Row key, EventTime as_of, MutableRow row) {
        return LookUpTable(joined, key, as_of_event, as_of, row);
      };
    }
    const SourcePlan* const source = &plans_.sources[view->plan->source];
    drained_.push_back({id, view, false});
    if (state_id != ViewId()) drained_.push_back({state_id, view, true});
    if (view->plan->is_table && state_id != ViewId()) {
      view->versions = VersionedTable::Create(source, &view->catalog->schema,
                                              LookupOf(state_id));
      view->versions->Open(watermark_);
    }
    view->fold = ViewFold::Create(view->plan, source, joined_source,
                                  &view->catalog->schema, std::move(sources));
    return view->fold->Open(watermark_);
  }

  static absl::StatusOr<bool> LookUpTable(PipelineView* table, Row key,
                                          bool as_of_event, EventTime as_of,
                                          MutableRow row) {
    table->lookup_key.clear();
    EncodeKey(table->key_types, key, &table->lookup_key);
    absl::string_view bytes;
    ASSIGN_OR_RETURN(
        const bool found,
        as_of_event ? table->versions->RowAsOf(table->lookup_key, as_of, &bytes)
                    : table->fold->CurrentRow(table->lookup_key, &bytes));
    if (!found) return false;
    // The bytes may be the store's, which the next look-up takes back, and the
    // joining fold looks up its own key before it is done with this row.
    table->lookup_row.assign(bytes.data(), bytes.size());
    RETURN_IF_ERROR_CTX(
        DecodeRow(table->catalog->schema, table->lookup_row, row),
        absl::StrCat("table=", table->catalog->name));
    return true;
  }

  template <typename Add>
  absl::Status DrainAll(Add add) {
    for (const Drained& drained : drained_) {
      RETURN_IF_ERROR_CTX(Drain(drained, add),
                          absl::StrCat("view=", drained.view->catalog->name));
    }
    pending_events_ = 0;
    pending_text_ = 0;
    return absl::OkStatus();
  }

  absl::Status Drain(const Drained& drained,
                     absl::FunctionRef<void(const Change&)> add) {
    const auto sink = [&](const FoldedChange& change) {
      Change out;
      out.view = drained.id;
      out.key = change.key;
      out.has_before = change.has_before;
      out.before = change.before;
      out.has_after = change.has_after;
      out.after = change.after;
      out.state = change.state;
      out.corrected = change.corrected;
      add(out);
    };
    PipelineView* const view = drained.view;
    if (!drained.state) return view->fold->Drain(sink);
    return view->versions != nullptr ? view->versions->Drain(sink)
                                     : view->fold->DrainState(sink);
  }

  const CommitLimits limits_;
  const CommitLimits build_limits_;
  const PlanSet& plans_;
  const Catalog& catalog_;
  MaterializedStore* const store_;
  std::vector<std::unique_ptr<PipelineView>> views_;  // by ViewId
  std::map<int, PipelineView*> tables_;               // by source
  std::vector<Input> inputs_;
  std::vector<Route> routes_;     // by input
  std::vector<Drained> drained_;  // by id
  CommitBuilder builder_;
  Positions committed_;
  EventTime watermark_;
  LateEvent late_;                // scratch of one call
  size_t touched_per_event_ = 0;  // keys, at most
  size_t pending_events_ = 0;     // folded since the last commit
  size_t pending_text_ = 0;       // bytes, of those events
};

}  // namespace

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Create(
    const PlanSet* plans, const Catalog* catalog, MaterializedStore* store,
    CommitLimits limits, CommitLimits build_limits) {
  auto pipeline = std::make_unique<PipelineImpl>(plans, catalog, store, limits,
                                                 build_limits);
  RETURN_IF_ERROR_CTX(pipeline->Init(),
                      absl::StrCat("pipeline=", catalog->pipeline));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

}  // namespace tidegate
