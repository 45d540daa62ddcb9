#include "ingest/registry/schema_fetch.h"

#include <simdjson.h>

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr int kHttpOk = 200;
constexpr int kHttpNotFound = 404;
// "Subject", "version", "schema not found".
constexpr int64_t kFirstNotFoundCode = 40401;
constexpr int64_t kLastNotFoundCode = 40403;
// Of what a server says to an error, in a message of ours.
constexpr size_t kMaxQuotedAnswer = 200;
// References of references of …
constexpr int kMaxReferenceDepth = 32;

struct Reference {
  std::string name;
  std::string subject;
  int64_t version = 0;
};

// One schema of the registry's answer.
struct Answer {
  WriterSchema::Type type = WriterSchema::Type::kAvro;
  std::string text;
  std::vector<Reference> references;
};

absl::Status Unreadable(absl::string_view what) {
  return absl::UnavailableError(
      absl::StrCat("not a schema registry's answer: ", what));
}

absl::Status ReadType(std::string_view name, WriterSchema::Type* type) {
  if (name == "AVRO") {
    *type = WriterSchema::Type::kAvro;
  } else if (name == "PROTOBUF") {
    *type = WriterSchema::Type::kProtobuf;
  } else if (name == "JSON") {
    *type = WriterSchema::Type::kJson;
  } else {
    return absl::FailedPreconditionError(
        absl::StrCat("it is of the unknown type \"",
                     absl::string_view(name.data(), name.size()), "\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<Answer> ParseAnswer(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS) {
    return Unreadable("it is no JSON object");
  }
  Answer answer;
  std::string_view text;
  if (object["schema"].get(text) != simdjson::SUCCESS) {
    return Unreadable("it has no \"schema\"");
  }
  answer.text = std::string(text);
  // What has no type is Avro: it was the first.
  if (object["schemaType"].get(text) == simdjson::SUCCESS) {
    RETURN_IF_ERROR(ReadType(text, &answer.type));
  }
  simdjson::dom::array references;
  if (object["references"].get(references) != simdjson::SUCCESS) return answer;
  for (const simdjson::dom::element element : references) {
    Reference reference;
    std::string_view name;
    std::string_view subject;
    if (element["name"].get(name) != simdjson::SUCCESS ||
        element["subject"].get(subject) != simdjson::SUCCESS ||
        element["version"].get(reference.version) != simdjson::SUCCESS) {
      return Unreadable("a reference without name, subject or version");
    }
    reference.name = std::string(name);
    reference.subject = std::string(subject);
    answer.references.push_back(std::move(reference));
  }
  return answer;
}

// The registry's own "not found": a proxy's, or that of a URL which is not a
// registry's, says nothing of the schema.
bool SaysNotFound(const HttpResponse& response) {
  if (response.status != kHttpNotFound) return false;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  int64_t code = 0;
  return parser.parse(response.body).get(object) == simdjson::SUCCESS &&
         object["error_code"].get(code) == simdjson::SUCCESS &&
         code >= kFirstNotFoundCode && code <= kLastNotFoundCode;
}

// As a part of a path.
std::string Escaped(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
        c == '.' || c == '_' || c == '~') {
      escaped.push_back(c);
    } else {
      absl::StrAppendFormat(&escaped, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

// One line, printable.
std::string QuotedAnswer(absl::string_view body) {
  std::string quoted(body.substr(0, kMaxQuotedAnswer));
  for (char& c : quoted) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = ' ';
  }
  return quoted;
}

class Fetcher {
 public:
  Fetcher(HttpClient* http, const std::string& url,
          absl::FunctionRef<void(RegistryOutcome)> told)
      : http_(http), url_(url), told_(told) {}

  absl::StatusOr<Answer> Get(const std::string& path);
  // Appends what `answer` refers to, each before its users. A name that is
  // referred to at several versions is there once, as in Confluent's clients:
  // at that of the reference which is nearest to `answer`.
  absl::Status AddReferences(const Answer& answer, WriterSchema* schema);

 private:
  absl::StatusOr<Answer> Judge(const absl::StatusOr<HttpResponse>& response,
                               RegistryOutcome* outcome);

  HttpClient* const http_;
  const std::string& url_;
  const absl::FunctionRef<void(RegistryOutcome)> told_;
  size_t bytes_ = 0;
};

absl::StatusOr<Answer> Fetcher::Judge(
    const absl::StatusOr<HttpResponse>& response, RegistryOutcome* outcome) {
  *outcome = RegistryOutcome::kUnreachable;
  if (absl::IsResourceExhausted(response.status())) {
    *outcome = RegistryOutcome::kError;
    return absl::FailedPreconditionError(response.status().message());
  }
  RETURN_IF_ERROR(response.status());
  *outcome = RegistryOutcome::kError;
  const int status = response->status;
  if (SaysNotFound(*response)) {
    *outcome = RegistryOutcome::kNotFound;
    return absl::NotFoundError(QuotedAnswer(response->body));
  }
  if (status == 401 || status == 403) {
    *outcome = RegistryOutcome::kDenied;
    return absl::PermissionDeniedError(
        absl::StrCat("HTTP ", status,
                     ": the registry wants other credentials, see "
                     "--schema-registry-config"));
  }
  if (status != kHttpOk) {
    return absl::UnavailableError(
        absl::StrCat("HTTP ", status, ": ", QuotedAnswer(response->body)));
  }
  ASSIGN_OR_RETURN(Answer answer, ParseAnswer(response->body));
  *outcome = RegistryOutcome::kOk;
  return answer;
}

absl::StatusOr<Answer> Fetcher::Get(const std::string& path) {
  RegistryOutcome outcome = RegistryOutcome::kOk;
  absl::StatusOr<Answer> answer =
      Judge(http_->Get(absl::StrCat(url_, path)), &outcome);
  told_(outcome);
  if (!answer.ok()) {
    return Annotate(answer.status(), absl::StrCat("GET ", path));
  }
  bytes_ += answer->text.size();
  if (bytes_ > kMaxSchemaBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("with what it refers to it is longer than ",
                     kMaxSchemaBytes, " bytes"));
  }
  return answer;
}

// Moves what has that name to the end of `schema`, behind what it refers to,
// unless it has been moved.
void MoveReference(const std::string& name,
                   std::map<std::string, Answer>* by_name,
                   WriterSchema* schema) {
  auto moved = by_name->extract(name);
  if (moved.empty()) return;
  Answer& answer = moved.mapped();
  for (const Reference& reference : answer.references) {
    MoveReference(reference.name, by_name, schema);
  }
  schema->references.push_back({name, std::move(answer.text)});
}

absl::Status Fetcher::AddReferences(const Answer& answer,
                                    WriterSchema* schema) {
  std::map<std::string, Answer> by_name;
  std::vector<Reference> level = answer.references;
  for (int depth = 1; !level.empty(); ++depth) {
    if (depth > kMaxReferenceDepth) {
      return absl::FailedPreconditionError(absl::StrCat(
          "its references are nested deeper than ", kMaxReferenceDepth));
    }
    std::vector<Reference> next;
    for (const Reference& reference : level) {
      if (by_name.count(reference.name) > 0) continue;
      if (by_name.size() >= kMaxSchemaReferences) {
        return absl::FailedPreconditionError(absl::StrCat(
            "it has more than ", kMaxSchemaReferences, " references"));
      }
      // What was deleted softly is still referred to.
      ASSIGN_OR_RETURN(
          Answer referred,
          Get(absl::StrCat("/subjects/", Escaped(reference.subject),
                           "/versions/", reference.version, "?deleted=true")));
      next.insert(next.end(), referred.references.begin(),
                  referred.references.end());
      by_name.emplace(reference.name, std::move(referred));
    }
    level = std::move(next);
  }
  for (const Reference& reference : answer.references) {
    MoveReference(reference.name, &by_name, schema);
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view RegistryOutcomeName(RegistryOutcome outcome) {
  switch (outcome) {
    case RegistryOutcome::kOk:
      return "ok";
    case RegistryOutcome::kNotFound:
      return "not_found";
    case RegistryOutcome::kDenied:
      return "denied";
    case RegistryOutcome::kError:
      return "error";
    case RegistryOutcome::kUnreachable:
      return "unreachable";
  }
  return "?";
}

absl::StatusOr<WriterSchema> FetchSchema(
    HttpClient* http, const std::string& url, int32_t id,
    absl::FunctionRef<void(RegistryOutcome)> told) {
  Fetcher fetcher(http, url, told);
  ASSIGN_OR_RETURN(Answer answer,
                   fetcher.Get(absl::StrCat("/schemas/ids/", id)));
  WriterSchema schema;
  schema.id = id;
  schema.type = answer.type;
  RETURN_IF_ERROR(fetcher.AddReferences(answer, &schema));
  schema.text = std::move(answer.text);
  return schema;
}

}  // namespace tidegate
