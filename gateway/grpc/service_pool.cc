#include "gateway/grpc/service_pool.h"

#include "absl/strings/str_cat.h"
#include "gateway/grpc/typed_file.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "tidegate/v1/view_service.pb.h"

namespace tidegate {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;

// What is wrong with a file, in one line.
class Complaints : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& /*file*/, const std::string& element,
                const google::protobuf::Message* /*descriptor*/,
                ErrorLocation /*location*/,
                const std::string& message) override {
    absl::StrAppend(&text_, text_.empty() ? "" : "; ", element, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// A linked file, after all that it imports.
void AddLinked(const FileDescriptor* file, DescriptorPool* pool) {
  if (pool->FindFileByName(file->name()) != nullptr) return;
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddLinked(file->dependency(i), pool);
  }
  FileDescriptorProto proto;
  file->CopyTo(&proto);
  pool->BuildFile(proto);
}

}  // namespace

ServicePool::ServicePool() : pool_(std::make_unique<DescriptorPool>()) {}

ServicePool::~ServicePool() = default;

absl::StatusOr<std::unique_ptr<ServicePool>> ServicePool::Create(
    const ViewHub& hub) {
  std::unique_ptr<ServicePool> made(new ServicePool);
  for (const FileDescriptor* file :
       {v1::GetRequest::descriptor()->file(),
        grpc::health::v1::HealthCheckRequest::descriptor()->file(),
        grpc::reflection::v1::ServerReflectionRequest::descriptor()->file()}) {
    AddLinked(file, made->pool_.get());
    for (int i = 0; i < file->service_count(); ++i) {
      made->services_.push_back(file->service(i)->full_name());
    }
  }
  for (const ViewHub::View& view : hub.views()) {
    FileDescriptorProto file;
    DescribeTyped(*view.view, &file);
    Complaints complaints;
    if (made->pool_->BuildFileCollectingErrors(file, &complaints) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "view \"", view.view->name,
          "\" cannot have a gRPC service of its own beside the others; rename "
          "it: ",
          complaints.text()));
    }
    made->services_.push_back(TypedServiceName(view.view->name));
  }
  return made;
}

}  // namespace tidegate
