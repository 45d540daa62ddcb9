#include "loadtest/nexmark/queries.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "loadtest/nexmark/nexmark_proto_text.h"
#include "loadtest/nexmark/nexmark_sql_text.h"

namespace tidegate {
namespace {

// "q7" of "-- q7: the highest bid"; empty if the line is none such.
absl::string_view QueryOf(absl::string_view line) {
  constexpr absl::string_view kMark = "-- q";
  const size_t end = line.find(':');
  if (!absl::StartsWith(line, kMark) || end == absl::string_view::npos) {
    return {};
  }
  const absl::string_view number =
      line.substr(kMark.size(), end - kMark.size());
  const bool digits =
      !number.empty() &&
      std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
  return digits ? line.substr(kMark.size() - 1, number.size() + 1)
                : absl::string_view();
}

struct Script {
  std::string common;
  std::vector<std::string> names;
  std::map<std::string, std::string> queries;
};

Script MakeScript() {
  Script script;
  std::string* part = &script.common;
  for (const absl::string_view line : absl::StrSplit(kNexmarkSql, '\n')) {
    const absl::string_view query = QueryOf(line);
    if (!query.empty()) {
      script.names.emplace_back(query);
      part = &script.queries[script.names.back()];
    }
    absl::StrAppend(part, line, "\n");
  }
  return script;
}

const Script& TheScript() {
  static const auto* const script = new Script(MakeScript());
  return *script;
}

}  // namespace

const std::vector<std::string>& NexmarkQueries() { return TheScript().names; }

absl::StatusOr<BenchFiles> NexmarkFiles(const std::vector<std::string>& queries,
                                        absl::string_view prefix) {
  const Script& script = TheScript();
  std::string sql = script.common;
  for (const std::string& name : queries.empty() ? script.names : queries) {
    const auto found = script.queries.find(name);
    if (found == script.queries.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no query \"", name, "\"; there are ",
                       absl::StrJoin(script.names, ", ")));
    }
    sql += found->second;
  }
  sql = absl::StrReplaceAll(sql, {{"@PREFIX@", prefix}});
  return BenchFiles{{"nexmark.proto", kNexmarkProto},
                    {kBenchViewsFile, std::move(sql)}};
}

}  // namespace tidegate
