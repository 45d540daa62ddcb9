#include "ingest/decode/avro_schema.h"

#include <simdjson.h>

#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "ingest/decode/convert.h"

namespace tidegate {
namespace {

namespace dom = simdjson::dom;

// In the order of AvroKind.
constexpr std::array<absl::string_view, 14> kKindNames = {
    "null",   "boolean", "int",  "long",  "float", "double", "bytes",
    "string", "fixed",   "enum", "array", "map",   "union",  "record"};
constexpr int kPrimitives = 8;
constexpr int kNone = -1;

absl::string_view KindName(AvroKind kind) {
  return kKindNames[static_cast<size_t>(kind)];
}

int PrimitiveOf(absl::string_view name) {
  for (int i = 0; i < kPrimitives; ++i) {
    if (kKindNames[i] == name) return i;
  }
  return kNone;
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// False if `json` has no such member, or it is no text.
bool GetText(dom::object json, const char* key, std::string* text) {
  std::string_view found;
  if (json[key].get(found) != simdjson::SUCCESS) return false;
  text->assign(found.data(), found.size());
  return true;
}

}  // namespace

class AvroSchemaParser {
 public:
  explicit AvroSchemaParser(AvroSchema* schema)
      : types_(schema->types_), root_(schema->root_) {
    plain_.fill(kNone);
  }

  absl::Status Add(absl::string_view text) {
    dom::element json;
    if (json_.parse(text.data(), text.size()).get(json) != simdjson::SUCCESS) {
      return Bad(absl::StrCat("not JSON: ", Quoted(text)));
    }
    ASSIGN_OR_RETURN(root_, Read(json, "", 0));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<int> New(AvroKind kind) {
    if (types_.size() >= kMaxAvroTypes) {
      return Bad(absl::StrCat("more than ", kMaxAvroTypes, " types"));
    }
    types_.emplace_back().kind = kind;
    return static_cast<int>(types_.size()) - 1;
  }

  absl::StatusOr<int> Read(dom::element json, const std::string& space,
                           int depth) {
    if (depth > kMaxAvroSchemaDepth) return Bad("nested too deeply");
    std::string_view name;
    dom::array branches;
    dom::object object;
    if (json.get(name) == simdjson::SUCCESS) {
      return ReadName(absl::string_view(name.data(), name.size()), space);
    }
    if (json.get(branches) == simdjson::SUCCESS) {
      return ReadUnion(branches, space, depth);
    }
    if (json.get(object) == simdjson::SUCCESS) {
      return ReadObject(object, space, depth);
    }
    return Bad("a type is neither a name, an array nor an object");
  }

  absl::StatusOr<int> ReadName(absl::string_view name,
                               const std::string& space) {
    const int primitive = PrimitiveOf(name);
    if (primitive != kNone) {
      int& plain = plain_[primitive];
      if (plain == kNone) {
        ASSIGN_OR_RETURN(plain, New(static_cast<AvroKind>(primitive)));
      }
      return plain;
    }
    const bool full = name.find('.') != absl::string_view::npos;
    auto found = full || space.empty()
                     ? named_.find(std::string(name))
                     : named_.find(absl::StrCat(space, ".", name));
    if (found == named_.end()) found = named_.find(std::string(name));
    if (found == named_.end()) {
      return Bad(absl::StrCat("unknown type ", Quoted(name)));
    }
    return found->second;
  }

  absl::StatusOr<int> ReadUnion(dom::array branches, const std::string& space,
                                int depth) {
    ASSIGN_OR_RETURN(const int type, New(AvroKind::kUnion));
    std::vector<int> parts;
    for (dom::element branch : branches) {
      ASSIGN_OR_RETURN(const int part, Read(branch, space, depth + 1));
      if (types_[part].kind == AvroKind::kUnion) {
        return Bad("a union in a union");
      }
      parts.push_back(part);
    }
    if (parts.empty()) return Bad("a union without branches");
    types_[type].parts = std::move(parts);
    return type;
  }

  absl::StatusOr<int> ReadObject(dom::object json, const std::string& space,
                                 int depth) {
    std::string kind;
    if (!GetText(json, "type", &kind)) {
      return Bad("an object without \"type\", or with one that is no text");
    }
    std::string logical;
    GetText(json, "logicalType", &logical);
    if (kind == "record" || kind == "error") {
      return ReadRecord(json, space, depth);
    }
    if (kind == "array" || kind == "map") {
      return ReadItems(json, kind == "map", space, depth);
    }
    absl::StatusOr<int> type = kNone;
    if (kind == "enum") {
      type = ReadEnum(json, space);
    } else if (kind == "fixed") {
      type = ReadFixed(json, space);
    } else if (PrimitiveOf(kind) == kNone || logical.empty()) {
      return ReadName(kind, space);
    } else {
      type = New(static_cast<AvroKind>(PrimitiveOf(kind)));
    }
    RETURN_IF_ERROR(type.status());
    types_[*type].logical = std::move(logical);
    return *type;
  }

  // A new named type; `space` becomes the namespace of what is in it.
  absl::StatusOr<int> NewNamed(AvroKind kind, dom::object json,
                               std::string* space) {
    std::string name;
    if (!GetText(json, "name", &name) || name.empty()) {
      return Bad(absl::StrCat(KindName(kind), " without \"name\""));
    }
    const size_t dot = name.rfind('.');
    if (dot != std::string::npos) {
      *space = name.substr(0, dot);
    } else {
      GetText(json, "namespace", space);
      if (!space->empty()) name = absl::StrCat(*space, ".", name);
    }
    ASSIGN_OR_RETURN(const int type, New(kind));
    types_[type].name = name;
    if (!named_.emplace(name, type).second) {
      return Bad(absl::StrCat(Quoted(name), " is defined twice"));
    }
    return type;
  }

  absl::StatusOr<int> ReadRecord(dom::object json, std::string space,
                                 int depth) {
    ASSIGN_OR_RETURN(const int type, NewNamed(AvroKind::kRecord, json, &space));
    const std::string record = types_[type].name;
    dom::array fields;
    if (json["fields"].get(fields) != simdjson::SUCCESS) {
      return Bad(absl::StrCat("record ", record, " without \"fields\""));
    }
    std::vector<int> parts;
    std::vector<std::string> names;
    absl::flat_hash_set<std::string> seen;
    for (dom::element element : fields) {
      dom::object field;
      dom::element of;
      std::string name;
      if (element.get(field) != simdjson::SUCCESS ||
          !GetText(field, "name", &name) ||
          field["type"].get(of) != simdjson::SUCCESS) {
        return Bad(
            absl::StrCat("a field without \"name\" or \"type\" in "
                         "record ",
                         record));
      }
      if (!seen.insert(name).second) {
        return Bad(absl::StrCat("field ", Quoted(name),
                                " is there twice in record ", record));
      }
      const absl::StatusOr<int> part = Read(of, space, depth + 1);
      if (!part.ok()) {
        return Annotate(part.status(), absl::StrCat(record, ".", name));
      }
      parts.push_back(*part);
      names.push_back(std::move(name));
    }
    types_[type].parts = std::move(parts);
    types_[type].names = std::move(names);
    return type;
  }

  absl::StatusOr<int> ReadItems(dom::object json, bool map,
                                const std::string& space, int depth) {
    const char* const key = map ? "values" : "items";
    dom::element items;
    if (json[key].get(items) != simdjson::SUCCESS) {
      return Bad(
          absl::StrCat(map ? "a map" : "an array", " without \"", key, "\""));
    }
    ASSIGN_OR_RETURN(const int type,
                     New(map ? AvroKind::kMap : AvroKind::kArray));
    ASSIGN_OR_RETURN(const int part, Read(items, space, depth + 1));
    types_[type].parts = {part};
    return type;
  }

  absl::StatusOr<int> ReadEnum(dom::object json, std::string space) {
    ASSIGN_OR_RETURN(const int type, NewNamed(AvroKind::kEnum, json, &space));
    dom::array symbols;
    if (json["symbols"].get(symbols) != simdjson::SUCCESS) {
      return Bad(
          absl::StrCat("enum ", types_[type].name, " without \"symbols\""));
    }
    for (dom::element symbol : symbols) {
      std::string_view name;
      if (symbol.get(name) != simdjson::SUCCESS) {
        return Bad(absl::StrCat("a symbol of enum ", types_[type].name,
                                " is no text"));
      }
      types_[type].names.emplace_back(name);
    }
    return type;
  }

  absl::StatusOr<int> ReadFixed(dom::object json, std::string space) {
    ASSIGN_OR_RETURN(const int type, NewNamed(AvroKind::kFixed, json, &space));
    int64_t size = 0;
    if (json["size"].get(size) != simdjson::SUCCESS || size < 0 ||
        size > kMaxAvroFixedBytes) {
      return Bad(absl::StrCat("fixed ", types_[type].name,
                              " without a \"size\" in range"));
    }
    types_[type].size = size;
    return type;
  }

  dom::parser json_;
  std::vector<AvroType>& types_;
  int& root_;
  std::array<int, kPrimitives> plain_;  // the types without attributes
  std::map<std::string, int> named_;
};

absl::StatusOr<AvroSchema> AvroSchema::Parse(
    absl::string_view text, absl::Span<const absl::string_view> references) {
  AvroSchema schema;
  AvroSchemaParser parser(&schema);
  for (const absl::string_view reference : references) {
    RETURN_IF_ERROR_CTX(parser.Add(reference), "Avro schema");
  }
  RETURN_IF_ERROR_CTX(parser.Add(text), "Avro schema");
  return schema;
}

std::string AvroSchema::Describe(int type) const {
  const AvroType& described = types_[type];
  std::string text(KindName(described.kind));
  if (!described.name.empty()) absl::StrAppend(&text, " ", described.name);
  if (!described.logical.empty()) {
    absl::StrAppend(&text, " (", described.logical, ")");
  }
  if (described.kind != AvroKind::kUnion) return text;
  std::vector<std::string> branches;
  branches.reserve(described.parts.size());
  for (const int part : described.parts) branches.push_back(Describe(part));
  return absl::StrCat(text, " [", absl::StrJoin(branches, ", "), "]");
}

}  // namespace tidegate
