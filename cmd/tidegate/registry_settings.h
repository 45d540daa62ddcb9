// How schema registries are reached: the files of --schema-registry-config.
#ifndef TIDEGATE_CMD_TIDEGATE_REGISTRY_SETTINGS_H_
#define TIDEGATE_CMD_TIDEGATE_REGISTRY_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ingest/registry/http_client.h"

namespace tidegate {

struct RegistrySettings {
  std::string url;  // whose they are; empty: of every registry without its own
  HttpAccess access;
};

// Lines of NAME=VALUE, named as Confluent's clients do:
//   schema.registry.url, basic.auth.user.info, ssl.ca.location,
//   ssl.certificate.location, ssl.key.location, ssl.key.password
// InvalidArgument names the line, and repeats nothing of it but the name: there
// are secrets here.
absl::StatusOr<RegistrySettings> ParseRegistrySettings(
    absl::string_view content);

// Those of the registry at `url`, which has no slash at its end.
HttpAccess AccessTo(absl::string_view url,
                    const std::vector<RegistrySettings>& settings);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_REGISTRY_SETTINGS_H_
