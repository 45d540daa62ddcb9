#include "ingest/decode/protobuf_schema.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/utf8.h"

namespace tidegate {
namespace {

namespace pb = google::protobuf;
namespace fs = std::filesystem;

// Gathers "file:line:column: message" from the .proto compiler and, without a
// place, from a pool that builds a descriptor set.
class ErrorList : public pb::compiler::MultiFileErrorCollector,
                  public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, int line, int column,
                const std::string& message) override {
    // Lines and columns count from 0; -1 is the file as a whole.
    Add(line < 0 ? absl::StrCat(file, ": ", message)
                 : absl::StrCat(file, ":", line + 1, ":", column + 1, ": ",
                                message));
  }
  void AddError(const std::string& file, const std::string& element,
                const pb::Message*, ErrorLocation,
                const std::string& message) override {
    Add(absl::StrCat(file, ": ", element, ": ", message));
  }
  absl::Status ToStatus(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(
        what, text_.empty() ? "" : ": ", text_,
        count_ > kMaxSchemaErrors
            ? absl::StrCat("; and ", count_ - kMaxSchemaErrors, " more")
            : ""));
  }
  bool empty() const { return count_ == 0; }

 private:
  void Add(absl::string_view error) {
    if (++count_ > kMaxSchemaErrors) return;
    // It may quote a descriptor, which is not parsed from text.
    absl::StrAppend(
        &text_, text_.empty() ? "" : "; ",
        IsValidUtf8(error) ? std::string(error) : absl::CHexEscape(error));
  }
  int count_ = 0;
  std::string text_;
};

void AddMessageNames(const pb::Descriptor* message,
                     std::vector<std::string>* names) {
  names->push_back(message->full_name());
  for (int i = 0; i < message->nested_type_count(); ++i) {
    AddMessageNames(message->nested_type(i), names);
  }
}

void AddFileNames(const pb::FileDescriptor* file,
                  std::set<const pb::FileDescriptor*>* seen,
                  std::vector<std::string>* names) {
  if (!seen->insert(file).second) return;
  for (int i = 0; i < file->message_type_count(); ++i) {
    AddMessageNames(file->message_type(i), names);
  }
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddFileNames(file->dependency(i), seen, names);
  }
}

absl::Status NoSuchMessage(const std::string& message, const std::string& file,
                           const std::vector<std::string>& names) {
  std::string hint = DidYouMean(message, names);
  // A package that was left out is too far for an edit distance.
  for (const std::string& name : names) {
    if (!hint.empty()) break;
    if (absl::EndsWith(name, absl::StrCat(".", message))) {
      hint = absl::StrCat(", did you mean \"", name, "\"?");
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no message \"", message, "\" in \"", file, "\"", hint));
}

// The errors of one text, under its name.
class TextErrors : public pb::io::ErrorCollector {
 public:
  TextErrors(std::string file, ErrorList* errors)
      : file_(std::move(file)), errors_(errors) {}
  void AddError(int line, pb::io::ColumnNumber column,
                const std::string& message) override {
    errors_->AddError(file_, line, column, message);
  }

 private:
  const std::string file_;
  ErrorList* const errors_;
};

// Strings and comments that have braces count too: the parser's stack must not
// depend on what is in them.
bool IsNestedTooDeep(absl::string_view text) {
  int depth = 0;
  for (const char c : text) {
    if (c == '{' && ++depth > kMaxSchemaNesting) return true;
    if (c == '}') --depth;
  }
  return false;
}

bool ParseSerialized(const std::string& text, pb::FileDescriptorProto* file) {
  std::string bytes;
  return absl::Base64Unescape(text, &bytes) && file->ParseFromString(bytes) &&
         !file->name().empty();
}

bool ParseText(const std::string& text, const std::string& name,
               ErrorList* errors, pb::FileDescriptorProto* file) {
  file->Clear();
  if (IsNestedTooDeep(text)) {
    errors->AddError(
        name, -1, 0,
        absl::StrCat("braces are nested deeper than ", kMaxSchemaNesting));
    return false;
  }
  TextErrors of_text(name, errors);
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokenizer(&stream, &of_text);
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&of_text);
  return parser.Parse(&tokenizer, file) && errors->empty();
}

bool IsDescriptorSet(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".desc" || extension == ".pb" || extension == ".binpb";
}

}  // namespace

// In order of construction: a pool reads its database.
struct ProtobufSchema::Pools {
  absl::Status LoadProto(const fs::path& base, const fs::path& path);
  absl::Status LoadSet(const fs::path& path);
  // Into a pool without a database.
  absl::StatusOr<const pb::FileDescriptor*> AddText(const std::string& name,
                                                    const std::string& text);
  void AddWellKnown(const std::string& name);

  ErrorList errors;
  pb::DescriptorPoolDatabase well_known{*pb::DescriptorPool::generated_pool()};
  pb::compiler::DiskSourceTree tree;
  std::unique_ptr<pb::compiler::SourceTreeDescriptorDatabase> sources;
  pb::SimpleDescriptorDatabase set;
  std::unique_ptr<pb::MergedDescriptorDatabase> merged;
  std::unique_ptr<pb::DescriptorPool> pool;
  std::vector<std::string> names;
};

absl::Status ProtobufSchema::Pools::LoadProto(const fs::path& base,
                                              const fs::path& path) {
  fs::path name = path.lexically_relative(base);
  if (name.empty() || *name.begin() == "..") name = path.filename();
  tree.MapPath("", base.string());
  tree.MapPath("", path.parent_path().string());
  sources = std::make_unique<pb::compiler::SourceTreeDescriptorDatabase>(
      &tree, &well_known);
  sources->RecordErrorsTo(&errors);
  pool = std::make_unique<pb::DescriptorPool>(
      sources.get(), sources->GetValidationErrorCollector());
  const pb::FileDescriptor* const file =
      pool->FindFileByName(name.generic_string());
  if (file == nullptr || !errors.empty()) {
    return errors.ToStatus("the .proto file does not compile");
  }
  std::set<const pb::FileDescriptor*> seen;
  AddFileNames(file, &seen, &names);
  return absl::OkStatus();
}

absl::Status ProtobufSchema::Pools::LoadSet(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  pb::FileDescriptorSet files;
  if (!files.ParseFromIstream(&in) || files.file_size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a FileDescriptorSet: \"", path.string(), "\""));
  }
  for (const pb::FileDescriptorProto& file : files.file()) set.Add(file);
  merged = std::make_unique<pb::MergedDescriptorDatabase>(&set, &well_known);
  pool = std::make_unique<pb::DescriptorPool>(merged.get(), &errors);
  std::set<const pb::FileDescriptor*> seen;
  for (const pb::FileDescriptorProto& file : files.file()) {
    const pb::FileDescriptor* const built = pool->FindFileByName(file.name());
    if (built == nullptr) {
      return errors.ToStatus(absl::StrCat("the descriptor set does not hold ",
                                          "together at \"", file.name(), "\""));
    }
    AddFileNames(built, &seen, &names);
  }
  return absl::OkStatus();
}

void ProtobufSchema::Pools::AddWellKnown(const std::string& name) {
  if (!absl::StartsWith(name, "google/protobuf/") ||
      pool->FindFileByName(name) != nullptr) {
    return;
  }
  pb::FileDescriptorProto file;
  if (!well_known.FindFileByName(name, &file)) return;
  for (const std::string& imported : file.dependency()) AddWellKnown(imported);
  pool->BuildFile(file);
}

absl::StatusOr<const pb::FileDescriptor*> ProtobufSchema::Pools::AddText(
    const std::string& name, const std::string& text) {
  pb::FileDescriptorProto file;
  if (!ParseSerialized(text, &file) && !ParseText(text, name, &errors, &file)) {
    return errors.ToStatus("it does not compile");
  }
  // By this name others import it.
  file.set_name(name);
  for (const std::string& imported : file.dependency()) AddWellKnown(imported);
  const pb::FileDescriptor* const built =
      pool->BuildFileCollectingErrors(file, &errors);
  if (built == nullptr) return errors.ToStatus("it does not compile");
  return built;
}

ProtobufSchema::ProtobufSchema(std::unique_ptr<Pools> pools)
    : pools_(std::move(pools)) {}
ProtobufSchema::~ProtobufSchema() = default;

const std::string& ProtobufSchema::message_name() const {
  return message_->full_name();
}

absl::StatusOr<std::unique_ptr<ProtobufSchema>> ProtobufSchema::Load(
    const std::string& file, const std::string& message,
    const std::string& base_dir) {
  const fs::path base =
      fs::path(base_dir.empty() ? "." : base_dir).lexically_normal();
  const fs::path path = (base / file).lexically_normal();
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || !std::ifstream(path).good()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read \"", path.string(), "\""));
  }
  auto pools = std::make_unique<Pools>();
  if (IsDescriptorSet(path)) {
    RETURN_IF_ERROR(pools->LoadSet(path));
  } else if (path.extension() == ".proto") {
    RETURN_IF_ERROR(pools->LoadProto(base, path));
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "neither a .proto nor a descriptor set (.desc, .pb, .binpb): \"", file,
        "\""));
  }
  auto schema =
      std::unique_ptr<ProtobufSchema>(new ProtobufSchema(std::move(pools)));
  const Pools& loaded = *schema->pools_;
  schema->message_ = loaded.pool->FindMessageTypeByName(message);
  if (schema->message_ == nullptr) {
    return NoSuchMessage(message, file, loaded.names);
  }
  return schema;
}

absl::StatusOr<std::unique_ptr<ProtobufSchema>> ProtobufSchema::Parse(
    const WriterSchema& schema, const std::vector<int>& message_indexes) {
  auto pools = std::make_unique<Pools>();
  pools->pool = std::make_unique<pb::DescriptorPool>();
  // google/type/*.proto and Confluent's own are imported without being
  // references.
  pools->pool->AllowUnknownDependencies();
  for (const WriterSchema::Reference& reference : schema.references) {
    RETURN_IF_ERROR(pools->AddText(reference.name, reference.text).status());
  }
  ASSIGN_OR_RETURN(
      const pb::FileDescriptor* const file,
      pools->AddText(absl::StrCat("schema ", schema.id), schema.text));
  const pb::Descriptor* message = nullptr;
  for (const int index : message_indexes) {
    const int count = message == nullptr ? file->message_type_count()
                                         : message->nested_type_count();
    if (index < 0 || index >= count) {
      return absl::InvalidArgumentError(
          absl::StrCat("it has no message of the indexes [",
                       absl::StrJoin(message_indexes, ", "), "]"));
    }
    message = message == nullptr ? file->message_type(index)
                                 : message->nested_type(index);
  }
  if (message == nullptr) {
    return absl::InvalidArgumentError("the record names no message of it");
  }
  auto parsed =
      std::unique_ptr<ProtobufSchema>(new ProtobufSchema(std::move(pools)));
  parsed->message_ = message;
  return parsed;
}

}  // namespace tidegate
