#include "views/sql/row_filter.h"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <sstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "views/sql/expression.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

// Numbers that neither ascend nor are dense, as after columns were added.
RowSchema AllTypes() {
  RowSchema schema;
  schema.fields = {
      {"ok", Type::kBoolean, 9},      {"n", Type::kInt, 1},
      {"total", Type::kBigint, 7},    {"price", Type::kDouble, 2},
      {"region", Type::kVarchar, 12}, {"at", Type::kTimestamptz, 3},
      {"Größe", Type::kInt, 4}};
  schema.key_columns = {4};
  return schema;
}

std::string Encoded(const std::vector<Datum>& row) {
  std::string bytes;
  EncodeRow(AllTypes(), row, &bytes);
  return bytes;
}

// ok, n = 7, total = 2^40, price = 1.5, region = 'EU', at = 2020, Größe NULL.
std::vector<Datum> Sample() {
  return {
      Datum::Bool(true),  Datum::Int(7),     Datum::Int(int64_t{1} << 40),
      Datum::Double(1.5), Datum::Text("EU"), Datum::Int(1'577'836'800'000'000),
      Datum::Null()};
}

std::shared_ptr<const RowFilter> Compiled(absl::string_view text) {
  absl::StatusOr<std::shared_ptr<const RowFilter>> filter =
      RowFilter::Compile(text, AllTypes());
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() ? *std::move(filter) : nullptr;
}

bool Matches(absl::string_view text, const std::vector<Datum>& row = Sample()) {
  const std::shared_ptr<const RowFilter> filter = Compiled(text);
  if (filter == nullptr) return false;
  const absl::StatusOr<bool> matches = filter->Matches(Encoded(row));
  EXPECT_TRUE(matches.ok()) << text << ": " << matches.status();
  return matches.ok() && *matches;
}

std::string Error(absl::string_view text) {
  const absl::Status status = RowFilter::Compile(text, AllTypes()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(RowFilterTest, ReadsEveryType) {
  for (const char* const text :
       {"ok", "n = 7", "total = 1099511627776", "price = 1.5", "region = 'EU'",
        "at = '2020-01-01T00:00:00Z'",
        "at = TIMESTAMPTZ '2020-01-01T00:00:00Z'", "\"Größe\" IS NULL",
        "total > n AND price < n", "at - INTERVAL '1' DAY < '2020-01-01'",
        "region = 'EU' AND ok AND total - n > 100 OR price / 0 > 1"}) {
    EXPECT_TRUE(Matches(text)) << text;
    EXPECT_FALSE(Matches(absl::StrCat("NOT (", text, ")"))) << text;
  }
}

TEST(RowFilterTest, PredicatesAndFunctions) {
  for (const char* const text : {"region LIKE 'E%'",
                                 "region LIKE '_U'",
                                 "region || '%' LIKE 'EU!%' ESCAPE '!'",
                                 "region IN ('APAC', 'EU')",
                                 "n BETWEEN 7 AND 8",
                                 "lower(region) = 'eu'",
                                 "upper('eu') = region",
                                 "length(region) = 2",
                                 "substr(region, 2) = 'U'",
                                 "replace(region, 'U', 'x') = 'Ex'",
                                 "trim('  EU ') = region",
                                 "extract(year FROM at) = 2020",
                                 "date_trunc('month', at) = at",
                                 "coalesce(\"Größe\", n) = 7",
                                 "nullif(n, 7) IS NULL",
                                 "greatest(n, 3, \"Größe\") = 7",
                                 "abs(-n) = 7",
                                 "round(price) = 2",
                                 "n::VARCHAR = '7'",
                                 "CAST('7' AS INT) = n",
                                 "CASE region WHEN 'EU' THEN ok END",
                                 "CASE WHEN n > 8 THEN FALSE ELSE TRUE END"}) {
    EXPECT_TRUE(Matches(text)) << text;
    EXPECT_FALSE(Matches(absl::StrCat("NOT (", text, ")"))) << text;
  }
}

TEST(RowFilterTest, OnlyTrueMatches) {
  // For n = NULL: what is NULL matches neither by itself nor negated.
  std::vector<Datum> row = Sample();
  row[1] = Datum::Null();
  for (const char* const text :
       {"NULL", "n = 7", "n <> 7", "n IN (1, 2)", "7 IN (1, n)",
        "n BETWEEN 1 AND 9", "n = 7 AND ok", "n = 7 OR NOT ok",
        "region LIKE n::VARCHAR", "CASE WHEN n = 7 THEN ok END",
        "nullif(n, 1) = 1", "region || n::VARCHAR = 'EU'"}) {
    EXPECT_FALSE(Matches(text, row)) << text;
    EXPECT_FALSE(Matches(absl::StrCat("NOT (", text, ")"), row)) << text;
    EXPECT_TRUE(Matches(absl::StrCat("(", text, ") IS NULL"), row)) << text;
  }
  EXPECT_TRUE(Matches("n = 7 OR ok", row));
  EXPECT_TRUE(Matches("NOT (n = 7 AND NOT ok)", row));
  EXPECT_TRUE(Matches("(n = 7) IS NOT TRUE AND n IS NULL", row));
  EXPECT_TRUE(Matches("7 IN (n, 7)", row));
}

TEST(RowFilterTest, WhatCannotBeEvaluatedDoesNotMatch) {
  std::vector<Datum> row = Sample();
  row[1] = Datum::Int(0);
  row[2] = Datum::Int(std::numeric_limits<int64_t>::max());
  for (const char* const text :
       {"1 / n > 0", "1 % n = 0", "total + 1 > 0", "total::INT > 0",
        "region::INT = 1", "substr(region, 1, -1) = ''", "region LIKE '\\'"}) {
    EXPECT_FALSE(Matches(text, row)) << text;
    EXPECT_FALSE(Matches(absl::StrCat("NOT (", text, ")"), row)) << text;
    EXPECT_FALSE(Matches(absl::StrCat("(", text, ") IS NULL"), row)) << text;
    // What is left of it may settle the matter.
    EXPECT_TRUE(Matches(absl::StrCat("ok OR ", text), row)) << text;
    EXPECT_FALSE(Matches(absl::StrCat(text, " OR ok"), row)) << text;
    EXPECT_TRUE(Matches(absl::StrCat("NOT (n <> 0 AND ", text, ")"), row));
  }
}

TEST(RowFilterTest, AFilterOfNoColumnReadsNone) {
  EXPECT_TRUE(Matches("TRUE"));
  EXPECT_FALSE(Matches("1 = 2"));
  EXPECT_TRUE(Compiled("TRUE")->Matches("").value());
  EXPECT_FALSE(Compiled("ok")->Matches("").value());
  EXPECT_TRUE(Compiled("ok IS NULL")->Matches("").value());
}

TEST(RowFilterTest, MalformedRowsAreDataLoss) {
  const auto filter = Compiled("n = 7");
  const std::string row = Encoded(Sample());
  int refused = 0;
  for (size_t size = 0; size < row.size(); ++size) {
    const auto matches =
        filter->Matches(absl::string_view(row).substr(0, size));
    if (matches.ok()) continue;
    EXPECT_EQ(matches.status().code(), absl::StatusCode::kDataLoss);
    ++refused;
  }
  EXPECT_GT(refused, 10);
  EXPECT_EQ(filter->Matches("\x80").status().message(), "malformed row");
  EXPECT_EQ(filter->Matches("\x0a\x01x").status().message(),
            "malformed column \"n\" in a row");
  // Field 2 is `price`, which the filter does not name, as a string.
  EXPECT_FALSE(filter->Matches("\x12\x01x").value());
  // Of a repeated field the last one counts, whatever comes between.
  EXPECT_TRUE(filter->Matches("\x08\x01\x48\x01\x08\x07").value());
}

TEST(RowFilterTest, OneSpellingForTheSameTokens) {
  const std::string expected = "region = 'EU' and total > 100";
  for (const char* const text :
       {"region = 'EU' AND total > 100", "region='EU' and total>100",
        "  REGION =\n'EU' AND \"total\" > 100 -- large",
        "region = /* only */ 'EU' AND Total > 100"}) {
    EXPECT_EQ(Compiled(text)->canonical(), expected) << text;
  }
  EXPECT_EQ(Compiled("n != 1")->canonical(), "n <> 1");
  EXPECT_NE(Compiled("region = 'eu'")->canonical(),
            Compiled("region = 'EU'")->canonical());
  EXPECT_EQ(Compiled("region = 'it''s' OR \"Größe\" = 1")->canonical(),
            "region = 'it''s' or \"Größe\" = 1");
}

// Cases of testdata/filter_refused.txt: ### the text, over one or more lines,
// and the message.
TEST(RowFilterTest, RefusesWhatIsNoConditionOverARow) {
  std::ifstream file(TIDEGATE_SQL_TESTDATA "/filter_refused.txt");
  ASSERT_TRUE(file.is_open());
  std::stringstream content;
  content << file.rdbuf();
  int cases = 0;
  for (absl::string_view part :
       absl::StrSplit(content.str(), "### ", absl::SkipEmpty())) {
    const size_t at = part.rfind("\nwhere: ");
    ASSERT_NE(at, absl::string_view::npos) << part;
    EXPECT_EQ(absl::StrCat(Error(part.substr(0, at)), "\n"),
              part.substr(at + 1));
    ++cases;
  }
  EXPECT_GE(cases, 50);
}

TEST(RowFilterTest, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(Error("region = 'ä\xff'"),
            "where: 1:12: not UTF-8: byte 0xff; text is UTF-8");
  EXPECT_EQ(Error(absl::string_view("n\0= 1", 5)),
            "where: 1:2: unexpected character 0x00");
}

TEST(RowFilterTest, ErrorsAreBounded) {
  std::vector<std::string> terms;
  terms.reserve(100);
  for (int i = 0; i < 100; ++i) terms.push_back(absl::StrCat("\"äx", i, "\""));
  const std::string many = Error(absl::StrJoin(terms, " = 1 OR "));
  EXPECT_THAT(many, HasSubstr("errors not shown: 95"));
  std::string name;
  for (int i = 0; i < 1'000; ++i) name += "ä";
  for (const char* const before : {"", "x"}) {
    const std::string error = Error(absl::StrCat("\"", before, name, "\" = 1"));
    EXPECT_LE(error.size(), 7 + RowFilter::kMaxErrorBytes);
    EXPECT_THAT(error, ::testing::EndsWith("ä…"));
  }
}

TEST(RowFilterTest, TextHasALimit) {
  std::string text = "n = 7";
  text.append(RowFilter::kMaxTextBytes - text.size(), ' ');
  EXPECT_TRUE(Matches(text));
  EXPECT_EQ(Error(text + " "), "where: longer than 4096 bytes: 4097");
}

std::string Repeated(absl::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) absl::StrAppend(&out, text);
  return out;
}

TEST(RowFilterTest, NestingHasALimit) {
  const auto nested = [](absl::string_view before, absl::string_view after,
                         int depth) {
    return absl::StrCat(Repeated(before, depth), "ok", Repeated(after, depth));
  };
  EXPECT_TRUE(Matches(nested("(", ")", RowFilter::kMaxDepth - 1)));
  EXPECT_TRUE(Matches(nested("NOT ", "", 198)));
  EXPECT_TRUE(Matches(nested("CASE WHEN ", " THEN ok END", 180)));
  const std::string limit = "nested too deep, the limit is 200";
  EXPECT_THAT(Error(nested("(", ")", RowFilter::kMaxDepth)), HasSubstr(limit));
  // As deep as the text's limit allows.
  for (const std::string& text :
       {nested("(", ")", 2047), nested("NOT ", "", 1000), nested("(", "", 4094),
        nested("", " IS TRUE", 500),
        absl::StrCat("n = ", Repeated("-", 4000), "1"),
        absl::StrCat("n = 1", Repeated("+1", 2000)),
        absl::StrCat(Repeated("abs(", 1000), "1", Repeated(")", 1000), "=1"),
        absl::StrCat("n", Repeated("::INT", 800), " = 1"),
        nested("CASE WHEN ", "", 400)}) {
    EXPECT_EQ(RowFilter::Compile(text, AllTypes()).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(RowFilterTest, LongListsAndChainsAreFlat) {
  EXPECT_TRUE(Matches(absl::StrCat(Repeated("n=1 OR ", 500), "n=7")));
  EXPECT_TRUE(Matches(absl::StrCat("n IN (", Repeated("1,", 2000), "7)")));
}

TEST(RowFilterTest, RepeatedOperandsHaveALimit) {
  const auto nullifs = [](int depth) {
    return absl::StrCat(Repeated("nullif(", depth), "n", Repeated(",1)", depth),
                        " = 7");
  };
  EXPECT_TRUE(Matches(nullifs(8)));
  EXPECT_THAT(Error(nullifs(12)),
              HasSubstr("1:1: expression is too large: it takes"));
  EXPECT_THAT(Error(nullifs(150)), HasSubstr("expression is too large"));
}

TEST(RowFilterTest, MadeTextHasALimit) {
  std::vector<Datum> row = Sample();
  const std::string text(RowFilter::kMaxMadeBytes, 'a');
  row[4] = Datum::Text(text);
  EXPECT_TRUE(Matches("region LIKE 'a%' AND lower(region) = region", row));
  EXPECT_FALSE(Matches("length(region || 'b') > 0", row));
  EXPECT_FALSE(Matches("length(lower(region)) = length(upper(region))", row));
  // 10^15 bytes, were there no limit.
  const std::string ten = "'aaaaaaaaaa')";
  EXPECT_FALSE(Matches(absl::StrCat("length(", Repeated("replace(", 15), "'a'",
                                    Repeated(", 'a', " + ten, 15), ") > 0")));
}

TEST(RowFilterTest, LikeHasALimit) {
  std::vector<Datum> row = Sample();
  const std::string text(RowFilter::kMaxMadeBytes, 'a');
  row[4] = Datum::Text(text);
  EXPECT_TRUE(Matches("region NOT LIKE '%b%' AND region LIKE '%a%_'", row));
  // A step for each pair of characters, were there no limit.
  const std::string slow =
      absl::StrCat("region NOT LIKE '%", std::string(2'000, 'a'), "b'");
  EXPECT_FALSE(Matches(slow, row));
  EXPECT_TRUE(Matches(slow));
  // The next row has all steps again.
  const auto filter = Compiled("region LIKE '%b' OR ok");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(*filter->Matches(Encoded(row)));
}

uint64_t Seed() {
  const char* const set = std::getenv("TIDEGATE_SEED");
  uint64_t seed = 0;
  if (set == nullptr || !absl::SimpleAtoi(set, &seed)) {
    seed = std::random_device()();
  }
  std::cout << "TIDEGATE_SEED=" << seed << "\n";
  return seed;
}

// Conditions over AllTypes() and its rows.
class RandomText {
 public:
  explicit RandomText(uint64_t seed) : random_(seed) {}

  std::string Condition(int depth) {
    if (depth == 0) return Any({"ok", "TRUE", "NULL", "n = 1"});
    const auto boolean = [&] { return Condition(depth - 1); };
    switch (Below(9)) {
      case 0:
        return absl::StrCat("(", boolean(), Any({" AND ", " OR "}), boolean(),
                            ")");
      case 1:
        return absl::StrCat("NOT (", boolean(), ")");
      case 2:
        return absl::StrCat("(", boolean(), ")",
                            Any({" IS NULL", " IS TRUE", " IS NOT FALSE"}));
      case 3:
        return absl::StrCat(Number(2), Any({" = ", " < ", " <> ", " >= "}),
                            Number(2));
      case 4:
        return absl::StrCat(Text(2), Any({" = ", " LIKE ", " > "}), Text(2));
      case 5:
        return absl::StrCat(
            "at ", Any({"<", ">=", "= at - INTERVAL '1' HOUR OR at <>"}),
            " '1970-01-01T00:00:00Z'");
      case 6:
        return absl::StrCat("CASE WHEN ", boolean(), " THEN ", boolean(),
                            " ELSE ", boolean(), " END");
      case 7:
        return absl::StrCat(Number(1), " IN (", Number(1), ", ", Number(1),
                            ")");
      default:
        return absl::StrCat(Number(1), " BETWEEN ", Number(1), " AND ",
                            Number(1));
    }
  }

  std::vector<Datum> Row() {
    const auto integer = [&] {
      return Datum::Int(static_cast<int64_t>(Below(5)) - 2);
    };
    std::vector<Datum> row = {
        Datum::Bool(Below(2) == 0),
        integer(),
        Below(4) == 0 ? Datum::Int(std::numeric_limits<int64_t>::max())
                      : integer(),
        Datum::Double(static_cast<double>(Below(5)) / 2 - 1),
        Datum::Text(Any({"", "a", "ab", "%", "ä", "EU"})),
        integer(),
        integer()};
    for (Datum& value : row) {
      if (Below(4) == 0) value = Datum::Null();
    }
    return row;
  }

 private:
  size_t Below(size_t n) { return random_() % n; }
  const char* Any(std::initializer_list<const char*> choices) {
    return choices.begin()[Below(choices.size())];
  }
  std::string Number(int depth) {
    if (depth == 0 || Below(3) == 0) {
      return Any({"n", "total", "price", "\"Größe\"", "0", "1", "-2", "0.5"});
    }
    if (Below(3) == 0) return absl::StrCat("length(", Text(depth - 1), ")");
    return absl::StrCat("(", Number(depth - 1), Any({" + ", " * ", " / "}),
                        Number(depth - 1), ")");
  }
  std::string Text(int depth) {
    if (depth == 0 || Below(2) == 0) {
      return Any({"region", "'a'", "'%'", "'_'", "''"});
    }
    return absl::StrCat("(", Text(depth - 1), " || upper(", Text(depth - 1),
                        "))");
  }

  std::mt19937_64 random_;
};

TEST(RowFilterTest, MatchesWhatTheExpressionSaysOfTheDecodedRow) {
  RandomText random(Seed());
  const RowSchema schema = AllTypes();
  std::vector<OutputColumn> columns;
  for (const auto& field : schema.fields) {
    columns.push_back({field.name, field.type});
  }
  int matched = 0, other = 0, failed = 0;
  for (int round = 0; round < 2'000; ++round) {
    const std::string text = random.Condition(4);
    if (text.size() > RowFilter::kMaxTextBytes) continue;
    const auto expr = CompileFilter(text, columns, nullptr);
    const auto filter = RowFilter::Compile(text, schema);
    ASSERT_EQ(expr.ok(), filter.ok()) << text << ": " << filter.status();
    if (!filter.ok()) continue;
    for (int i = 0; i < 10; ++i) {
      const std::string bytes = Encoded(random.Row());
      std::vector<Datum> row(columns.size());
      ASSERT_TRUE(DecodeRow(schema, bytes, absl::MakeSpan(row)).ok());
      TextArena arena;
      Datum result;
      const bool evaluated = Evaluate(*expr, row, &arena, &result).ok();
      const bool expected = evaluated && !result.is_null && result.b;
      ASSERT_EQ((*filter)->Matches(bytes).value(), expected) << text;
      ++(!evaluated ? failed : expected ? matched : other);
    }
    const std::string& canonical = (*filter)->canonical();
    if (canonical.size() > RowFilter::kMaxTextBytes) continue;
    EXPECT_EQ(Compiled(canonical)->canonical(), canonical);
  }
  EXPECT_GT(matched, 1'000);
  EXPECT_GT(other, 1'000);
  EXPECT_GT(failed, 100);
}

TEST(RowFilterTest, SeveralThreadsUseOneFilter) {
  const auto wide = Compiled("upper(lower(region)) = 'EU' AND ok AND n = 7");
  const auto narrow = Compiled("n = 8");
  const std::string row = Encoded(Sample());
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        if (!*wide->Matches(row) || *narrow->Matches(row)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tidegate
