// FORMAT …, ENCODE … and KEY ENCODE.
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/suggest.h"
#include "views/sql/binder.h"

namespace tidegate::sql {
namespace {

constexpr char kRegistry[] = "schema.registry";
constexpr char kOneOther[] =
    "a topic that is being migrated has JSON and one other";

struct KnownEncoding {
  absl::string_view name;
  Format format;
  // In the order in which they are named.
  std::vector<std::string> options;
  absl::string_view example;  // of `file`
};

const std::vector<KnownEncoding>& Encodings() {
  static const auto* const kEncodings = new std::vector<KnownEncoding>{
      {"json", Format::kJson, {kRegistry}, ""},
      {"protobuf",
       Format::kProtobuf,
       {"message", "file", kRegistry},
       "PROTOBUF (message = 'pkg.Message', file = 'x.proto')"},
      {"avro", Format::kAvro, {"file", kRegistry}, "AVRO (file = 'x.avsc')"},
  };
  return *kEncodings;
}

const KnownEncoding& KnownFormat(Format format) {
  for (const KnownEncoding& known : Encodings()) {
    if (known.format == format) return known;
  }
  return Encodings().front();
}

std::string Upper(absl::string_view name) {
  return absl::AsciiStrToUpper(name);
}

std::string UpperName(const Encoding& encoding) {
  return Upper(KnownFormat(encoding.format).name);
}

// Null if the encoding has no such option.
std::string* FieldOf(absl::string_view key, Encoding* encoding) {
  if (key == kRegistry) return &encoding->schema_registry;
  if (encoding->format == Format::kJson) return nullptr;
  const bool avro = encoding->format == Format::kAvro;
  if (key == "file") {
    return avro ? &encoding->schema_file : &encoding->proto_file;
  }
  return key == "message" && !avro ? &encoding->proto_message : nullptr;
}

bool HasFile(const Encoding& encoding) {
  return !encoding.proto_file.empty() || !encoding.schema_file.empty();
}

bool IsRegistryUrl(absl::string_view url) {
  if (!absl::ConsumePrefix(&url, "http://") &&
      !absl::ConsumePrefix(&url, "https://")) {
    return false;
  }
  if (url.empty() || url[0] == '/' || url[0] == ':') return false;
  for (const char c : url) {
    if (!absl::ascii_isgraph(c) || c == ',') return false;
  }
  return true;
}

}  // namespace

void Binder::BindFormatName(const SourceDef& source) {
  const Name& format = *source.format;
  const std::string right = source.is_table ? "upsert" : "plain";
  if (format.text == right) return;
  const bool other = format.text == "plain" || format.text == "upsert";
  reporter_->Error(
      format.span,
      other ? absl::StrCat("FORMAT ", Upper(format.text), " does not go with ",
                           source.is_table ? "CREATE TABLE" : "CREATE SOURCE")
            : absl::StrCat("not supported: FORMAT ", Upper(format.text)),
      other && !source.is_table
          ? "a topic of current values is CREATE TABLE … FORMAT UPSERT"
          : absl::StrCat("write FORMAT ", Upper(right)));
}

void Binder::BindFormat(const Statement& statement, SourcePlan* plan) {
  const SourceDef& source = *statement.source;
  if (!source.format.has_value()) return;
  BindFormatName(source);
  std::vector<Encoding> encodings;
  for (const EncodeDef& encode : source.encodes) {
    std::optional<Encoding> encoding = BindEncoding(encode, statement.broken);
    if (encoding.has_value()) encodings.push_back(*std::move(encoding));
  }
  if (encodings.size() != source.encodes.size() || encodings.empty()) return;
  if (encodings.size() > 1) CheckPair(source, encodings);
  if (encodings.size() == 2 && encodings[1].format == Format::kJson) {
    std::swap(encodings[0], encodings[1]);
  }
  plan->encodings = std::move(encodings);
}

// Nothing, and reported, if there is no such encoding.
std::optional<Encoding> Binder::BindEncoding(const EncodeDef& encode,
                                             bool broken) {
  const std::string& name = encode.name.text;
  std::vector<std::string> names;
  for (const KnownEncoding& known : Encodings()) {
    names.emplace_back(known.name);
    if (known.name != name) continue;
    Encoding encoding;
    encoding.format = known.format;
    // An option that was refused may stand for one that is missing.
    if (BindEncodeOptions(encode, &encoding) && !broken) {
      CheckEncoding(encode, encoding);
    }
    return encoding;
  }
  const bool later =
      name == "csv" || name == "bytes" || name == "parquet" || name == "text";
  const std::string near = Nearest(name, names);
  reporter_->Error(
      encode.name.span,
      absl::StrCat(later ? "not supported yet: ENCODE " : "unknown ENCODE ",
                   Upper(name)),
      later || near.empty() ? "there are JSON, PROTOBUF and AVRO"
                            : absl::StrCat("did you mean ", Upper(near), "?"));
  return std::nullopt;
}

// False if an option was refused.
bool Binder::BindEncodeOptions(const EncodeDef& encode, Encoding* encoding) {
  const KnownEncoding& known = KnownFormat(encoding->format);
  bool ok = true;
  for (const Option& option : encode.options) {
    const std::string& key = option.key.text;
    const auto refuse = [&](const Name& at, absl::string_view what,
                            std::string help = "") {
      reporter_->Error(at.span, std::string(what), std::move(help));
      ok = false;
    };
    const std::string quoted = absl::StrCat("option \"", key, "\"");
    std::string* const field = FieldOf(key, encoding);
    if (field == nullptr) {
      const bool elsewhere = key == "message" || key == "file";
      if (elsewhere) {
        refuse(option.key,
               absl::StrCat(quoted, " does not belong to ENCODE ",
                            Upper(known.name)),
               key == "file" ? "JSON needs no schema"
                             : "it belongs to ENCODE PROTOBUF");
      } else if (key == "location" || key == "schema.location") {
        refuse(
            option.key, absl::StrCat("not supported: the ", quoted),
            known.example.empty() ? "" : absl::StrCat("write ", known.example));
      } else {
        refuse(option.key, absl::StrCat("unknown ", quoted),
               SuggestName(key, known.options, "the options are"));
      }
    } else if (!field->empty()) {
      refuse(option.key, absl::StrCat(quoted, " is given twice"));
    } else if (option.value.text.empty()) {
      refuse(option.value, absl::StrCat(quoted, " is empty"));
    } else if (key == kRegistry && !IsRegistryUrl(option.value.text)) {
      refuse(option.value,
             absl::StrCat("not the URL of a schema registry: '",
                          option.value.text, "'"),
             "write one URL, as in 'http://registry:8081'");
    } else {
      *field = option.value.text;
    }
  }
  return ok;
}

void Binder::CheckEncoding(const EncodeDef& encode, const Encoding& encoding) {
  if (encoding.format == Format::kJson) return;
  const KnownEncoding& known = KnownFormat(encoding.format);
  const std::string name = absl::StrCat("ENCODE ", Upper(known.name));
  const bool registry = !encoding.schema_registry.empty();
  if (registry && HasFile(encoding)) {
    reporter_->Error(
        FindOption(encode.options, kRegistry)->key.span,
        absl::StrCat(name, " has both \"file\" and \"", kRegistry, "\""),
        "framed records name their schema in the registry, bare ones need the "
        "file: leave one of them out");
  } else if (!registry && !HasFile(encoding)) {
    reporter_->Error(
        encode.name.span,
        absl::StrCat(name, " needs the option \"file\" or \"", kRegistry, "\""),
        absl::StrCat("write ", known.example, " or ", Upper(known.name),
                     " (schema.registry = 'http://…')"));
  } else if (encoding.format == Format::kProtobuf && !registry &&
             encoding.proto_message.empty()) {
    reporter_->Error(encode.name.span,
                     absl::StrCat(name, " needs the option \"message\""),
                     absl::StrCat("write ", known.example));
  }
}

// Each record must say by itself which of them it is.
void Binder::CheckPair(const SourceDef& source,
                       const std::vector<Encoding>& encodings) {
  if (encodings.size() > 2) {
    reporter_->Error(source.encodes[2].name.span, "more than two encodings",
                     kOneOther);
    return;
  }
  const Span second = source.encodes[1].name.span;
  if (encodings[0].format == Format::kJson &&
      encodings[1].format == Format::kJson) {
    reporter_->Error(second, "JSON is given twice", kOneOther);
    return;
  }
  const bool json_first = encodings[0].format == Format::kJson;
  const Encoding& json = encodings[json_first ? 0 : 1];
  const Encoding& binary = encodings[json_first ? 1 : 0];
  if (json.format != Format::kJson) {
    reporter_->Error(
        second,
        absl::StrCat("two binary encodings cannot be told apart: ",
                     UpperName(encodings[0]), " and ", UpperName(encodings[1])),
        kOneOther);
  } else if (binary.format == Format::kAvro && HasFile(binary)) {
    reporter_->Error(source.encodes[json_first ? 1 : 0].name.span,
                     "JSON OR AVRO (file = …) cannot be told apart: a bare "
                     "Avro record may begin with any byte",
                     "framed ones can: AVRO (schema.registry = 'http://…')");
  } else if (!json.schema_registry.empty() && !binary.schema_registry.empty() &&
             json.schema_registry != binary.schema_registry) {
    reporter_->Error(
        FindOption(source.encodes[1].options, kRegistry)->value.span,
        "the encodings have different registries",
        "a framed record's schema is looked up in one");
  }
}

// A key column has a field of the key's object, and never its whole text.
void Binder::CheckJsonKey(const Name& encode, const SourcePlan& plan) {
  for (const int column : plan.primary_key) {
    if (static_cast<size_t>(column) < plan.value_columns()) continue;
    reporter_->Error(
        encode.span,
        absl::StrCat("KEY ENCODE JSON reads fields of the key, "
                     "and \"",
                     plan.columns[column].name, "\" is its whole text"),
        "write KEY ENCODE TEXT, or a PRIMARY KEY of such fields");
  }
}

void Binder::BindKeyFormat(const Statement& statement, SourcePlan* plan) {
  const SourceDef& source = *statement.source;
  bool composite = plan->primary_key.size() > 1;
  if (!source.key_encode.has_value()) {
    if (composite && !statement.broken) {
      reporter_->Error(statement.name.span,
                       absl::StrCat("the key of \"", plan->name,
                                    "\" has several columns, and is read as "
                                    "text"),
                       "write KEY ENCODE JSON after ENCODE …");
    }
    return;
  }
  const Name& encode = *source.key_encode;
  if (!source.is_table) {
    reporter_->Error(encode.span, "KEY ENCODE belongs to CREATE TABLE",
                     "INCLUDE KEY gives a source its Kafka key as text");
  } else if (encode.text == "json") {
    plan->key_format = KeyFormat::kJson;
    CheckJsonKey(encode, *plan);
  } else if (encode.text != "text") {
    const bool binary = encode.text == "avro" || encode.text == "protobuf";
    reporter_->Error(encode.span,
                     absl::StrCat("not supported: KEY ENCODE ",
                                  absl::AsciiStrToUpper(encode.text)),
                     binary ? "there are TEXT and JSON; keys that are framed "
                              "for a schema registry cannot be read"
                            : "there are TEXT and JSON");
  } else if (composite) {
    reporter_->Error(encode.span, "KEY ENCODE TEXT takes a key of one column",
                     "write KEY ENCODE JSON");
  }
}

}  // namespace tidegate::sql
