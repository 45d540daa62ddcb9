#include "cmd/tidegate/registry_settings.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/suggest.h"

namespace tidegate {
namespace {

const std::vector<std::string>& Names() {
  static const auto* const kNames = new std::vector<std::string>{
      "schema.registry.url",      "basic.auth.user.info", "ssl.ca.location",
      "ssl.certificate.location", "ssl.key.location",     "ssl.key.password"};
  return *kNames;
}

// Null if there is no such name.
std::string* FieldOf(absl::string_view name, RegistrySettings* settings) {
  HttpAccess& access = settings->access;
  std::string* const fields[] = {&settings->url,   &access.user_info,
                                 &access.ca_file,  &access.cert_file,
                                 &access.key_file, &access.key_password};
  for (size_t i = 0; i < Names().size(); ++i) {
    if (name == Names()[i]) return fields[i];
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<RegistrySettings> ParseRegistrySettings(
    absl::string_view content) {
  RegistrySettings settings;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const auto wrong = [number](absl::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": ", what));
    };
    if (!absl::StrContains(line, '=')) return wrong("not NAME=VALUE");
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
    std::string* const field = FieldOf(name, &settings);
    if (field == nullptr) {
      return wrong(absl::StrCat("unknown name \"", name, "\"",
                                DidYouMean(name, Names())));
    }
    if (!field->empty()) {
      return wrong(absl::StrCat("\"", name, "\" is given twice"));
    }
    *field = std::string(absl::StripAsciiWhitespace(parts.second));
  }
  settings.url = std::string(absl::StripSuffix(settings.url, "/"));
  return settings;
}

HttpAccess AccessTo(absl::string_view url,
                    const std::vector<RegistrySettings>& settings) {
  HttpAccess access;
  for (const RegistrySettings& one : settings) {
    if (one.url == url) return one.access;
    if (one.url.empty()) access = one.access;
  }
  return access;
}

}  // namespace tidegate
