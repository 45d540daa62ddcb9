// What the simulation compares with the model.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "tests/simulation/event_time_simulation.h"
#include "views/fold/row_codec.h"

namespace tidegate::simulation {
namespace {

// Of variances, which no two orders of folding round alike. The least value
// that matters: below it, what should be 0 is lost in cancellation.
constexpr double kRelativeError = 1e-9;
constexpr double kLeastVariance = 1e-6;

Value ToValue(Type type, const Datum& datum) {
  if (datum.is_null) return Value();
  switch (type) {
    case Type::kBoolean:
      return Value(datum.b);
    case Type::kDouble:
      return Value(datum.d);
    case Type::kVarchar:
      return Value(std::string(datum.text()));
    default:
      return Value(datum.i);
  }
}

bool SameValue(const Value& a, const Value& b, bool rounded) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (!rounded || x == nullptr || y == nullptr) return a == b;
  const double size = std::max({std::fabs(*x), std::fabs(*y), kLeastVariance});
  return std::fabs(*x - *y) <= size * kRelativeError ||
         (std::fabs(*x) < kLeastVariance && std::fabs(*y) < kLeastVariance);
}

bool SameRow(const BatchRow& a, const BatchRow& b,
             const std::vector<bool>& rounded) {
  if (a.corrected != b.corrected || a.values.size() != b.values.size()) {
    return false;
  }
  for (size_t i = 0; i < a.values.size(); ++i) {
    const bool round = i < rounded.size() && rounded[i];
    if (!SameValue(a.values[i], b.values[i], round)) return false;
  }
  return true;
}

std::string RowText(const BatchRow& row) {
  std::vector<std::string> texts;
  for (const Value& value : row.values) texts.push_back(ValueText(value));
  return absl::StrCat(absl::StrJoin(texts, "|"),
                      row.corrected ? " corrected" : "");
}

// What `a` has and `b` has not, or not so.
std::string Difference(const BatchRows& a, const BatchRows& b,
                       const std::vector<bool>& rounded) {
  std::string text;
  for (const auto& [key, row] : a) {
    const auto other = b.find(key);
    if (other != b.end() && SameRow(row, other->second, rounded)) continue;
    absl::StrAppend(&text, "\n  ", key, " -> ", RowText(row));
  }
  return text;
}

std::string RefusalText(const SimWorld& world, const Refusal& refusal) {
  const auto [source, partition, offset] = refusal.place;
  return absl::StrCat(world.sources[source].name, "/", partition, "/", offset,
                      " view=", refusal.view, " reason=", refusal.reason,
                      " windows=", absl::StrJoin(refusal.windows, "/"),
                      " watermark=", refusal.watermark.value_or(0));
}

}  // namespace

void EventTimeSimulation::CountFeatures() {
  static constexpr const char* kNames[kShapes] = {
      "grouped", "tumble", "hop", "session", "sliding", "keyed", "keyless"};
  std::set<std::string> features;
  for (const SimView& view : world_.views) {
    features.insert(kNames[static_cast<int>(view.shape)]);
    if (view.table.has_value()) features.insert("join");
    if (!view.lags.empty()) features.insert("lag");
    if (view.emit_on_close) features.insert("emit on close");
    if (view.allowed_us > 0) features.insert("allowed lateness");
    if (view.retention_us.has_value()) features.insert("retention");
  }
  for (const std::string& feature : features) ++counts_->features[feature];
}

// The journal up to the last commit: what the head shows.
Journal EventTimeSimulation::Committed() const {
  size_t end = journal_.size();
  while (end > 0 && journal_[end - 1].kind != JournalEntry::Kind::kCommit) {
    --end;
  }
  return Journal(journal_.begin(),
                 journal_.begin() + static_cast<std::ptrdiff_t>(end));
}

absl::Status EventTimeSimulation::Compare(const char* when) {
  ++counts_->comparisons;
  EventTimeModel model(&world_, &records_.records());
  RETURN_IF_ERROR_CTX(model.Play(Committed()), when);
  const std::string at = absl::StrCat(when, " watermark=",
                                      model.watermark().has_value()
                                          ? absl::StrCat(*model.watermark())
                                          : "none");
  for (const CatalogView& view : catalog_.views) {
    BatchRows wanted;
    std::vector<bool> rounded;
    for (size_t v = 0; v < world_.views.size(); ++v) {
      if (world_.views[v].name != view.name) continue;
      wanted = model.Rows(v, &counts_->windows_closed);
      rounded = RoundedColumns(world_.views[v]);
    }
    for (size_t s = 0; s < world_.sources.size(); ++s) {
      if (world_.sources[s].name != view.name) continue;
      wanted = model.TableRows(static_cast<int>(s));
    }
    RETURN_IF_ERROR_CTX(CompareView(view, wanted, rounded), at);
  }
  return absl::OkStatus();
}

absl::Status EventTimeSimulation::CompareView(
    const CatalogView& view, const BatchRows& wanted,
    const std::vector<bool>& rounded) {
  std::vector<size_t> key_columns;
  for (const int column : view.schema.key_columns) {
    key_columns.push_back(static_cast<size_t>(column));
  }
  std::sort(key_columns.begin(), key_columns.end());
  BatchRows rows;
  const auto it = store_->HeadView()->NewIterator(view.id);
  std::vector<Datum> datums(view.schema.fields.size());
  for (it->Seek(""); it->Valid(); it->Next()) {
    RETURN_IF_ERROR(DecodeRow(view.schema, it->row(), absl::MakeSpan(datums)));
    BatchRow row;
    for (size_t i = 0; i < datums.size(); ++i) {
      row.values.push_back(ToValue(view.schema.fields[i].type, datums[i]));
    }
    row.corrected = it->entry().corrected;
    std::string key = KeyText(key_columns, row.values);
    rows[std::move(key)] = std::move(row);
  }
  RETURN_IF_ERROR(it->status());
  counts_->rows += static_cast<int64_t>(rows.size());
  for (const auto& [key, row] : rows) {
    if (row.corrected) ++counts_->corrected;
  }
  const std::string missing = Difference(wanted, rows, rounded);
  const std::string wrong = Difference(rows, wanted, rounded);
  if (missing.empty() && wrong.empty()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "view=", view.name, " differs\nmodel:", missing, "\nrows:", wrong));
}

// Before a life ends: what it may have written letters for.
absl::Status EventTimeSimulation::ComparePermitted() {
  EventTimeModel model(&world_, &records_.records());
  RETURN_IF_ERROR_CTX(model.Play(journal_), "before a crash");
  model.PlayUncommitted();
  permitted_.insert(model.refusals().begin(), model.refusals().end());
  return absl::OkStatus();
}

absl::Status EventTimeSimulation::CompareLetters() {
  EventTimeModel model(&world_, &records_.records());
  RETURN_IF_ERROR(model.Play(journal_));
  if (model.next_watermark() != model.watermark()) {
    return absl::InternalError("the watermark does not move though it may");
  }
  std::set<Refusal> letters;
  for (const DeadLetter& letter : kafka_.dead_letters()) {
    Refusal refusal;
    int source = 0;
    while (world_.sources[source].name != letter.source_topic) ++source;
    refusal.place = {source, letter.partition.value(), letter.offset.value()};
    refusal.reason = letter.reason;
    if (letter.watermark != kNoEventTime) {
      refusal.watermark = letter.watermark.value();
    }
    const auto target = ReadReplayTarget(letter.replay_views);
    bool repeated = false;
    if (letter.views.empty()) repeated = !letters.insert(refusal).second;
    for (const std::string& view : letter.views) {
      refusal.view = view;
      const std::vector<int64_t>& starts = target.at(view);
      refusal.windows = {starts.begin(), starts.end()};
      repeated = !letters.insert(refusal).second;
    }
    if (repeated) ++counts_->repeated_letters;
  }
  std::set<Place> diverted;
  for (const Refusal& refusal : model.refusals()) {
    diverted.insert(refusal.place);
    ++counts_->refusals[refusal.reason];
    if (traits_.orderly && refusal.reason == "late") {
      return absl::InternalError(absl::StrCat("late within the bound: ",
                                              RefusalText(world_, refusal)));
    }
    if (letters.count(refusal) > 0) continue;
    return absl::InternalError(
        absl::StrCat("no dead letter: ", RefusalText(world_, refusal)));
  }
  if (traits_.orderly && model.late_table_rows() > 0) {
    return absl::InternalError("a table's row is late within the bound");
  }
  counts_->diverted += static_cast<int64_t>(diverted.size());
  counts_->late_table_rows += model.late_table_rows();
  for (const Refusal& letter : letters) {
    if (model.refusals().count(letter) > 0 || permitted_.count(letter) > 0) {
      continue;
    }
    return absl::InternalError(absl::StrCat("a dead letter for nothing: ",
                                            RefusalText(world_, letter)));
  }
  return absl::OkStatus();
}

absl::Status EventTimeSimulation::FinishSubscribers() {
  for (const auto& subscriber : subscribers_) {
    RETURN_IF_ERROR(subscriber->Finish(store_.get(), clock_.now));
  }
  return absl::OkStatus();
}

void EventTimeSimulation::CountSubscribers() {
  for (const auto& subscriber : subscribers_) {
    counts_->resumes += subscriber->counts().resumes;
    counts_->resets += subscriber->counts().resets;
  }
}

}  // namespace tidegate::simulation
