// What the conformance driver does with --reads (clients/conformance).
#ifndef TIDEGATE_CMD_TIDEGATE_CONFORMANCE_READS_H_
#define TIDEGATE_CMD_TIDEGATE_CONFORMANCE_READS_H_

#include <istream>
#include <string>

#include "absl/status/status.h"
#include "clients/cpp/tidegate_client.h"

namespace tidegate {

// Reads as each line of `commands` says, until they end, and prints to stdout
// what came of it. An error is of the commands, or of the view as such.
absl::Status ObeyReads(client::Client* client, const std::string& view,
                       std::istream* commands);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_CONFORMANCE_READS_H_
