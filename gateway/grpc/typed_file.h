// A view's own gRPC service as a .proto file has it: the methods and messages
// of tidegate.v1.ViewService with <View>Row and <View>Key where those have
// bytes. Derived from its descriptors, so that field numbers agree: the bytes
// on the wire are the same.
#ifndef TIDEGATE_GATEWAY_GRPC_TYPED_FILE_H_
#define TIDEGATE_GATEWAY_GRPC_TYPED_FILE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "views/pipeline/catalog.h"

namespace google::protobuf {
class FileDescriptorProto;
class FileDescriptorSet;
}  // namespace google::protobuf

namespace tidegate {

inline constexpr absl::string_view kTypedPackage = "tidegate.views";
// Of tidegate.v1.ViewService; those that name a view and carry its rows.
inline constexpr absl::string_view kTypedMethods[] = {"Get", "Scan",
                                                      "Subscribe", "Session"};

// "tidegate.views.DriverTotals".
std::string TypedServiceName(absl::string_view view);

// tidegate/views/VIEW.proto, with comments. It imports google/protobuf/… only.
// On the top level are the service, <View>Row, <View>Key, and for each method
// <View><Method>Request and -Response, which hold the types that they use: so
// files of several views go together (sql::kTypedSuffixes has the names).
void DescribeTyped(const CatalogView& view,
                   google::protobuf::FileDescriptorProto* file);
// The same, and before it what it imports.
void DescribeTyped(const CatalogView& view,
                   google::protobuf::FileDescriptorSet* set);

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_TYPED_FILE_H_
