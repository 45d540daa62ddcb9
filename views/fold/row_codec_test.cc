#include "views/fold/row_codec.h"

#include <cmath>
#include <iostream>
#include <limits>
#include <random>

#include "absl/strings/match.h"
#include "base/coding.h"
#include "gtest/gtest.h"
#include "views/plan/datum_text.h"

namespace tidegate {
namespace {

constexpr Type kTypes[] = {Type::kBoolean, Type::kInt,     Type::kBigint,
                           Type::kDouble,  Type::kVarchar, Type::kTimestamptz};

// Datums of all kinds, the awkward ones often.
class RandomDatums {
 public:
  explicit RandomDatums(uint64_t seed) : random_(seed) {}
  uint64_t Next() { return random_(); }

  Type AnyType() { return kTypes[random_() % 6]; }

  Datum Any(Type type) {
    if (random_() % 6 == 0) return Datum::Null();
    switch (type) {
      case Type::kBoolean:
        return Datum::Bool(random_() % 2 == 0);
      case Type::kInt:
        return Datum::Int(static_cast<int32_t>(Integer()));
      case Type::kDouble:
        return Datum::Double(Double());
      case Type::kVarchar:
        return Datum::Text(Text());
      default:
        return Datum::Int(Integer());
    }
  }

 private:
  int64_t Integer() {
    const int64_t any = static_cast<int64_t>(random_());
    switch (random_() % 4) {
      case 0:
        return any % 3;
      case 1:
        return std::numeric_limits<int64_t>::min() + (any & 1);
      case 2:
        return std::numeric_limits<int64_t>::max() - (any & 1);
      default:
        return any >> (random_() % 64);
    }
  }

  double Double() {
    constexpr double kSpecial[] = {0.0,
                                   -0.0,
                                   std::numeric_limits<double>::infinity(),
                                   -std::numeric_limits<double>::infinity(),
                                   std::numeric_limits<double>::quiet_NaN(),
                                   0x1p-1074,
                                   -0x1p-1074};
    if (random_() % 2 == 0) return kSpecial[random_() % 7];
    return (static_cast<double>(random_() % 2001) - 1000) / 8;
  }

  absl::string_view Text() {
    // Few letters, so that prefixes and zeros meet often.
    const std::string letters(
        "\0\x01"
        "ab\xc3\xa4",
        6);
    std::string text;
    for (size_t n = random_() % 4; n > 0; --n) {
      const size_t i = random_() % 5;
      text += i == 4 ? letters.substr(4) : letters.substr(i, 1);
    }
    texts_.push_back(std::make_unique<std::string>(text));
    return *texts_.back();
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<std::string>> texts_;
};

uint64_t PrintedSeed() {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  return seed;
}

int CompareKeys(absl::Span<const Type> types, Row a, Row b) {
  for (size_t i = 0; i < types.size(); ++i) {
    const int order = CompareDatum(types[i], a[i], b[i]);
    if (order != 0) return order;
  }
  return 0;
}

int Sign(int n) { return n < 0 ? -1 : n > 0 ? 1 : 0; }

TEST(KeyCodecTest, ByteOrderIsDatumOrder) {
  RandomDatums random(PrintedSeed());
  int equal = 0, less = 0;
  for (int round = 0; round < 20'000; ++round) {
    const size_t width = 1 + random.Next() % 3;
    std::vector<Type> types(width);
    std::vector<Datum> a(width), b(width);
    for (size_t i = 0; i < width; ++i) {
      types[i] = random.AnyType();
      a[i] = random.Any(types[i]);
      b[i] = random.Next() % 2 == 0 ? a[i] : random.Any(types[i]);
    }
    std::string a_bytes, b_bytes;
    EncodeKey(types, a, &a_bytes);
    EncodeKey(types, b, &b_bytes);
    const int expected = CompareKeys(types, a, b);
    ASSERT_EQ(Sign(a_bytes.compare(b_bytes)), expected) << "round " << round;
    equal += expected == 0;
    less += expected < 0;
  }
  EXPECT_GT(equal, 1'000);
  EXPECT_GT(less, 1'000);
}

TEST(KeyCodecTest, ReadsBack) {
  RandomDatums random(PrintedSeed());
  for (int round = 0; round < 5'000; ++round) {
    const size_t width = random.Next() % 4;
    std::vector<Type> types(width);
    std::vector<Datum> key(width), read(width);
    for (size_t i = 0; i < width; ++i) {
      types[i] = random.AnyType();
      key[i] = random.Any(types[i]);
    }
    std::string bytes;
    EncodeKey(types, key, &bytes);
    TextArena arena;
    ASSERT_TRUE(DecodeKey(types, bytes, &arena, absl::MakeSpan(read)).ok());
    EXPECT_EQ(CompareKeys(types, key, read), 0);
  }
}

TEST(KeyCodecTest, NullsAreLast) {
  std::string null, text;
  EncodeKey({Type::kVarchar}, {Datum::Null()}, &null);
  EncodeKey({Type::kVarchar}, {Datum::Text("\xf4\x8f\xbf\xbf")}, &text);
  EXPECT_GT(null, text);
}

TEST(KeyCodecTest, MalformedBytesAreDataLoss) {
  const std::vector<Type> types = {Type::kVarchar, Type::kBoolean,
                                   Type::kDouble};
  std::string bytes;
  EncodeKey(types,
            {Datum::Text(absl::string_view("a\0b", 3)), Datum::Bool(true),
             Datum::Double(1)},
            &bytes);
  std::vector<Datum> key(3);
  TextArena arena;
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeKey(types, absl::string_view(bytes).substr(0, size), &arena,
                        absl::MakeSpan(key))
                  .code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(DecodeKey(types, bytes + "x", &arena, absl::MakeSpan(key)).ok());
  EXPECT_FALSE(DecodeKey({Type::kBoolean}, "\x01\x02", &arena,
                         absl::MakeSpan(key).first(1))
                   .ok());
}

RowSchema AllTypes() {
  RowSchema schema;
  schema.fields = {{"b", Type::kBoolean, 1}, {"i", Type::kInt, 2},
                   {"l", Type::kBigint, 3},  {"d", Type::kDouble, 4},
                   {"s", Type::kVarchar, 5}, {"t", Type::kTimestamptz, 6}};
  schema.key_columns = {4, 1};
  return schema;
}

TEST(RowCodecTest, ReadsBackWhateverTheNumbers) {
  RandomDatums random(PrintedSeed());
  for (int round = 0; round < 5'000; ++round) {
    RowSchema schema;
    std::vector<Datum> row;
    const size_t width = random.Next() % 40;
    for (size_t i = 0; i < width; ++i) {
      const Type type = random.AnyType();
      // Distinct, ascending in half of the rounds.
      const auto number =
          static_cast<uint32_t>(round % 2 == 0 ? i + 1 : (i * 7) % 41 + 1);
      schema.fields.push_back({absl::StrCat("c", i), type, number});
      row.push_back(random.Any(type));
    }
    std::string bytes;
    EncodeRow(schema, row, &bytes);
    std::vector<Datum> read(width, Datum::Int(1));
    ASSERT_TRUE(DecodeRow(schema, bytes, absl::MakeSpan(read)).ok());
    uint32_t last = 0;
    absl::string_view in = bytes;
    WireField field;
    while (!in.empty()) {
      ASSERT_TRUE(GetWireField(&in, &field));
      EXPECT_GT(field.number, last);
      last = field.number;
    }
    for (size_t i = 0; i < width; ++i) {
      EXPECT_EQ(CompareDatum(schema.fields[i].type, read[i], row[i]), 0)
          << DatumText(schema.fields[i].type, row[i]);
    }
  }
}

TEST(RowCodecTest, UnknownFieldsAreSkippedAndTheLastOfARepeatedOneCounts) {
  RowSchema schema;
  schema.fields = {{"a", Type::kBigint, 2}, {"b", Type::kVarchar, 1}};
  std::string bytes;
  PutTag(&bytes, 9, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "unknown");
  for (const uint64_t value : {7u, 8u}) {
    PutTag(&bytes, 2, WireType::kVarint);
    PutVarint64(&bytes, value);
  }
  std::vector<Datum> row(2);
  ASSERT_TRUE(DecodeRow(schema, bytes, absl::MakeSpan(row)).ok());
  EXPECT_EQ(row[0].i, 8);
  EXPECT_TRUE(row[1].is_null);
}

TEST(RowCodecTest, MalformedRowsAreDataLoss) {
  RowSchema schema;
  schema.fields = {{"a", Type::kBigint, 1}};
  std::vector<Datum> row(1);
  EXPECT_EQ(DecodeRow(schema, "\x08", absl::MakeSpan(row)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeRow(schema, "\x0a\x01x", absl::MakeSpan(row)).message(),
            "malformed column \"a\" in a row");
}

TEST(KeyMessageTest, KeyBytesAndMessagesConvert) {
  RandomDatums random(PrintedSeed());
  const RowSchema schema = AllTypes();
  for (int round = 0; round < 2'000; ++round) {
    std::vector<Datum> row;
    for (const auto& field : schema.fields) {
      row.push_back(random.Any(field.type));
    }
    std::string message, key, key_of_message, message_of_key;
    EncodeKeyMessage(schema, row, &message);
    EncodeKey({Type::kVarchar, Type::kInt}, {row[4], row[1]}, &key);
    ASSERT_TRUE(MessageToKey(schema, message, &key_of_message).ok());
    EXPECT_EQ(key_of_message, key);
    ASSERT_TRUE(KeyToMessage(schema, key, &message_of_key).ok());
    EXPECT_EQ(message_of_key, message);
  }
}

TEST(KeyMessageTest, ErrorsNameTheField) {
  const RowSchema schema = AllTypes();
  const auto error = [&schema](const std::string& bytes) {
    std::string key;
    const absl::Status status = MessageToKey(schema, bytes, &key);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  std::string bytes;
  PutTag(&bytes, 3, WireType::kVarint);
  PutVarint64(&bytes, 1);
  EXPECT_EQ(error(bytes), "column \"l\" is no key column");
  bytes.clear();
  PutTag(&bytes, 17, WireType::kVarint);
  PutVarint64(&bytes, 1);
  EXPECT_EQ(error(bytes), "no key column has field number 17");
  bytes.clear();
  PutTag(&bytes, 2, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "1");
  EXPECT_EQ(error(bytes), "malformed key column \"i\": not written as INT");
  bytes.clear();
  PutTag(&bytes, 5, WireType::kLengthDelimited);
  PutLengthPrefixed(&bytes, "\xff");
  EXPECT_EQ(error(bytes), "key column \"s\" is not UTF-8");
  EXPECT_EQ(error("\x80"), "malformed key message");
}

// A schema of random key columns, and two rows that often share some.
struct TwoKeys {
  RowSchema schema;
  std::vector<Datum> a, b;
};

TwoKeys AnyTwoKeys(RandomDatums* random) {
  TwoKeys keys;
  const size_t width = 1 + random->Next() % 3;
  for (size_t i = 0; i < width; ++i) {
    const Type type = random->AnyType();
    keys.schema.fields.push_back(
        {absl::StrCat("c", i), type, static_cast<uint32_t>(width - i)});
    keys.schema.key_columns.push_back(static_cast<int>(i));
    keys.a.push_back(random->Any(type));
    keys.b.push_back(random->Next() % 2 == 0 ? keys.a[i] : random->Any(type));
  }
  return keys;
}

TEST(KeyPrefixTest, ExactlyTheKeysWithTheseColumnsStartWithIt) {
  RandomDatums random(PrintedSeed());
  int within = 0, without = 0;
  for (int round = 0; round < 20'000; ++round) {
    const TwoKeys keys = AnyTwoKeys(&random);
    const size_t set = 1 + random.Next() % keys.a.size();
    std::vector<Datum> leading = keys.a;
    std::fill(leading.begin() + static_cast<ptrdiff_t>(set), leading.end(),
              Datum::Null());
    bool has_null = false, same = true;
    std::vector<Type> types;
    for (size_t i = 0; i < keys.a.size(); ++i) {
      types.push_back(keys.schema.fields[i].type);
      if (i >= set) continue;
      has_null = has_null || leading[i].is_null;
      same = same && CompareDatum(types[i], keys.a[i], keys.b[i]) == 0;
    }
    if (has_null) continue;
    std::string message, key;
    EncodeKeyMessage(keys.schema, leading, &message);
    EncodeKey(types, keys.b, &key);
    const absl::StatusOr<std::string> prefix =
        KeyPrefixOf(keys.schema, message);
    ASSERT_TRUE(prefix.ok()) << prefix.status();
    ASSERT_EQ(absl::StartsWith(key, *prefix), same) << "round " << round;
    ++(same ? within : without);
  }
  EXPECT_GT(within, 1'000);
  EXPECT_GT(without, 1'000);
}

TEST(KeyPrefixTest, ATextIsNoPrefixOfALongerOne) {
  RowSchema schema;
  schema.fields = {{"s", Type::kVarchar, 1}, {"n", Type::kInt, 2}};
  schema.key_columns = {0, 1};
  std::string message;
  EncodeKeyMessage(schema, {Datum::Text("a"), Datum::Null()}, &message);
  const std::string prefix = KeyPrefixOf(schema, message).value();
  const std::pair<absl::string_view, bool> kTexts[] = {
      {"a", true},
      {"ab", false},
      {"", false},
      {"b", false},
      {absl::string_view("a\0", 2), false},
      {absl::string_view("a\0\1", 3), false}};
  for (const auto& [text, expected] : kTexts) {
    for (const Datum& n : {Datum::Int(-1), Datum::Null()}) {
      std::string key;
      EncodeKey({Type::kVarchar, Type::kInt}, {Datum::Text(text), n}, &key);
      EXPECT_EQ(absl::StartsWith(key, prefix), expected) << text;
    }
  }
}

TEST(KeyPrefixTest, ErrorsNameTheColumn) {
  const RowSchema schema = AllTypes();  // the key is s, i
  const auto error = [&schema](absl::string_view message) {
    const absl::Status status = KeyPrefixOf(schema, message).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(error("\x10\x01"),
            "a key prefix sets column \"i\" but not the one before it, \"s\"");
  EXPECT_EQ(error(""), "a key prefix sets no column; the first is \"s\"");
  EXPECT_EQ(error("\x18\x01"), "column \"l\" is no key column");
  EXPECT_EQ(error("\x80"), "malformed key message");
  RowSchema keyless = schema;
  keyless.key_columns.clear();
  EXPECT_EQ(KeyPrefixOf(keyless, "").status().message(),
            "a key prefix of a view without key columns");
}

TEST(RowCodecTest, ReadsSomeColumnsAsItReadsAll) {
  RandomDatums random(PrintedSeed());
  for (int round = 0; round < 2'000; ++round) {
    RowSchema schema;
    std::vector<Datum> row;
    std::vector<RowSchema::Field> some;
    std::vector<size_t> places;
    const size_t width = 1 + random.Next() % 20;
    for (size_t i = 0; i < width; ++i) {
      const Type type = random.AnyType();
      schema.fields.push_back(
          {absl::StrCat("c", i), type, static_cast<uint32_t>(3 * i + 1)});
      row.push_back(random.Any(type));
      if (random.Next() % 3 != 0) continue;
      some.push_back(schema.fields.back());
      places.push_back(i);
    }
    std::string bytes;
    EncodeRow(schema, row, &bytes);
    std::vector<Datum> read(some.size(), Datum::Int(1));
    ASSERT_TRUE(DecodeColumns(some, bytes, absl::MakeSpan(read)).ok());
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_EQ(CompareDatum(some[i].type, read[i], row[places[i]]), 0);
    }
  }
}

}  // namespace
}  // namespace tidegate
