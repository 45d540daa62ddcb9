// Finds a message's descriptor in a .proto file or a FileDescriptorSet.
#ifndef TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_
#define TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Descriptor;
}  // namespace google::protobuf

namespace tidegate {

// Immutable, thread-safe; owns the descriptors.
class ProtobufSchema {
 public:
  // `file` (relative to `base_dir`, or absolute) is a .proto, whose imports are
  // looked for under base_dir, then beside the file, or a FileDescriptorSet
  // (.desc, .pb, .binpb). google/protobuf/*.proto need not be there. `message`
  // is a full name. InvalidArgument with file:line:column for what does not
  // compile, at most kMaxSchemaErrors of them.
  static absl::StatusOr<std::unique_ptr<ProtobufSchema>> Load(
      const std::string& file, const std::string& message,
      const std::string& base_dir);
  ~ProtobufSchema();

  const google::protobuf::Descriptor* message() const { return message_; }

 private:
  struct Pools;
  explicit ProtobufSchema(std::unique_ptr<Pools> pools);
  std::unique_ptr<Pools> pools_;
  const google::protobuf::Descriptor* message_ = nullptr;
};
inline constexpr int kMaxSchemaErrors = 10;

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_
