#include "loadtest/bench/report.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_writer.h"

namespace tidegate {
namespace {

std::string GoalText(const BenchGoal& goal) {
  return absl::StrCat(goal.kind == BenchGoal::Kind::kAtMost ? "<= " : ">= ",
                      goal.bound);
}

void WriteSamples(JsonWriter* json, const std::vector<double>& samples) {
  json->BeginArray();
  for (const double sample : samples) json->Double(sample);
  json->EndArray();
}

}  // namespace

double Median(std::vector<double> samples) { return Percentile(&samples, 50); }

double Percentile(std::vector<double>* samples, double percent) {
  if (samples->empty()) return 0;
  std::sort(samples->begin(), samples->end());
  const double rank =
      std::ceil(percent / 100 * static_cast<double>(samples->size()));
  const size_t index = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  return (*samples)[std::min(index, samples->size() - 1)];
}

double BenchEntry::ours() const { return Median(ours_samples); }

double BenchEntry::value_against() const { return Median(against_samples); }

double BenchEntry::result() const {
  const auto compare = [this](double mine, double other) {
    if (!is_ratio) return mine - other;
    return other == 0 ? 0 : mine / other;
  };
  if (!paired) return compare(ours(), value_against());
  const size_t rounds = std::min(ours_samples.size(), against_samples.size());
  std::vector<double> results;
  for (size_t i = 0; i < rounds; ++i) {
    results.push_back(compare(ours_samples[i], against_samples[i]));
  }
  return Median(results);
}

std::optional<bool> BenchEntry::met() const {
  if (!goal.has_value()) return std::nullopt;
  return goal->kind == BenchGoal::Kind::kAtMost ? result() <= goal->bound
                                                : result() >= goal->bound;
}

BenchEntry LatencyEntry(std::string name, double most_ms) {
  return {.name = std::move(name),
          .unit = "ms",
          .against = "bare produce-consume",
          .is_ratio = false,
          .paired = true,
          .goal = BenchGoal{.bound = most_ms}};
}

void AddRound(std::vector<double>* ours_ms, std::vector<double>* bare_ms,
              BenchEntry* p50, BenchEntry* p99) {
  p50->against_samples.push_back(Percentile(bare_ms, 50));
  p99->against_samples.push_back(Percentile(bare_ms, 99));
  p50->ours_samples.push_back(Percentile(ours_ms, 50));
  p99->ours_samples.push_back(Percentile(ours_ms, 99));
}

std::string ToJsonLine(const BenchEntry& entry) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("name").String(entry.name);
  json.Key("ours").Double(entry.ours());
  json.Key("unit").String(entry.unit);
  json.Key("against").String(entry.against);
  json.Key("value_against").Double(entry.value_against());
  json.Key("kind").String(entry.is_ratio ? "ratio" : "difference");
  json.Key("result").Double(entry.result());
  json.Key("goal");
  if (entry.goal.has_value()) {
    json.String(GoalText(*entry.goal));
    json.Key("met").Bool(*entry.met());
  } else {
    json.Null();
    json.Key("met").Null();
  }
  json.Key("samples").BeginObject();
  json.Key("ours");
  WriteSamples(&json, entry.ours_samples);
  json.Key("against");
  WriteSamples(&json, entry.against_samples);
  json.EndObject();
  json.EndObject();
  return out;
}

std::string ToText(const BenchEntry& entry) {
  std::string text = absl::StrFormat(
      "%-14s %12.3f %-10s %s %12.3f   %s %+.3f", entry.name, entry.ours(),
      entry.unit, entry.against, entry.value_against(),
      entry.is_ratio ? "ratio" : "difference", entry.result());
  if (entry.goal.has_value()) {
    absl::StrAppend(&text, "   goal ", GoalText(*entry.goal),
                    *entry.met() ? ", met" : ", not met");
  }
  return text;
}

}  // namespace tidegate
