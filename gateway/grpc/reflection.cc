#include "gateway/grpc/reflection.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"

namespace tidegate {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

void SetNotFound(const std::string& what, ServerReflectionResponse* response) {
  auto* const error = response->mutable_error_response();
  error->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  error->set_error_message(what);
}

// The file, and before it all that it imports.
void AddFile(const FileDescriptor* file,
             absl::flat_hash_set<const FileDescriptor*>* added,
             grpc::reflection::v1::FileDescriptorResponse* response) {
  if (!added->insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddFile(file->dependency(i), added, response);
  }
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  file->CopySourceCodeInfoTo(&proto);  // clients show the comments
  response->add_file_descriptor_proto(proto.SerializeAsString());
}

void SetFile(const FileDescriptor* file, const std::string& asked_for,
             ServerReflectionResponse* response) {
  if (file == nullptr) return SetNotFound("no " + asked_for, response);
  absl::flat_hash_set<const FileDescriptor*> added;
  AddFile(file, &added, response->mutable_file_descriptor_response());
}

void SetExtensions(const DescriptorPool& pool, const std::string& type,
                   ServerReflectionResponse* response) {
  const Descriptor* const message = pool.FindMessageTypeByName(type);
  if (message == nullptr) {
    return SetNotFound(absl::StrCat("no message type \"", type, "\""),
                       response);
  }
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto* const out = response->mutable_all_extension_numbers_response();
  out->set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    out->add_extension_number(extension->number());
  }
}

const FileDescriptor* FileOfExtension(
    const DescriptorPool& pool,
    const grpc::reflection::v1::ExtensionRequest& request) {
  const Descriptor* const message =
      pool.FindMessageTypeByName(request.containing_type());
  if (message == nullptr) return nullptr;
  const FieldDescriptor* const extension =
      pool.FindExtensionByNumber(message, request.extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

}  // namespace

absl::StatusOr<std::string> Reflection::Answer(
    absl::string_view request) const {
  ServerReflectionRequest parsed;
  if (!parsed.ParseFromArray(request.data(),
                             static_cast<int>(request.size()))) {
    return absl::InvalidArgumentError("malformed ServerReflectionRequest");
  }
  ServerReflectionResponse response;
  response.set_valid_host(parsed.host());
  *response.mutable_original_request() = parsed;
  switch (parsed.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      SetFile(pool_->FindFileByName(parsed.file_by_filename()),
              absl::StrCat("file \"", parsed.file_by_filename(), "\""),
              &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(pool_->FindFileContainingSymbol(parsed.file_containing_symbol()),
              absl::StrCat("symbol \"", parsed.file_containing_symbol(), "\""),
              &response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      SetFile(
          FileOfExtension(*pool_, parsed.file_containing_extension()),
          absl::StrCat(
              "extension ",
              parsed.file_containing_extension().extension_number(), " of \"",
              parsed.file_containing_extension().containing_type(), "\""),
          &response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      SetExtensions(*pool_, parsed.all_extension_numbers_of_type(), &response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(
            service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: {
      auto* const error = response.mutable_error_response();
      error->set_error_code(
          static_cast<int>(absl::StatusCode::kInvalidArgument));
      error->set_error_message("the request asks for nothing");
    }
  }
  return response.SerializeAsString();
}

}  // namespace tidegate
