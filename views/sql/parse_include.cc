// INCLUDE …: columns with metadata of the Kafka record.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "views/sql/parser.h"

namespace tidegate::sql {
namespace {

struct Word {
  absl::string_view word;
  Metadata what;
};

constexpr Word kWords[] = {
    {"key", Metadata::kKey},
    {"timestamp", Metadata::kTimestamp},
    {"partition", Metadata::kPartition},
    {"offset", Metadata::kOffset},
    {"header", Metadata::kHeader},
};
constexpr absl::string_view kWhat =
    "KEY, TIMESTAMP, PARTITION, OFFSET or HEADER";

// A name that needs no quotes.
std::string DefaultName(const Token& word, absl::string_view header) {
  std::string name = absl::StrCat("kafka_", word.text);
  if (header.empty()) return name;
  name.push_back('_');
  for (const char c : header) {
    name.push_back(absl::ascii_isalnum(c) ? absl::ascii_tolower(c) : '_');
  }
  return name;
}

}  // namespace

bool Parser::ParseIncludes(SourceDef* source) {
  while (AcceptWord("include")) {
    IncludeDef include;
    include.first_token = at_ - 1;
    if (!ParseInclude(&include)) return false;
    include.end_token = at_;
    source->includes.push_back(std::move(include));
    if (AtSymbol(",")) {
      return Fail("INCLUDE, WITH or FORMAT",
                  "write INCLUDE before each of them, without commas");
    }
  }
  return true;
}

bool Parser::ParseInclude(IncludeDef* include) {
  const Token& what = Peek();
  const Word* found = nullptr;
  for (const Word& word : kWords) {
    if (what.IsWord(word.word)) found = &word;
  }
  if (found == nullptr) return RefuseInclude(what);
  Take();
  include->what = found->what;
  Name header;
  if (include->what == Metadata::kHeader) {
    if (!ExpectString("the header's name in single quotes", &header)) {
      return false;
    }
    if (header.text.empty()) {
      reporter_->Error(header.span, "a header's name is not empty");
      return false;
    }
  }
  include->name = Name{DefaultName(what, header.text), what.span};
  include->header = std::move(header.text);
  // RisingWave has a type here.
  if (include->what == Metadata::kHeader &&
      (AtWord("varchar") || AtWord("bytea"))) {
    return Refuse(Peek().span, "a type in INCLUDE HEADER",
                  "a header is VARCHAR: leave the type out");
  }
  if (!AcceptWord("as")) return true;
  return ExpectName("the column's name", &include->name);
}

bool Parser::RefuseInclude(const Token& what) {
  if (what.IsWord("headers")) {
    return Refuse(what.span, "INCLUDE HEADERS",
                  "name the ones that you need: INCLUDE HEADER 'trace-id'");
  }
  for (absl::string_view word :
       {"payload", "file", "database_name", "schema_name", "table_name"}) {
    if (!what.IsWord(word)) continue;
    return Refuse(what.span,
                  absl::StrCat("INCLUDE ", absl::AsciiStrToUpper(word)),
                  absl::StrCat("there are ", kWhat));
  }
  std::vector<std::string> words;
  for (const Word& word : kWords) words.emplace_back(word.word);
  const std::string near =
      what.kind == TokenKind::kName ? Nearest(what.text, words) : "";
  return Fail(kWhat, near.empty()
                         ? ""
                         : absl::StrCat("did you mean ",
                                        absl::AsciiStrToUpper(near), "?"));
}

}  // namespace tidegate::sql
