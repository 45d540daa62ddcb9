#include "views/pipeline/pipeline.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "views/fold/row_codec.h"
#include "views/fold/view_fold.h"

namespace tidegate {
namespace {

// Held by a row that waits for its commit, whatever its text.
constexpr size_t kBytesPerEvent = 64;

// One view or table with its fold; stays where it is, because the fold's
// look-ups borrow it.
struct PipelineView {
  const CatalogView* catalog = nullptr;
  const ViewPlan* plan = nullptr;
  std::unique_ptr<ViewFold> fold;
  // Of a joined table: its key's types, and the bytes that look-ups borrow.
  std::vector<Type> key_types;
  std::string lookup_key;
  std::string lookup_row;
};

// Text columns of one input, whose sizes count toward kMaxCommitBytes, and the
// views that read it.
struct Route {
  std::vector<int> text_columns;
  std::vector<PipelineView*> views;
};

bool IsDiverting(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsOutOfRange(status);
}

class PipelineImpl final : public Pipeline {
 public:
  PipelineImpl(const PlanSet* plans, const Catalog* catalog,
               MaterializedStore* store)
      : plans_(*plans),
        catalog_(*catalog),
        store_(store),
        committed_(store->positions()) {}

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
    return absl::OkStatus();
  }

  const std::vector<Input>& inputs() const override { return inputs_; }

  absl::Status Fold(int input, const Event& event,
                    std::vector<Diverted>* diverted) override {
    const Route& route = routes_[input];
    pending_bytes_ += kBytesPerEvent;
    for (const int column : route.text_columns) {
      // A NULL's size is 0.
      pending_bytes_ += event.columns[column].size;
    }
    ++pending_events_;
    for (PipelineView* view : route.views) {
      absl::Status status = view->fold->Apply(event);
      if (status.ok()) continue;
      if (!IsDiverting(status)) {
        return Annotate(status, absl::StrCat("view=", view->catalog->name));
      }
      diverted->push_back(Diverted{view->catalog->name, std::move(status)});
    }
    return absl::OkStatus();
  }

  bool CommitDue() const override {
    if (pending_bytes_ >= kMaxCommitBytes) return true;
    // An event touches at most one key of a view.
    if (pending_events_ * views_.size() < kMaxCommitKeys) return false;
    size_t dirty = 0;
    for (const auto& view : views_) dirty += view->fold->dirty_keys();
    return dirty >= kMaxCommitKeys;
  }

  absl::StatusOr<std::shared_ptr<const Commit>> CommitPending(
      ProcessingTime now, int64_t first_record_ms,
      const Positions& positions) override {
    for (const auto& view : views_) {
      RETURN_IF_ERROR_CTX(Drain(view.get()),
                          absl::StrCat("view=", view->catalog->name));
    }
    pending_events_ = 0;
    pending_bytes_ = 0;
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
        route.views.push_back(view.get());
        const std::vector<bool>& used = view->plan->used_columns;
        for (size_t c = 0; c < source.columns.size(); ++c) {
          // A table's rows are kept whole, for joins as for clients.
          if (tables || (c < used.size() && used[c])) {
            input.used_columns[c] = true;
          }
        }
      }
      if (route.views.empty()) continue;
      for (size_t c = 0; c < source.columns.size(); ++c) {
        if (input.used_columns[c] && source.columns[c].type == Type::kVarchar) {
          route.text_columns.push_back(static_cast<int>(c));
        }
      }
      inputs_.push_back(std::move(input));
      routes_.push_back(std::move(route));
    }
  }

  absl::Status MakeFold(PipelineView* view) {
    const ViewId id = view->catalog->id;
    StoredLookup stored = [this, id](absl::string_view key, Stored* found) {
      return store_->Lookup(id, key, &found->has_row, &found->row,
                            &found->state);
    };
    TableLookup table;
    const SourcePlan* joined_source = nullptr;
    if (view->plan->join.has_value()) {
      const auto at = tables_.find(view->plan->join->table);
      if (at == tables_.end()) {
        return absl::InternalError("the joined table is not in the catalog");
      }
      joined_source = &plans_.sources[view->plan->join->table];
      table = [joined = at->second](Row key, MutableRow row) {
        return LookUpTable(joined, key, row);
      };
    }
    view->fold = ViewFold::Create(
        view->plan, &plans_.sources[view->plan->source], joined_source,
        &view->catalog->schema, std::move(stored), std::move(table));
    return absl::OkStatus();
  }

  static absl::StatusOr<bool> LookUpTable(PipelineView* table, Row key,
                                          MutableRow row) {
    table->lookup_key.clear();
    EncodeKey(table->key_types, key, &table->lookup_key);
    absl::string_view bytes;
    ASSIGN_OR_RETURN(const bool found,
                     table->fold->CurrentRow(table->lookup_key, &bytes));
    if (!found) return false;
    // The bytes may be the store's, which the next look-up takes back, and the
    // joining fold looks up its own key before it is done with this row.
    table->lookup_row.assign(bytes.data(), bytes.size());
    RETURN_IF_ERROR_CTX(
        DecodeRow(table->catalog->schema, table->lookup_row, row),
        absl::StrCat("table=", table->catalog->name));
    return true;
  }

  absl::Status Drain(PipelineView* view) {
    return view->fold->Drain([&](const FoldedChange& change) {
      Change out;
      out.view = view->catalog->id;
      out.key = change.key;
      out.has_before = change.has_before;
      out.before = change.before;
      out.has_after = change.has_after;
      out.after = change.after;
      out.state = change.state;
      builder_.Add(out);
    });
  }

  const PlanSet& plans_;
  const Catalog& catalog_;
  MaterializedStore* const store_;
  std::vector<std::unique_ptr<PipelineView>> views_;  // by ViewId
  std::map<int, PipelineView*> tables_;               // by source
  std::vector<Input> inputs_;
  std::vector<Route> routes_;  // by input
  CommitBuilder builder_;
  Positions committed_;
  size_t pending_events_ = 0;  // folded since the last commit
  size_t pending_bytes_ = 0;   // roughly, of those events
};

}  // namespace

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Create(
    const PlanSet* plans, const Catalog* catalog, MaterializedStore* store) {
  auto pipeline = std::make_unique<PipelineImpl>(plans, catalog, store);
  RETURN_IF_ERROR_CTX(pipeline->Init(),
                      absl::StrCat("pipeline=", catalog->pipeline));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

}  // namespace tidegate
