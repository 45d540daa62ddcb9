// A views file: lexer, parser and binder; of what compiles, the catalogs.
#include "absl/strings/str_split.h"
#include "tests/fuzz/fuzz.h"
#include "views/pipeline/catalog.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

void CheckDiagnostics(absl::string_view text,
                      const std::vector<Diagnostic>& diagnostics) {
  FUZZ_EXPECT(diagnostics.size() <= static_cast<size_t>(kMaxDiagnostics),
              diagnostics.size());
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  for (const Diagnostic& d : diagnostics) {
    FUZZ_EXPECT(d.line >= 1 && d.line <= static_cast<int>(lines.size()),
                "line ", d.line, ": ", d.message);
    // Columns count characters, of which there are no more than bytes.
    const int bytes =
        static_cast<int>(lines[static_cast<size_t>(d.line) - 1].size());
    FUZZ_EXPECT(
        d.column >= 1 && d.length >= 1 && d.column + d.length <= bytes + 2,
        d.line, ":", d.column, "+", d.length, ": ", d.message);
    FUZZ_EXPECT(!d.message.empty(), d.line, ":", d.column);
  }
  FormatDiagnostics("views.sql", text, diagnostics);
}

void CheckCatalogs(const PlanSet& plans) {
  for (const std::string& pipeline : PipelineNames(plans)) {
    const Catalog catalog = MakeCatalog(plans, pipeline, nullptr);
    std::string bytes;
    EncodeCatalog(catalog, &bytes);
    const auto decoded = DecodeCatalog(bytes);
    FUZZ_EXPECT(decoded.ok(), decoded.status().ToString());
    const absl::Status same = CheckUnchanged(*decoded, catalog);
    FUZZ_EXPECT(same.ok(), same.ToString());
    std::string again;
    EncodeCatalog(*decoded, &again);
    FUZZ_EXPECT(again == bytes, pipeline);
  }
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const tidegate::CompileResult result = tidegate::CompileViews(text);
  tidegate::CheckDiagnostics(text, result.diagnostics);
  if (result.ok()) tidegate::CheckCatalogs(result.plans);
  return 0;
}
