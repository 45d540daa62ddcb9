// From statements to plans.
#ifndef TIDEGATE_VIEWS_SQL_BINDER_H_
#define TIDEGATE_VIEWS_SQL_BINDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "views/plan/plan.h"
#include "views/sql/ast.h"
#include "views/sql/bind_expr.h"
#include "views/sql/lexer.h"

namespace tidegate::sql {

// Of a source, and of a view's output.
inline constexpr size_t kMaxColumns = 1000;
inline constexpr size_t kMaxGroupKeys = 100;
// Of names of views, columns and pipelines.
inline constexpr size_t kMaxNameBytes = 128;

// The statements of one file. Thread-compatible; borrows all it is given.
class Binder {
 public:
  Binder(absl::string_view text, absl::Span<const Token> tokens,
         absl::Span<const Statement> statements, Reporter* reporter)
      : text_(text),
        tokens_(tokens),
        statements_(statements),
        reporter_(reporter) {}

  // Meaningful only if nothing was reported.
  PlanSet Run();

 private:
  // binder.cc
  void DeclareNames();
  // A view and a message of another that have one name.
  void CheckTypedNames();
  void CheckServedName(const Name& name);
  std::string Definition(const Statement& statement) const;

  // bind_source.cc
  SourcePlan BindSource(const Statement& statement);
  void BindColumns(const Statement& statement, SourcePlan* plan);
  void BindIncludes(const Statement& statement, SourcePlan* plan);
  void BindPrimaryKey(const Statement& statement, SourcePlan* plan);
  void BindWatermark(const Statement& statement, SourcePlan* plan);
  void CheckKeyColumn(const SourcePlan& plan, int column, const Name& name);
  int FindColumn(const Statement& statement, const SourcePlan& plan,
                 const Name& name);

  // bind_options.cc
  void BindOptions(const Statement& statement, SourcePlan* plan);
  bool CheckOption(const Statement& statement, const Option& option);
  void SetOption(const Statement& statement, const Option& option,
                 SourcePlan* plan);
  void CheckTopic(const Option& option);
  std::optional<int64_t> Duration(const Option& option);
  void BindViewOptions(const Statement& statement, ViewPlan* plan);
  void SetViewOption(const Option& option, ViewPlan* plan);

  // bind_format.cc
  void BindFormat(const Statement& statement, SourcePlan* plan);
  void BindFormatName(const SourceDef& source);
  std::optional<Encoding> BindEncoding(const EncodeDef& encode, bool broken);
  bool BindEncodeOptions(const EncodeDef& encode, Encoding* encoding);
  void CheckEncoding(const EncodeDef& encode, const Encoding& encoding);
  void CheckPair(const SourceDef& source,
                 const std::vector<Encoding>& encodings);
  void BindKeyFormat(const Statement& statement, SourcePlan* plan);
  void CheckJsonKey(const Name& encode, const SourcePlan& plan);

  ViewPlan ServeTable(const Statement& statement, int source);
  ViewPlan BindView(const Statement& statement);

  absl::string_view text_;
  absl::Span<const Token> tokens_;
  absl::Span<const Statement> statements_;
  Reporter* reporter_;
  PlanSet plans_;
  // Of every declared name, the first statement that declares it.
  absl::flat_hash_map<std::string, const Statement*> names_;
  absl::flat_hash_map<std::string, const Statement*> camel_names_;
  // Positions in plans_.sources.
  absl::flat_hash_map<std::string, int> sources_;
};

// All of them, those of INCLUDE behind the others.
std::vector<Column> ColumnsOf(const SourceDef& source);

// Null if it is not given.
const Option* FindOption(const std::vector<Option>& options,
                         absl::string_view key);

// True and nothing reported if all is well with a name that becomes a Protobuf
// name.
bool CheckPlainName(const Name& name, absl::string_view what,
                    Reporter* reporter);

}  // namespace tidegate::sql

#endif  // TIDEGATE_VIEWS_SQL_BINDER_H_
