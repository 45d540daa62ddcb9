// Protobuf descriptors of a view's rows and keys, built from its columns.
#ifndef TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_
#define TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "views/fold/row_codec.h"

namespace google::protobuf {
class FileDescriptorSet;
}  // namespace google::protobuf

namespace tidegate {

// "driver_totals" -> "DriverTotals".
std::string CamelCase(absl::string_view name);

// Adds google/protobuf/timestamp.proto and a file of package tidegate.views
// with <View>Row and <View>Key; every field is `optional`.
void DescribeRows(absl::string_view view, const RowSchema& schema,
                  google::protobuf::FileDescriptorSet* set);

// What a key looks like: "ThingsKey{k VARCHAR = 1}", for error messages.
std::string KeyShape(absl::string_view view, const RowSchema& schema);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_
