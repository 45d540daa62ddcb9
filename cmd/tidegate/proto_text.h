// `tidegate proto`: the gRPC services of views as the text of a .proto file.
#ifndef TIDEGATE_CMD_TIDEGATE_PROTO_TEXT_H_
#define TIDEGATE_CMD_TIDEGATE_PROTO_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/view_client.h"

namespace tidegate {

// One self-contained file, made from what Describe returns; `views` is not
// empty. InvalidArgument if the descriptors are no such files.
absl::StatusOr<std::string> ProtoText(
    const std::vector<client::ViewDescription>& views);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_PROTO_TEXT_H_
