// Finds a message's descriptor in a .proto file, a FileDescriptorSet, or what a
// schema registry has.
#ifndef TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_
#define TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/decode/writer_schema.h"

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
  // A schema as a registry has it: .proto texts, or FileDescriptorProtos in
  // base64, as Confluent's clients for Python register them.
  // `message_indexes` is the path to the message: which of the file's, which of
  // those nested in it, and so on. What is imported and not among the
  // references may be missing (google/protobuf/*.proto is known); columns
  // cannot be of its types. InvalidArgument as Load, or if there is no such
  // message.
  static absl::StatusOr<std::unique_ptr<ProtobufSchema>> Parse(
      const WriterSchema& schema, const std::vector<int>& message_indexes);
  ~ProtobufSchema();

  const google::protobuf::Descriptor* message() const { return message_; }
  const std::string& message_name() const;  // full

 private:
  struct Pools;
  explicit ProtobufSchema(std::unique_ptr<Pools> pools);
  std::unique_ptr<Pools> pools_;
  const google::protobuf::Descriptor* message_ = nullptr;
};
inline constexpr int kMaxSchemaErrors = 10;
// Braces within braces of a registry's .proto text.
inline constexpr int kMaxSchemaNesting = 100;

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_PROTOBUF_SCHEMA_H_
