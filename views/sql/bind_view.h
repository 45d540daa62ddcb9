// One CREATE MATERIALIZED VIEW.
#ifndef TIDEGATE_VIEWS_SQL_BIND_VIEW_H_
#define TIDEGATE_VIEWS_SQL_BIND_VIEW_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "views/plan/plan.h"
#include "views/sql/ast.h"
#include "views/sql/bind_expr.h"

namespace tidegate::sql {

// What a view may name.
struct Catalog {
  // Every declared name.
  const absl::flat_hash_map<std::string, const Statement*>* names = nullptr;
  // Positions in `sources`.
  const absl::flat_hash_map<std::string, int>* positions = nullptr;
  const std::vector<SourcePlan>* sources = nullptr;
};

// Thread-compatible; for one statement, which it borrows with the catalog.
class ViewBinder {
 public:
  ViewBinder(const Catalog& catalog, const Statement& statement,
             Reporter* reporter)
      : catalog_(catalog),
        statement_(statement),
        view_(*statement.view),
        reporter_(reporter),
        broken_(statement.broken) {}

  // Fills in all but name, pipeline, options, definition and canonical.
  // Meaningful only if nothing was reported.
  void Run(ViewPlan* plan);

 private:
  // One column of the SELECT list.
  struct Output {
    std::string name;
    Span span;
    TypedPtr value;
  };

  // bind_view.cc
  void BindWhere(ViewPlan* plan);
  const Statement* Resolve(const Name& name, bool want_table);
  bool BindFrom(ViewPlan* plan);
  Relation MakeRelation(const Statement& source, const Name& alias, int first);
  void BindOutputs();
  void AddStar(const SelectItem& item);
  void AddOutput(const SelectItem& item);
  std::string OutputName(const SelectItem& item);
  void CheckOutputNames();
  void FinishOutputs(ViewPlan* plan);
  void BindDeclaredKey(ViewPlan* plan);
  void AddPlace(ViewPlan* plan);
  bool IsIncluded(const ViewPlan& plan, const Output& output) const;
  void MarkUsedColumns(ViewPlan* plan) const;
  bool EmitInto(const Typed& typed, Expr* expr);

  // bind_join.cc
  void BindJoin(ViewPlan* plan);
  bool BindAsOf(const SourcePlan& table, JoinPlan* join);
  bool BindJoinPart(const Node& part, const SourcePlan& table,
                    std::vector<TypedPtr>* keys);
  int TableKey(const Typed& typed, const SourcePlan& table) const;
  bool UsesTable(const Typed& typed) const;

  // bind_group.cc
  void BindGroups(ViewPlan* plan);
  TypedPtr BindGroupKey(const Node& node);
  TypedPtr GroupByOutput(const Node& node, size_t position);
  bool Regroup(Typed* typed);
  void FindKeyColumns(ViewPlan* plan);
  void AddSessionEnd(ViewPlan* plan);
  void EmitAggregates(ViewPlan* plan);

  // bind_window.cc
  void BindWindow(ViewPlan* plan);
  void CheckWindowView(const WindowDef& window);
  bool MakeWindow(const WindowDef& window, WindowPlan* out);
  bool CheckWindowTime(const WindowDef& window);
  bool CheckIntervals(const WindowDef& window);
  bool CheckSlides(const WindowDef& window, const WindowPlan& plan);
  bool DefaultStep(const WindowDef& window, WindowPlan* plan);
  int WindowKey(const Typed& typed) const;
  bool UsesWindow(const Typed& typed) const;
  void CheckWindowGroups();
  void CheckSessionGroups();
  void FindWindowColumn(ViewPlan* plan);
  void BindEmit(ViewPlan* plan);

  // bind_watermark.cc
  const SourcePlan& source() const;
  // The time column to write in a window of the source, for suggestions.
  std::string WindowTime() const;
  bool NeedWatermark(const SourcePlan& source, Span span,
                     absl::string_view what);
  void BindRetention(ViewPlan* plan);
  bool CheckRetention(const ViewPlan& plan, const Option& option);
  void BindLateness();
  void AllowLags();
  void EmitLags(ViewPlan* plan);

  const Catalog& catalog_;
  const Statement& statement_;
  const ViewDef& view_;
  Reporter* reporter_;
  // Something is missing, reported before: nothing is said about what follows
  // from that.
  bool broken_ = false;
  const Statement* source_ = nullptr;
  const Statement* table_ = nullptr;
  int source_columns_ = 0;
  int table_columns_ = 0;
  // Of window_start in the input row, which window_end follows; -1 if there are
  // none.
  int window_column_ = -1;
  // No PRIMARY KEY, no GROUP BY, but a retention.
  bool keyless_ = false;
  std::optional<ExprBinder> expressions_;
  std::vector<Output> outputs_;
  std::vector<TypedPtr> group_keys_;
  std::vector<int> key_outputs_;  // the output column of each group key
};

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_BIND_VIEW_H_
