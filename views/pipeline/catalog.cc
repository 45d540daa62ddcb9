#include "views/pipeline/catalog.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/pipeline/definition_diff.h"

namespace tidegate {
namespace {

constexpr uint64_t kCatalogFormat = 3;
constexpr absl::string_view kDefaultPipeline = "default";
// Protobuf keeps these numbers for itself.
constexpr uint32_t kFirstReservedField = 19000;
constexpr uint32_t kLastReservedField = 19999;

using Field = RowSchema::Field;

void PutFields(std::string* out, const std::vector<Field>& fields) {
  PutVarint64(out, fields.size());
  for (const Field& field : fields) {
    PutLengthPrefixed(out, field.name);
    PutVarint64(out, static_cast<uint64_t>(field.type));
    PutVarint64(out, field.number);
  }
}

bool GetText(absl::string_view* in, std::string* text) {
  absl::string_view bytes;
  if (!GetLengthPrefixed(in, &bytes)) return false;
  text->assign(bytes.data(), bytes.size());
  return true;
}

bool GetFields(absl::string_view* in, std::vector<Field>* fields) {
  uint64_t count = 0;
  if (!GetVarint64(in, &count) || count > in->size()) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Field field;
    uint64_t type = 0;
    uint64_t number = 0;
    if (!GetText(in, &field.name) || !GetVarint64(in, &type) ||
        !GetVarint64(in, &number) ||
        type > static_cast<uint64_t>(Type::kTimestamptz)) {
      return false;
    }
    field.type = static_cast<Type>(type);
    field.number = static_cast<uint32_t>(number);
    fields->push_back(std::move(field));
  }
  return true;
}

void PutView(std::string* out, const CatalogView& view) {
  PutVarint64(out, view.id.value());
  PutLengthPrefixed(out, view.name);
  PutVarint64(out, (view.is_private ? 1 : 0) | (view.is_table ? 2 : 0));
  PutVarint64(out, view.version);
  PutLengthPrefixed(out, view.definition);
  PutLengthPrefixed(out, view.canonical);
  PutVarint64(out, view.fingerprint);
  PutFields(out, view.schema.fields);
  PutVarint64(out, view.schema.key_columns.size());
  for (const int column : view.schema.key_columns) PutVarint64(out, column);
  PutFields(out, view.retired);
  PutLengthPrefixed(out, view.event_time_column);
  PutVarint64(out, static_cast<uint64_t>(view.watermark_delay_us));
  PutVarint64(out, view.state_id.value());
  PutVarint64(out, static_cast<uint64_t>(int64_t{view.window_column} + 1));
  PutVarint64(out, static_cast<uint64_t>(view.window_add_us));
}

bool GetEventTime(absl::string_view* in, CatalogView* view) {
  uint64_t delay_us = 0;
  uint64_t state_id = 0;
  uint64_t window_column = 0;
  uint64_t window_add_us = 0;
  if (!GetText(in, &view->event_time_column) || !GetVarint64(in, &delay_us) ||
      !GetVarint64(in, &state_id) || !GetVarint64(in, &window_column) ||
      window_column > view->schema.fields.size() ||
      !GetVarint64(in, &window_add_us)) {
    return false;
  }
  view->watermark_delay_us = static_cast<int64_t>(delay_us);
  view->state_id = ViewId(static_cast<uint32_t>(state_id));
  view->window_column = static_cast<int>(window_column) - 1;
  view->window_add_us = static_cast<int64_t>(window_add_us);
  return true;
}

bool GetView(absl::string_view* in, CatalogView* view) {
  uint64_t id = 0;
  uint64_t flags = 0;
  uint64_t keys = 0;
  if (!GetVarint64(in, &id) || !GetText(in, &view->name) ||
      !GetVarint64(in, &flags) || !GetVarint64(in, &view->version) ||
      !GetText(in, &view->definition) || !GetText(in, &view->canonical) ||
      !GetVarint64(in, &view->fingerprint) ||
      !GetFields(in, &view->schema.fields) || !GetVarint64(in, &keys) ||
      keys > view->schema.fields.size()) {
    return false;
  }
  view->id = ViewId(static_cast<uint32_t>(id));
  view->is_private = (flags & 1) != 0;
  view->is_table = (flags & 2) != 0;
  for (uint64_t i = 0; i < keys; ++i) {
    uint64_t column = 0;
    if (!GetVarint64(in, &column) || column >= view->schema.fields.size()) {
      return false;
    }
    view->schema.key_columns.push_back(static_cast<int>(column));
  }
  return GetFields(in, &view->retired) && GetEventTime(in, view);
}

uint32_t NextFieldNumber(uint32_t number) {
  return number + 1 == kFirstReservedField ? kLastReservedField + 1
                                           : number + 1;
}

// Gives `view` its columns' field numbers: the old one where `previous` has the
// column under the same name and type, else one that was never given out.
void AssignNumbers(const ViewPlan& plan, const CatalogView* previous,
                   CatalogView* view) {
  uint32_t last = 0;
  std::map<std::string, Field> known;
  if (previous != nullptr) {
    for (const Field& field : previous->schema.fields) {
      last = std::max(last, field.number);
      known[field.name] = field;
    }
    for (const Field& field : previous->retired) {
      last = std::max(last, field.number);
    }
    view->retired = previous->retired;
  }
  for (const OutputColumn& column : plan.columns) {
    Field field{column.name, column.type, 0};
    const auto found = known.find(column.name);
    if (found != known.end() && found->second.type == column.type) {
      field.number = found->second.number;
      known.erase(found);
    } else {
      last = NextFieldNumber(last);
      field.number = last;
    }
    view->schema.fields.push_back(std::move(field));
  }
  std::vector<Field> gone;
  gone.reserve(known.size());
  for (auto& [name, field] : known) gone.push_back(std::move(field));
  std::sort(gone.begin(), gone.end(),
            [](const Field& a, const Field& b) { return a.number < b.number; });
  view->retired.insert(view->retired.end(), gone.begin(), gone.end());
  view->schema.key_columns = plan.key_columns;
}

void NoteEventTime(const SourcePlan& source, CatalogView* view) {
  if (!source.watermark.has_value()) return;
  view->event_time_column = source.columns[source.watermark->column].name;
  view->watermark_delay_us = source.watermark->bound_us;
}

// Ids for state beside the rows, above those of all rows.
void AssignStateIds(const PlanSet& plans, Catalog* catalog) {
  std::set<std::string> with_state;
  for (const ViewPlan& plan : plans.views) {
    if (!plan.lags.empty()) with_state.insert(plan.name);
    if (plan.pipeline == catalog->pipeline && plan.join.has_value() &&
        plan.join->event_time) {
      with_state.insert(plans.sources[plan.join->table].name);
    }
  }
  for (CatalogView& view : catalog->views) {
    if (with_state.count(view.name) > 0) {
      view.state_id = ViewId(catalog->next_view_id++);
    }
  }
}

const CatalogView* FindView(const Catalog& catalog, absl::string_view name) {
  for (const CatalogView& view : catalog.views) {
    if (view.name == name) return &view;
  }
  return nullptr;
}

// The views of `pipeline`, tables first, and whether each is private.
std::vector<std::pair<const ViewPlan*, bool>> ViewsOf(
    const PlanSet& plans, absl::string_view pipeline) {
  std::set<int> joined;
  for (const ViewPlan& view : plans.views) {
    if (view.pipeline == pipeline && view.join.has_value()) {
      joined.insert(view.join->table);
    }
  }
  std::vector<std::pair<const ViewPlan*, bool>> views;
  for (const ViewPlan& view : plans.views) {
    if (!view.is_table) continue;
    const bool served = view.pipeline == pipeline;
    if (served || joined.count(view.source) > 0) {
      views.emplace_back(&view, !served);
    }
  }
  for (const ViewPlan& view : plans.views) {
    if (!view.is_table && view.pipeline == pipeline) {
      views.emplace_back(&view, false);
    }
  }
  return views;
}

bool GoesOnFrom(const CatalogView& before, const CatalogView& wanted) {
  if (before.is_table != wanted.is_table) return false;
  if (before.fingerprint == wanted.fingerprint &&
      before.canonical == wanted.canonical) {
    return true;
  }
  return std::find(wanted.canonical_before.begin(),
                   wanted.canonical_before.end(),
                   before.canonical) != wanted.canonical_before.end();
}

const char* KindOf(const CatalogView& view) {
  return view.is_table ? "table" : "view";
}

std::string DescribeChange(const CatalogView& before,
                           const CatalogView& after) {
  std::string out =
      absl::StrCat("  ", KindOf(after), " \"", after.name, "\" has changed:\n");
  std::string diff = DiffDefinitions(before.canonical, after.canonical, "    ");
  if (diff.empty()) {
    diff = absl::StrCat("    - ", before.canonical, "\n    + ", after.canonical,
                        "\n");
  }
  return out + diff;
}

}  // namespace

void EncodeCatalog(const Catalog& catalog, std::string* out) {
  std::string body;
  PutVarint64(&body, kCatalogFormat);
  PutLengthPrefixed(&body, catalog.pipeline);
  PutVarint64(&body, catalog.build);
  PutVarint64(&body, catalog.next_view_id);
  PutVarint64(&body, catalog.views.size());
  for (const CatalogView& view : catalog.views) PutView(&body, view);
  PutFixed64LittleEndian(out, Fnv1a64(body));
  out->append(body);
}

absl::StatusOr<Catalog> DecodeCatalog(absl::string_view bytes) {
  const absl::Status malformed =
      absl::DataLossError("malformed catalog record");
  uint64_t checksum = 0;
  if (!GetFixed64LittleEndian(&bytes, &checksum) ||
      checksum != Fnv1a64(bytes)) {
    return malformed;
  }
  uint64_t format = 0;
  if (!GetVarint64(&bytes, &format)) return malformed;
  if (format != kCatalogFormat) {
    return absl::DataLossError(
        absl::StrCat("catalog record of another version: found=", format,
                     " known=", kCatalogFormat));
  }
  Catalog catalog;
  uint64_t next_view_id = 0;
  uint64_t count = 0;
  if (!GetText(&bytes, &catalog.pipeline) ||
      !GetVarint64(&bytes, &catalog.build) ||
      !GetVarint64(&bytes, &next_view_id) || !GetVarint64(&bytes, &count) ||
      count > bytes.size()) {
    return malformed;
  }
  catalog.next_view_id = static_cast<uint32_t>(next_view_id);
  catalog.views.resize(count);
  for (CatalogView& view : catalog.views) {
    if (!GetView(&bytes, &view)) return malformed;
  }
  if (!bytes.empty()) return malformed;
  return catalog;
}

Catalog MakeCatalog(const PlanSet& plans, absl::string_view pipeline,
                    const Catalog* previous) {
  Catalog catalog;
  catalog.pipeline = std::string(pipeline);
  if (previous != nullptr) {
    catalog.build = previous->build + 1;
    catalog.next_view_id = previous->next_view_id;
  }
  for (const auto& [plan, is_private] : ViewsOf(plans, pipeline)) {
    const CatalogView* before =
        previous == nullptr ? nullptr : FindView(*previous, plan->name);
    CatalogView view;
    view.id = ViewId(catalog.next_view_id++);
    view.name = plan->name;
    view.is_private = is_private;
    view.is_table = plan->is_table;
    // A view that is new in this build starts above every version that the
    // name can have had before.
    view.version = catalog.build;
    if (before != nullptr) {
      view.version = std::max(view.version, before->version + 1);
    }
    view.definition = plan->definition;
    view.canonical = plan->canonical;
    view.canonical_before = plan->canonical_before;
    view.fingerprint = Fnv1a64(plan->canonical);
    AssignNumbers(*plan, before, &view);
    NoteEventTime(plans.sources[plan->source], &view);
    view.window_column = plan->window_column;
    view.window_add_us = plan->window_add_us;
    catalog.views.push_back(std::move(view));
  }
  AssignStateIds(plans, &catalog);
  return catalog;
}

absl::Status CheckUnchanged(const Catalog& stored, const Catalog& wanted) {
  std::string difference;
  std::string example;
  for (const CatalogView& view : wanted.views) {
    const CatalogView* before = FindView(stored, view.name);
    if (before == nullptr) {
      absl::StrAppend(&difference, "  ", KindOf(view), " \"", view.name,
                      "\" is new\n");
    } else if (!GoesOnFrom(*before, view)) {
      difference += DescribeChange(*before, view);
    } else {
      continue;
    }
    // A private copy is no name that `--rebuild` would find in this pipeline.
    if (example.empty() && !view.is_private) example = view.name;
  }
  for (const CatalogView& view : stored.views) {
    if (FindView(wanted, view.name) != nullptr) continue;
    absl::StrAppend(&difference, "  ", KindOf(view), " \"", view.name,
                    "\" is gone\n");
  }
  if (difference.empty()) return absl::OkStatus();
  for (const CatalogView& view : wanted.views) {
    if (example.empty() && !view.is_private) example = view.name;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "pipeline \"", stored.pipeline,
      "\" holds the results of other definitions:\n", difference,
      "either `--rebuild ", example.empty() ? "VIEW" : example,
      "` rebuilds its pipeline from the earliest offset, or give a new view a "
      "pipeline of its own with `WITH (pipeline = '…')` and leave the others "
      "as they were"));
}

std::vector<std::string> PipelineNames(const PlanSet& plans) {
  std::set<std::string> names;
  for (const ViewPlan& view : plans.views) {
    names.insert(view.is_table ? std::string(kDefaultPipeline) : view.pipeline);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace tidegate
