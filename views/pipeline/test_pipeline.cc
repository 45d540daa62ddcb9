#include "views/pipeline/test_pipeline.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "views/sql/compile.h"

namespace tidegate {
namespace {

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

PlanSet Compile(absl::string_view sql) {
  CompileResult compiled = CompileViews(sql);
  if (!compiled.ok()) {
    Require(absl::InvalidArgumentError(
        FormatDiagnostics("test.sql", sql, compiled.diagnostics)));
  }
  return std::move(compiled.plans);
}

std::string DatumText(Type type, const Datum& datum) {
  if (datum.is_null) return "NULL";
  switch (type) {
    case Type::kBoolean:
      return datum.b ? "true" : "false";
    case Type::kDouble:
      return absl::StrCat(datum.d);
    case Type::kVarchar:
      return std::string(datum.text());
    default:
      return absl::StrCat(datum.i);
  }
}

}  // namespace

std::string RowText(const RowSchema& schema, absl::string_view row) {
  std::vector<Datum> values(schema.fields.size());
  Require(DecodeRow(schema, row, absl::MakeSpan(values)));
  std::vector<std::string> texts;
  for (size_t i = 0; i < values.size(); ++i) {
    texts.push_back(DatumText(schema.fields[i].type, values[i]));
  }
  return absl::StrJoin(texts, "|");
}

TestPipeline::TestPipeline(absl::string_view sql, absl::string_view name,
                           MaterializedStoreOptions options)
    : TestPipeline(Compile(sql), name, options) {}

TestPipeline::TestPipeline(PlanSet plans, absl::string_view name,
                           MaterializedStoreOptions options)
    : plans_(std::move(plans)),
      catalog_(MakeCatalog(plans_, name, nullptr)),
      options_(options) {
  Reopen();
}

void TestPipeline::Reopen() {
  pipeline_.reset();
  store_.reset();
  std::string incarnation = absl::StrCat(++opened_);
  incarnation.resize(kIncarnationBytes, '.');
  auto store = MaterializedStore::Open(&disk_, options_, StorePolicy(),
                                       incarnation, ProcessingTime(0));
  Require(store.status());
  store_ = *std::move(store);
  auto pipeline = Pipeline::Create(&plans_, &catalog_, store_.get());
  Require(pipeline.status());
  pipeline_ = *std::move(pipeline);
}

void TestPipeline::CrashAndReopen(CrashKind kind, size_t kept_unsynced) {
  pipeline_.reset();
  store_.reset();
  disk_.Crash(kind, kept_unsynced);
  Reopen();
}

const CatalogView& TestPipeline::view(absl::string_view name) const {
  for (const CatalogView& view : catalog_.views) {
    if (view.name == name) return view;
  }
  Require(absl::NotFoundError(name));
  std::abort();
}

std::vector<std::string> TestPipeline::Rows(absl::string_view name) const {
  const CatalogView& shown = view(name);
  std::vector<std::string> rows;
  const std::shared_ptr<const ReadView> head = store_->HeadView();
  const auto it = head->NewIterator(shown.id);
  for (it->Seek(""); it->Valid(); it->Next()) {
    rows.push_back(RowText(shown.schema, it->row()));
  }
  Require(it->status());
  return rows;
}

}  // namespace tidegate
