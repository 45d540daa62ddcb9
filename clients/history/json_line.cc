#include "clients/history/json_line.h"

#include <simdjson.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;

bool ReadTexts(element from, std::vector<std::string>* texts) {
  array entries;
  if (from.get(entries)) return false;
  for (element entry : entries) {
    std::string_view text;
    if (entry.get(text)) return false;
    texts->emplace_back(text);
  }
  return true;
}

absl::Status Missing(absl::string_view type, const char* name) {
  return absl::InvalidArgumentError(
      absl::StrCat("no ", type, " \"", name, "\""));
}

}  // namespace

struct JsonLine::Impl {
  simdjson::dom::parser parser;  // owns what `object` refers to
  simdjson::dom::object object;
};

JsonLine::JsonLine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonLine::JsonLine(JsonLine&&) noexcept = default;
JsonLine& JsonLine::operator=(JsonLine&&) noexcept = default;
JsonLine::~JsonLine() = default;

absl::StatusOr<JsonLine> JsonLine::Parse(absl::string_view line) {
  auto impl = std::make_unique<Impl>();
  if (impl->parser.parse(line.data(), line.size()).get(impl->object)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a JSON object: ", line));
  }
  return JsonLine(std::move(impl));
}

absl::StatusOr<int64_t> JsonLine::Int(const char* name) const {
  int64_t value = 0;
  if (impl_->object[name].get(value)) return Missing("whole number", name);
  return value;
}

absl::StatusOr<bool> JsonLine::Bool(const char* name) const {
  bool value = false;
  if (impl_->object[name].get(value)) return Missing("boolean", name);
  return value;
}

absl::StatusOr<std::string> JsonLine::Text(const char* name) const {
  std::string_view value;
  if (impl_->object[name].get(value)) return Missing("text", name);
  return std::string(value);
}

absl::StatusOr<std::vector<std::string>> JsonLine::Texts(
    const char* name) const {
  element value;
  std::vector<std::string> texts;
  if (impl_->object[name].get(value) || !ReadTexts(value, &texts)) {
    return Missing("array of texts", name);
  }
  return texts;
}

absl::StatusOr<std::vector<std::vector<std::string>>> JsonLine::TextRows(
    const char* name) const {
  array entries;
  std::vector<std::vector<std::string>> rows;
  if (impl_->object[name].get(entries)) return Missing("array", name);
  for (element entry : entries) {
    if (!ReadTexts(entry, &rows.emplace_back())) return Missing("array", name);
  }
  return rows;
}

absl::StatusOr<std::string> JsonLine::Json(const char* name) const {
  element value;
  if (impl_->object[name].get(value)) return Missing("value", name);
  return simdjson::minify(value);
}

absl::StatusOr<std::vector<std::string>> JsonLine::Jsons(
    const char* name) const {
  array entries;
  if (impl_->object[name].get(entries)) return Missing("array", name);
  std::vector<std::string> values;
  for (element entry : entries) values.push_back(simdjson::minify(entry));
  return values;
}

bool JsonLine::Has(const char* name) const {
  element value;
  return !impl_->object[name].get(value);
}

bool JsonLine::IsNull(const char* name) const {
  element value;
  return !impl_->object[name].get(value) && value.is_null();
}

}  // namespace tidegate
