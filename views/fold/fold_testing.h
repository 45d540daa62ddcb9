// What the tests of folds share: a store in memory, plans built by hand.
#ifndef TIDEGATE_VIEWS_FOLD_FOLD_TESTING_H_
#define TIDEGATE_VIEWS_FOLD_FOLD_TESTING_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "views/fold/view_fold.h"
#include "views/plan/datum_text.h"
#include "views/plan/expr_testing.h"

namespace tidegate::testing {

// Keeps what folds commit. Every change must start from what is kept.
class FakeStore {
 public:
  struct Row {
    bool has_row = false;
    std::string row;
    std::string state;
    friend bool operator==(const Row&, const Row&) = default;
  };

  StoredLookup Lookup() {
    return [this](absl::string_view key,
                  Stored* stored) -> absl::StatusOr<bool> {
      ++lookups;
      if (!fail_with.ok()) return fail_with;
      const auto found = rows.find(std::string(key));
      if (found == rows.end()) return false;
      *stored = {found->second.has_row, found->second.row, found->second.state};
      return true;
    };
  }

  FoldSources Sources(TableLookup table) {
    return {.stored = Lookup(), .scan = Scan(), .table = std::move(table)};
  }
  StoredScan Scan() {
    return
        [this](absl::FunctionRef<absl::Status(absl::string_view, const Stored&)>
                   sink) -> absl::Status {
          ++scans;
          for (const auto& [key, row] : rows) {
            absl::Status status = sink(key, {row.has_row, row.row, row.state});
            if (!status.ok()) return status;
          }
          return fail_with;
        };
  }

  // Drains `fold` into the store; returns how many keys changed.
  int Commit(ViewFold* fold) {
    int changes = 0;
    std::string last_key;
    const absl::Status status = fold->Drain([&](const FoldedChange& change) {
      EXPECT_TRUE(changes == 0 || change.key > last_key) << "not in key order";
      last_key = std::string(change.key);
      ++changes;
      const Row before = rows[last_key];
      EXPECT_EQ(change.has_before, before.has_row);
      EXPECT_EQ(change.before, before.row);
      const Row after{change.has_after, std::string(change.after),
                      std::string(change.state)};
      EXPECT_FALSE(after == before) << "nothing changed";
      if (!after.has_row && after.state.empty()) {
        rows.erase(last_key);
      } else {
        rows[last_key] = after;
      }
      corrected.erase(last_key);
      if (change.corrected) corrected.insert(last_key);
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(fold->dirty_keys(), 0u);
    return changes;
  }

  // The same for state without rows: `drain` is given a sink.
  template <typename Drain>
  int CommitState(Drain drain) {
    int changes = 0;
    std::string last_key;
    const absl::Status status = drain([&](const FoldedChange& change) {
      EXPECT_TRUE(changes == 0 || change.key > last_key) << "not in key order";
      last_key = std::string(change.key);
      ++changes;
      EXPECT_FALSE(change.has_before || change.has_after);
      EXPECT_NE(rows[last_key].state, change.state) << "nothing changed";
      rows[last_key].state = std::string(change.state);
      if (change.state.empty()) rows.erase(last_key);
    });
    EXPECT_TRUE(status.ok()) << status;
    return changes;
  }

  // All rows as text, in key order: "a|1|NULL".
  std::vector<std::string> Texts(const RowSchema& schema) const {
    std::vector<std::string> texts;
    for (const auto& [key, stored] : rows) {
      if (stored.has_row) texts.push_back(Text(schema, stored.row));
    }
    return texts;
  }

  static std::string Text(const RowSchema& schema, absl::string_view row) {
    std::vector<Datum> values(schema.fields.size());
    const absl::Status status = DecodeRow(schema, row, absl::MakeSpan(values));
    EXPECT_TRUE(status.ok()) << status;
    std::vector<std::string> parts;
    for (size_t i = 0; i < values.size(); ++i) {
      parts.push_back(DatumText(schema.fields[i].type, values[i]));
    }
    return absl::StrJoin(parts, "|");
  }

  std::map<std::string, Row> rows;
  std::set<std::string> corrected;  // keys whose last change was
  int lookups = 0;
  int scans = 0;
  absl::Status fail_with;
};

inline SourcePlan Source(std::vector<tidegate::Column> columns) {
  SourcePlan source;
  source.name = "source";
  source.columns = std::move(columns);
  return source;
}

// Adds an output column.
inline void AddOutput(ViewPlan* plan, std::string name, Expr expr) {
  plan->columns.push_back({std::move(name), expr.type});
  plan->outputs.push_back(std::move(expr));
}

// Adds an aggregate and an output column that is its result.
inline void AddAggregate(ViewPlan* plan, std::string name, AggregateCall call) {
  const auto place =
      static_cast<int>(plan->group_by.size() + plan->aggregates.size());
  AddOutput(plan, std::move(name), Column(place, call.result));
  plan->aggregates.push_back(std::move(call));
}

inline RowSchema SchemaOf(const ViewPlan& plan) {
  RowSchema schema;
  for (const OutputColumn& column : plan.columns) {
    schema.fields.push_back({column.name, column.type,
                             static_cast<uint32_t>(schema.fields.size() + 1)});
  }
  schema.key_columns = plan.key_columns;
  return schema;
}

inline EventOrder At(int64_t time, int32_t partition, int64_t offset) {
  return {EventTime(time), PartitionId(partition), Offset(offset)};
}

// Applies an event that is late for nothing.
inline absl::Status Feed(ViewFold* fold, const Event& event) {
  LateEvent late;
  absl::Status status = fold->Apply(event, &late);
  EXPECT_FALSE(late.late);
  return status;
}

// No table.
inline TableLookup NoTable() {
  return [](Row, EventTime, MutableRow) -> absl::StatusOr<bool> {
    return absl::InternalError("no table");
  };
}

}  // namespace tidegate::testing

#endif  // TIDEGATE_VIEWS_FOLD_FOLD_TESTING_H_
