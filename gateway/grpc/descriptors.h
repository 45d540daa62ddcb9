// Protobuf messages of a view's rows and keys, built from its columns.
#ifndef TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_
#define TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "views/fold/row_codec.h"
#include "views/pipeline/catalog.h"

namespace google::protobuf {
class FileDescriptorProto;
}  // namespace google::protobuf

namespace tidegate {

// Appends <View>Row and <View>Key; every field is `optional`. In both, the
// numbers of columns that are gone are reserved, and their names unless a
// column has them again.
void AddRowAndKey(const CatalogView& view,
                  google::protobuf::FileDescriptorProto* file);

// What a key looks like: "ThingsKey{k VARCHAR = 1}", for error messages.
std::string KeyShape(absl::string_view view, const RowSchema& schema);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_DESCRIPTORS_H_
