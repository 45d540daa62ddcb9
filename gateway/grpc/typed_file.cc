#include "gateway/grpc/typed_file.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "gateway/grpc/descriptors.h"
#include "google/protobuf/compiler/parser.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/timestamp.pb.h"
#include "proto/tidegate/v1/view_service_proto_text.h"
#include "tidegate/v1/view_service.pb.h"
#include "views/sql/literals.h"

namespace tidegate {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::MethodDescriptorProto;
using google::protobuf::ServiceDescriptorProto;

constexpr absl::string_view kContractPackage = ".tidegate.v1.";
constexpr absl::string_view kViewField = "view";
// Which of the methods' messages holds a type that several of them use.
constexpr absl::string_view kFirstHolder = "SubscribeResponse";

// Which bytes of the contract are rows and keys; the others are opaque.
constexpr std::pair<absl::string_view, absl::string_view> kRowsAndKeys[] = {
    {"Change.upsert", "Row"},
    {"Change.deleted", "Key"},
    {"Change.left", "Key"},
    {"GetRequest.keys", "Key"},
    {"GetResponse.Entry.row", "Row"},
    {"ScanRequest.key_prefix", "Key"},
    {"ScanResponse.rows", "Row"},
    {"SessionRequest.Keys.add", "Key"},
    {"SessionRequest.Keys.remove", "Key"},
    {"SubscribeRequest.key_prefix", "Key"},
    {"SubscribeRequest.keys", "Key"},
};

// Of a definition within a file: field numbers of descriptor.proto and indexes.
using Path = std::vector<int>;
constexpr int kMessages = FileDescriptorProto::kMessageTypeFieldNumber;
constexpr int kEnums = FileDescriptorProto::kEnumTypeFieldNumber;
constexpr int kServices = FileDescriptorProto::kServiceFieldNumber;
constexpr int kMethods = ServiceDescriptorProto::kMethodFieldNumber;
constexpr int kFields = DescriptorProto::kFieldFieldNumber;
constexpr int kNested = DescriptorProto::kNestedTypeFieldNumber;
constexpr int kNestedEnums = DescriptorProto::kEnumTypeFieldNumber;
constexpr int kValues = EnumDescriptorProto::kValueFieldNumber;

Path Within(Path path, int field, int index) {
  path.push_back(field);
  path.push_back(index);
  return path;
}

// view_service.proto.
struct Contract {
  FileDescriptorProto file;
  std::map<Path, std::string> comments;
};

const Contract& TheContract() {
  static const auto* const contract = [] {
    auto* const made = new Contract;
    v1::GetRequest::descriptor()->file()->CopyTo(&made->file);
    // The comments are in the text alone, which protoc has found to be right.
    google::protobuf::io::ArrayInputStream text(
        kViewServiceProto, static_cast<int>(sizeof(kViewServiceProto) - 1));
    google::protobuf::io::Tokenizer tokens(&text, nullptr);
    FileDescriptorProto parsed;
    google::protobuf::compiler::Parser().Parse(&tokens, &parsed);
    for (const auto& at : parsed.source_code_info().location()) {
      std::string& comment =
          made->comments[Path(at.path().begin(), at.path().end())];
      absl::StrAppend(&comment, at.leading_comments(), at.trailing_comments());
    }
    return made;
  }();
  return *contract;
}

// "Reset" of ".tidegate.v1.Reset.Cause"; empty for other packages' types.
absl::string_view OutermostOf(absl::string_view type) {
  if (!absl::ConsumePrefix(&type, kContractPackage)) return "";
  return type.substr(0, type.find('.'));
}

// Calls `visit` with the contract's outermost types that the fields have.
template <typename Visit>
void ForEachType(const DescriptorProto& message, const Visit& visit) {
  for (const FieldDescriptorProto& field : message.field()) {
    const absl::string_view type = OutermostOf(field.type_name());
    if (!type.empty()) visit(type);
  }
  for (const DescriptorProto& nested : message.nested_type()) {
    ForEachType(nested, visit);
  }
}

template <typename Types>
int IndexOf(const Types& types, absl::string_view name) {
  const auto at =
      std::find_if(types.begin(), types.end(),
                   [name](const auto& type) { return type.name() == name; });
  return at == types.end() ? -1 : static_cast<int>(at - types.begin());
}

// Builds the file of one view.
class TypedFile {
 public:
  TypedFile(const CatalogView& view, FileDescriptorProto* file)
      : contract_(TheContract()),
        view_(view),
        camel_(sql::ToCamelCase(view.name)),
        file_(file) {}

  void Build();

 private:
  // A message of a method, and the types it holds for all that use them.
  struct Holder {
    absl::string_view name;
    std::vector<absl::string_view> held;
  };

  const ServiceDescriptorProto& service() const {
    return contract_.file.service(0);
  }
  void FindHolders();
  void Hold(absl::string_view type, absl::string_view within, Holder* holder);
  std::string TypeName(absl::string_view contract_type) const;
  void AddColumns();
  void AddHolder(const Holder& holder);
  void Fill(const DescriptorProto& from, const std::string& name,
            const Path& from_path, const Path& path, DescriptorProto* to);
  void Retype(const std::string& message, FieldDescriptorProto* field) const;
  void AddEnum(const EnumDescriptorProto& from, const Path& from_path,
               const Path& path);
  void AddService();
  // A definition's place in the order of the file, and its comment.
  void Note(const Path& path, absl::string_view comment);
  void NoteAs(const Path& from_path, const Path& path);

  const Contract& contract_;
  const CatalogView& view_;
  const std::string camel_;
  FileDescriptorProto* const file_;
  std::vector<Holder> holders_;  // in the order of the methods
  // Of the contract's outermost types, in the view's file.
  std::map<absl::string_view, std::string> full_names_;
};

void TypedFile::FindHolders() {
  for (const absl::string_view name : kTypedMethods) {
    const MethodDescriptorProto& method =
        service().method(IndexOf(service().method(), name));
    for (const std::string* type :
         {&method.input_type(), &method.output_type()}) {
      holders_.push_back(Holder{OutermostOf(*type), {}});
    }
  }
  for (const Holder& holder : holders_) {
    full_names_[holder.name] =
        absl::StrCat(".", kTypedPackage, ".", camel_, holder.name);
  }
  std::vector<Holder*> order;
  for (Holder& holder : holders_) order.push_back(&holder);
  std::stable_partition(order.begin(), order.end(), [](const Holder* it) {
    return it->name == kFirstHolder;
  });
  for (Holder* holder : order) Hold(holder->name, holder->name, holder);
}

// `type` and what its fields need, unless it is held already.
void TypedFile::Hold(absl::string_view type, absl::string_view within,
                     Holder* holder) {
  if (type != within) {
    const bool is_new =
        full_names_
            .try_emplace(type, absl::StrCat(full_names_[within], ".", type))
            .second;
    if (!is_new) return;
    holder->held.push_back(type);
  }
  const auto& messages = contract_.file.message_type();
  const int index = IndexOf(messages, type);
  if (index < 0) return;  // an enum
  ForEachType(messages[index], [&](absl::string_view used) {
    if (used != type) Hold(used, within, holder);
  });
}

std::string TypedFile::TypeName(absl::string_view contract_type) const {
  const absl::string_view outermost = OutermostOf(contract_type);
  if (outermost.empty()) return std::string(contract_type);
  contract_type.remove_prefix(kContractPackage.size() + outermost.size());
  return absl::StrCat(full_names_.at(outermost), contract_type);
}

void TypedFile::Note(const Path& path, absl::string_view comment) {
  auto* const locations = file_->mutable_source_code_info();
  // There are no lines: what counts is that later definitions come later.
  const int line = locations->location_size();
  auto* const at = locations->add_location();
  at->mutable_path()->Add(path.begin(), path.end());
  for (const int of : {line, 0, 1}) at->add_span(of);
  if (comment.empty()) return;
  at->set_leading_comments(absl::StrReplaceAll(comment, {{"<View>", camel_}}));
}

void TypedFile::NoteAs(const Path& from_path, const Path& path) {
  const auto comment = contract_.comments.find(from_path);
  Note(path, comment == contract_.comments.end() ? "" : comment->second);
}

void TypedFile::AddColumns() {
  AddRowAndKey(view_, file_);
  const std::string comments[] = {
      absl::StrCat(" A row of view \"", view_.name,
                   "\". A column that is NULL is absent.\n"),
      absl::StrCat(" What tells its rows apart: the key columns, with their "
                   "numbers.\n")};
  for (int i = 0; i < file_->message_type_size(); ++i) {
    Note({kMessages, i}, comments[i]);
    for (int field = 0; field < file_->message_type(i).field_size(); ++field) {
      Note({kMessages, i, kFields, field}, "");
    }
  }
}

void TypedFile::Retype(const std::string& message,
                       FieldDescriptorProto* field) const {
  if (field->has_type_name())
    field->set_type_name(TypeName(field->type_name()));
  if (field->type() != FieldDescriptorProto::TYPE_BYTES) return;
  const std::string name = absl::StrCat(message, ".", field->name());
  const auto* const known =
      std::find_if(std::begin(kRowsAndKeys), std::end(kRowsAndKeys),
                   [&name](const auto& it) { return it.first == name; });
  if (known == std::end(kRowsAndKeys)) return;
  field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
  field->set_type_name(
      absl::StrCat(".", kTypedPackage, ".", camel_, known->second));
}

// `name` is the message's within the contract's package.
void TypedFile::Fill(const DescriptorProto& from, const std::string& name,
                     const Path& from_path, const Path& path,
                     DescriptorProto* to) {
  to->CopyFrom(from);
  to->clear_field();
  NoteAs(from_path, path);
  for (int i = 0; i < from.field_size(); ++i) {
    const FieldDescriptorProto& field = from.field(i);
    if (field.name() == kViewField) {
      to->add_reserved_name(field.name());
      auto* const reserved = to->add_reserved_range();
      reserved->set_start(field.number());
      reserved->set_end(field.number() + 1);
      continue;
    }
    NoteAs(Within(from_path, kFields, i),
           Within(path, kFields, to->field_size()));
    FieldDescriptorProto* const typed = to->add_field();
    *typed = field;
    Retype(name, typed);
  }
  for (int i = 0; i < from.nested_type_size(); ++i) {
    const DescriptorProto& nested = from.nested_type(i);
    Fill(nested, absl::StrCat(name, ".", nested.name()),
         Within(from_path, kNested, i), Within(path, kNested, i),
         to->mutable_nested_type(i));
  }
  for (int i = 0; i < from.enum_type_size(); ++i) {
    AddEnum(from.enum_type(i), Within(from_path, kNestedEnums, i),
            Within(path, kNestedEnums, i));
  }
}

// Its comments; the rest of it is a copy.
void TypedFile::AddEnum(const EnumDescriptorProto& from, const Path& from_path,
                        const Path& path) {
  NoteAs(from_path, path);
  for (int i = 0; i < from.value_size(); ++i) {
    NoteAs(Within(from_path, kValues, i), Within(path, kValues, i));
  }
}

void TypedFile::AddHolder(const Holder& holder) {
  const auto& messages = contract_.file.message_type();
  const auto& enums = contract_.file.enum_type();
  const Path path = {kMessages, file_->message_type_size()};
  DescriptorProto* const message = file_->add_message_type();
  const int index = IndexOf(messages, holder.name);
  Fill(messages[index], std::string(holder.name), {kMessages, index}, path,
       message);
  message->set_name(absl::StrCat(camel_, holder.name));
  for (const absl::string_view type : holder.held) {
    const int at = IndexOf(messages, type);
    if (at >= 0) {
      const int place = message->nested_type_size();
      Fill(messages[at], std::string(type), {kMessages, at},
           Within(path, kNested, place), message->add_nested_type());
    } else {
      const int from = IndexOf(enums, type);
      const int place = message->enum_type_size();
      *message->add_enum_type() = enums[from];
      AddEnum(enums[from], {kEnums, from}, Within(path, kNestedEnums, place));
    }
  }
}

void TypedFile::AddService() {
  ServiceDescriptorProto* const to = file_->add_service();
  to->set_name(camel_);
  Note({kServices, 0},
       absl::StrCat(" tidegate.v1.ViewService for view \"", view_.name,
                    "\" alone: the same bytes on the wire,\n without the "
                    "view's name in requests.\n"));
  for (const absl::string_view name : kTypedMethods) {
    const int index = IndexOf(service().method(), name);
    NoteAs({kServices, 0, kMethods, index},
           {kServices, 0, kMethods, to->method_size()});
    MethodDescriptorProto* const method = to->add_method();
    *method = service().method(index);
    method->set_input_type(TypeName(method->input_type()));
    method->set_output_type(TypeName(method->output_type()));
  }
}

void TypedFile::Build() {
  file_->set_name(absl::StrCat("tidegate/views/", view_.name, ".proto"));
  file_->set_package(std::string(kTypedPackage));
  file_->set_syntax("proto3");
  file_->mutable_options()->set_go_package("tidegate/views");
  file_->add_dependency("google/protobuf/duration.proto");
  file_->add_dependency("google/protobuf/timestamp.proto");
  FindHolders();
  AddColumns();
  for (const Holder& holder : holders_) AddHolder(holder);
  AddService();
}

}  // namespace

std::string TypedServiceName(absl::string_view view) {
  return absl::StrCat(kTypedPackage, ".", sql::ToCamelCase(view));
}

void DescribeTyped(const CatalogView& view, FileDescriptorProto* file) {
  TypedFile(view, file).Build();
}

void DescribeTyped(const CatalogView& view,
                   google::protobuf::FileDescriptorSet* set) {
  google::protobuf::Duration::descriptor()->file()->CopyTo(set->add_file());
  google::protobuf::Timestamp::descriptor()->file()->CopyTo(set->add_file());
  DescribeTyped(view, set->add_file());
}

}  // namespace tidegate
