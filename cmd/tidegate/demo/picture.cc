#include "cmd/tidegate/demo/picture.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "clients/history/json_line.h"
#include "cmd/tidegate/flags.h"
#include "cmd/tidegate/table.h"

namespace tidegate {
namespace {

constexpr absl::string_view kBold = "\x1b[1m";
constexpr absl::string_view kChanged = "\x1b[32m";
constexpr absl::string_view kFaint = "\x1b[2m";
constexpr absl::string_view kPlain = "\x1b[0m";

std::string Millis(int64_t micros) {
  return absl::StrFormat("%.1f", static_cast<double>(micros) / 1000.0);
}

void WriteTexts(const std::vector<std::string>& texts, JsonWriter* json) {
  json->BeginArray();
  for (const std::string& text : texts) json->String(text);
  json->EndArray();
}

bool Changed(const DemoState& state, size_t row) {
  return row >= state.before.rows.size() ||
         state.before.rows[row] != state.client.rows[row];
}

}  // namespace

std::string FormatReport(const DemoReport& report) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("updates").Int(report.updates);
  json.Key("violations").Int(report.violations);
  json.Key("resumes").Int(report.resumes);
  json.Key("subscribers").Int(report.subscribers);
  json.Key("p50_us").Int(report.p50_us);
  json.Key("p99_us").Int(report.p99_us);
  json.Key("final").Bool(report.final_report);
  json.Key("columns");
  WriteTexts(report.columns, &json);
  json.Key("rows").BeginArray();
  for (const auto& row : report.rows) WriteTexts(row, &json);
  json.EndArray();
  json.Key("problems");
  WriteTexts(report.problems, &json);
  json.EndObject();
  return text + "\n";
}

absl::StatusOr<DemoReport> ParseReport(absl::string_view line) {
  ASSIGN_OR_RETURN(const JsonLine json, JsonLine::Parse(line));
  DemoReport report;
  ASSIGN_OR_RETURN(report.updates, json.Int("updates"));
  ASSIGN_OR_RETURN(report.violations, json.Int("violations"));
  ASSIGN_OR_RETURN(report.resumes, json.Int("resumes"));
  ASSIGN_OR_RETURN(report.subscribers, json.Int("subscribers"));
  ASSIGN_OR_RETURN(report.p50_us, json.Int("p50_us"));
  ASSIGN_OR_RETURN(report.p99_us, json.Int("p99_us"));
  ASSIGN_OR_RETURN(report.final_report, json.Bool("final"));
  ASSIGN_OR_RETURN(report.columns, json.Texts("columns"));
  ASSIGN_OR_RETURN(report.rows, json.TextRows("rows"));
  ASSIGN_OR_RETURN(report.problems, json.Texts("problems"));
  return report;
}

std::vector<std::string> DemoHints(const std::string& binary,
                                   const std::string& server) {
  return {absl::StrCat(binary, " watch zones --server ", server),
          absl::StrCat("grpcurl -plaintext -d '{\"view\":\"zones\"}' ", server,
                       " tidegate.v1.ViewService/Subscribe")};
}

std::string DemoFrame(const DemoState& state,
                      const std::vector<std::string>& hints, size_t width) {
  std::string frame = absl::StrCat(
      "\x1b[H\x1b[J", kBold, "Tidegate", kPlain,
      "  live views of Kafka topics, streamed over gRPC\n\n",
      absl::StrFormat("  %d events, %d/s    %d updates, %d/s    "
                      "%d subscribers, %d resumes\n",
                      state.events, state.events_per_second,
                      state.client.updates, state.updates_per_second,
                      state.server_subscribers, state.client.resumes),
      "  produced → in a client's hands: p50 ", kBold,
      Millis(state.client.p50_us), " ms", kPlain, ", p99 ", kBold,
      Millis(state.client.p99_us), " ms", kPlain, "    ",
      state.client.violations, " violations\n\n");
  const std::vector<std::string> table = absl::StrSplit(
      FormatTable(state.client.columns, state.client.rows, width), '\n',
      absl::SkipEmpty());
  for (size_t i = 0; i < table.size(); ++i) {
    const bool header = i < 2;
    const bool changed = !header && Changed(state, i - 2);
    absl::StrAppend(&frame, "  ",
                    header    ? kFaint
                    : changed ? kChanged
                              : "",
                    table[i], kPlain, "\n");
  }
  absl::StrAppend(&frame, "\n  Try it from another terminal:\n");
  for (const std::string& hint : hints) {
    absl::StrAppend(&frame, "    ", hint, "\n");
  }
  absl::StrAppend(&frame, "\n", kFaint, "  Ctrl-C ends it.", kPlain, "\n");
  return frame;
}

std::string DemoLine(const DemoState& state) {
  return absl::StrFormat(
      "%3.0f s  events=%d (%d/s)  updates=%d (%d/s)  subscribers=%d  "
      "resumes=%d  p50=%s ms  p99=%s ms  violations=%d\n",
      state.seconds, state.events, state.events_per_second,
      state.client.updates, state.updates_per_second, state.server_subscribers,
      state.client.resumes, Millis(state.client.p50_us),
      Millis(state.client.p99_us), state.client.violations);
}

std::string DemoLastLine(int64_t events, const DemoReport& report) {
  return absl::StrFormat(
      "events=%d updates=%d p50=%s ms p99=%s ms, "
      "%d violations",
      events, report.updates, Millis(report.p50_us), Millis(report.p99_us),
      report.violations);
}

int DemoExitCode(int64_t events, const DemoReport& report) {
  const bool good = report.final_report && events > 0 && report.updates > 0 &&
                    report.violations == 0;
  return good ? kExitOk : kExitNegative;
}

}  // namespace tidegate
