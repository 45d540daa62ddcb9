#include "cmd/tidegate/proto_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

using client::ViewDescription;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::SourceCodeInfo;

constexpr char kAboutNumbers[] =
    R"(A column keeps its field number while it keeps its name and its type, also when
others are added, dropped or moved and the view is rebuilt; numbers of columns
that are gone are reserved. So old code reads new rows, and new code old ones.

Generate from this file or from one of several views, not from both within one
program: each has the types of its views.)";

std::string AsComment(absl::string_view text) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, line.empty() ? "//" : "// ", line, "\n");
  }
  return out;
}

std::string Header(const std::vector<ViewDescription>& views) {
  std::string text =
      views.size() == 1
          ? "The gRPC service of a view of Tidegate; `tidegate proto` wrote it."
          : "The gRPC services of views of Tidegate; `tidegate proto` wrote "
            "it.";
  absl::StrAppend(&text, "\n");
  for (const ViewDescription& view : views) {
    absl::StrAppend(&text, "\nView ", view.name, ", version ", view.version,
                    ":\n\n");
    for (const absl::string_view line : absl::StrSplit(view.definition, '\n')) {
      absl::StrAppend(&text, line.empty() ? "" : "  ", line, "\n");
    }
  }
  return absl::StrCat(text, "\n", kAboutNumbers);
}

// Moves the definitions of `from` behind those of `to`, with their comments.
void Append(const FileDescriptorProto& from, std::set<std::string>* imports,
            FileDescriptorProto* to) {
  const int messages = to->message_type_size();
  const int services = to->service_size();
  for (const auto& message : from.message_type()) {
    *to->add_message_type() = message;
  }
  for (const auto& service : from.service()) *to->add_service() = service;
  for (const auto& at : from.source_code_info().location()) {
    if (at.path_size() < 2) continue;
    SourceCodeInfo::Location* const moved =
        to->mutable_source_code_info()->add_location();
    *moved = at;
    const bool of_message =
        at.path(0) == FileDescriptorProto::kMessageTypeFieldNumber;
    moved->set_path(1, at.path(1) + (of_message ? messages : services));
  }
  imports->insert(from.dependency().begin(), from.dependency().end());
}

// What the printer puts as "//  text" otherwise.
void StripLines(SourceCodeInfo* comments) {
  for (auto& at : *comments->mutable_location()) {
    std::string* const text = at.mutable_leading_comments();
    *text = absl::StrReplaceAll(*text, {{"\n ", "\n"}});
  }
}

// Without the package and the leading dots that the printer writes out.
std::string Shortened(const std::string& text, const std::string& package) {
  const std::string own = absl::StrCat(".", package, ".");
  return absl::StrReplaceAll(text,
                             {
                                 {absl::StrCat(" ", own), " "},
                                 {absl::StrCat("(", own), "("},
                                 {" .google.protobuf.", " google.protobuf."},
                             });
}

class Merge {
 public:
  absl::Status Add(const ViewDescription& view) {
    FileDescriptorSet set;
    if (!set.ParseFromString(view.descriptors) || set.file().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("view \"", view.name, "\" has no descriptors"));
    }
    for (const FileDescriptorProto& file : set.file()) {
      if (absl::StartsWith(file.name(), "google/protobuf/")) {
        if (pool_.FindFileByName(file.name()) == nullptr) pool_.BuildFile(file);
        continue;
      }
      if (merged_.package().empty()) {
        merged_.set_name(file.name());
        merged_.set_package(file.package());
        merged_.set_syntax(file.syntax());
        *merged_.mutable_options() = file.options();
      }
      Append(file, &imports_, &merged_);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Print() {
    for (const std::string& import : imports_) merged_.add_dependency(import);
    StripLines(merged_.mutable_source_code_info());
    const FileDescriptor* const file = pool_.BuildFile(merged_);
    if (file == nullptr) {
      return absl::InvalidArgumentError(
          "the descriptors of the views do not fit together");
    }
    google::protobuf::DebugStringOptions options;
    options.include_comments = true;
    return Shortened(file->DebugStringWithOptions(options), file->package());
  }

 private:
  DescriptorPool pool_;
  FileDescriptorProto merged_;
  std::set<std::string> imports_;
};

}  // namespace

absl::StatusOr<std::string> ProtoText(
    const std::vector<ViewDescription>& views) {
  Merge merge;
  for (const ViewDescription& view : views) RETURN_IF_ERROR(merge.Add(view));
  ASSIGN_OR_RETURN(const std::string text, merge.Print());
  return absl::StrCat(AsComment(Header(views)), text);
}

}  // namespace tidegate
