#include "cmd/tidegate/watch_spec.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// The spec that a flag's value is for; cuts the view's name off the value.
absl::StatusOr<WatchSpec*> Addressee(absl::string_view flag, std::string* value,
                                     std::vector<WatchSpec>* specs) {
  if (specs->size() == 1) return &specs->front();
  const size_t colon = value->find(':');
  for (WatchSpec& spec : *specs) {
    if (value->substr(0, colon) != spec.view || colon == value->npos) continue;
    value->erase(0, colon + 1);
    return &spec;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, ": with several views, begin with the one it is for, as in ",
      specs->front().view, ":", *value));
}

absl::Status GivenTwice(absl::string_view flag, const WatchSpec& spec) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " is given twice for view \"", spec.view, "\""));
}

absl::Status TakeKeys(const Arguments& arguments,
                      std::vector<WatchSpec>* specs) {
  for (std::string& key : arguments.list("key")) {
    ASSIGN_OR_RETURN(WatchSpec* const spec, Addressee("key", &key, specs));
    spec->keys.push_back(std::move(key));
  }
  for (std::string& prefix : arguments.list("key-prefix")) {
    ASSIGN_OR_RETURN(WatchSpec* const spec,
                     Addressee("key-prefix", &prefix, specs));
    if (!spec->key_prefix.empty()) return GivenTwice("key-prefix", *spec);
    spec->key_prefix.push_back(std::move(prefix));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<WatchSpec>> ParseWatchSpecs(
    const Arguments& arguments) {
  std::vector<WatchSpec> specs;
  for (const std::string& view : arguments.words()) {
    for (const WatchSpec& spec : specs) {
      if (spec.view != view) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("view \"", view, "\" is named twice"));
    }
    specs.push_back({.view = view});
  }
  RETURN_IF_ERROR(TakeKeys(arguments, &specs));
  for (std::string& where : arguments.list("where")) {
    ASSIGN_OR_RETURN(WatchSpec* const spec, Addressee("where", &where, &specs));
    if (!spec->where.empty()) return GivenTwice("where", *spec);
    spec->where = std::move(where);
  }
  for (std::string& token : arguments.list("resume")) {
    ASSIGN_OR_RETURN(WatchSpec* const spec,
                     Addressee("resume", &token, &specs));
    if (!spec->resume_token.empty()) return GivenTwice("resume", *spec);
    if (!absl::Base64Unescape(token, &spec->resume_token)) {
      return absl::InvalidArgumentError("--resume: not a token of watch");
    }
  }
  return specs;
}

}  // namespace tidegate
