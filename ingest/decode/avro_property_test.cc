// Random schemas and values, against libavro: what it reads from the bytes is
// what our decoder must.
#include <avro.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "ingest/decode/avro_decoder.h"
#include "ingest/decode/avro_schema.h"
#include "ingest/decode/avro_testing.h"
#include "ingest/decode/test_rows.h"

namespace tidegate {
namespace {

constexpr int kSchemas = 400;
constexpr int kValuesPerSchema = 10;
constexpr int kMaxDepth = 3;

struct Tree {
  AvroKind kind = AvroKind::kNull;
  std::vector<Tree> parts;
  std::vector<std::string> symbols;
  int size = 0;
  std::string json;
};

// Writes schemas, and values of them: arrays and maps in blocks of any
// division, with their sizes or not.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  Tree MakeRecord(int depth) {
    Tree tree;
    tree.kind = AvroKind::kRecord;
    const std::string name = NewName();
    std::vector<std::string> fields;
    const uint64_t count = 1 + Below(depth == 0 ? 9 : 4);
    for (uint64_t i = 0; i < count; ++i) {
      tree.parts.push_back(Make(depth + 1, /*in_union=*/false));
      fields.push_back(absl::StrCat(R"({"name":"f)", i, R"(","type":)",
                                    tree.parts.back().json, "}"));
    }
    tree.json =
        absl::StrCat(R"({"type":"record","name":")", name, R"(","fields":[)",
                     absl::StrJoin(fields, ","), "]}");
    return Remember(std::move(tree), name);
  }

  void Write(const Tree& tree, AvroBytes* out) {
    switch (tree.kind) {
      case AvroKind::kNull:
        return;
      case AvroKind::kBoolean:
        out->Byte(static_cast<uint8_t>(Below(2)));
        return;
      case AvroKind::kInt:
        out->Long(static_cast<int32_t>(random_() >> Below(64)));
        return;
      case AvroKind::kLong:
        WriteLong(out);
        return;
      case AvroKind::kFloat:
        out->Float(static_cast<float>(Below(1000)) / 8);
        return;
      case AvroKind::kDouble:
        out->Double(static_cast<double>(Below(1'000'000)) / 64);
        return;
      case AvroKind::kBytes:
      case AvroKind::kString:
        WriteText(out);
        return;
      case AvroKind::kFixed:
        out->Raw(std::string(tree.size, 'x'));
        return;
      case AvroKind::kEnum:
        out->Long(static_cast<int64_t>(Below(tree.symbols.size())));
        return;
      case AvroKind::kArray:
      case AvroKind::kMap:
        WriteItems(tree, out);
        return;
      case AvroKind::kUnion: {
        const uint64_t branch = Below(tree.parts.size());
        out->Long(static_cast<int64_t>(branch));
        Write(tree.parts[branch], out);
        return;
      }
      case AvroKind::kRecord:
        for (const Tree& part : tree.parts) Write(part, out);
        return;
    }
  }

 private:
  std::string NewName() { return absl::StrCat("n", ++names_); }

  // The next ones may refer to it.
  Tree Remember(Tree tree, const std::string& name) {
    Tree known = tree;
    known.json = absl::StrCat("\"", name, "\"");
    named_.push_back(std::move(known));
    return tree;
  }

  void WriteLong(AvroBytes* out) {
    const uint64_t bits = random_() >> Below(64);
    out->Long(static_cast<int64_t>(Below(2) == 0 ? bits : ~bits));
  }

  void WriteText(AvroBytes* out) {
    static constexpr absl::string_view kTexts[] = {
        "", "a", "né", "wörter", "日本", "0123456789abcdef"};
    std::string text;
    for (uint64_t i = Below(4); i > 0; --i) {
      absl::StrAppend(&text, kTexts[Below(6)]);
    }
    out->Text(text);
  }

  void WriteItems(const Tree& tree, AvroBytes* out) {
    for (uint64_t blocks = Below(4); blocks > 0; --blocks) {
      const auto count = static_cast<int64_t>(1 + Below(3));
      AvroBytes items;
      for (int64_t i = 0; i < count; ++i) {
        if (tree.kind == AvroKind::kMap) items.Text(absl::StrCat("k", i));
        Write(tree.parts[0], &items);
      }
      if (Below(2) == 0) {
        out->Long(count);
      } else {
        out->Long(-count).Long(static_cast<int64_t>(items.text().size()));
      }
      out->Raw(items.text());
    }
    out->Long(0);
  }

  Tree Primitive(uint64_t kind) {
    static constexpr const char* kNames[] = {
        "null", "boolean", "int", "long", "float", "double", "bytes", "string"};
    Tree tree;
    tree.kind = static_cast<AvroKind>(kind);
    tree.json = absl::StrCat("\"", kNames[kind], "\"");
    if (Below(4) == 0) tree.json = absl::StrCat(R"({"type":)", tree.json, "}");
    return tree;
  }

  Tree MakeUnion(int depth) {
    Tree tree;
    tree.kind = AvroKind::kUnion;
    std::vector<std::string> branches;
    // Each kind once, as Avro wants it.
    for (uint64_t kind = 0; kind < 8; ++kind) {
      if (Below(3) == 0) tree.parts.push_back(Primitive(kind));
    }
    if (tree.parts.empty() || Below(3) == 0) {
      tree.parts.push_back(Make(depth + 1, /*in_union=*/true));
    }
    for (const Tree& part : tree.parts) branches.push_back(part.json);
    tree.json = absl::StrCat("[", absl::StrJoin(branches, ","), "]");
    return tree;
  }

  // In a union only what has a name of its own, or is an array or a map.
  Tree Make(int depth, bool in_union) {
    const uint64_t pick = Below(16);
    if (!in_union && (pick < 8 || depth > kMaxDepth))
      return Primitive(pick % 8);
    if (!in_union && pick < 11) return MakeUnion(depth);
    Tree tree;
    const std::string name = NewName();
    if (pick == 11 || depth > kMaxDepth) {
      tree.kind = AvroKind::kEnum;
      tree.symbols = {"RED", "GREEN", "BLUE"};
      tree.json = absl::StrCat(R"({"type":"enum","name":")", name,
                               R"(","symbols":["RED","GREEN","BLUE"]})");
      return Remember(std::move(tree), name);
    }
    if (pick == 12) {
      tree.kind = AvroKind::kFixed;
      tree.size = static_cast<int>(1 + Below(8));
      tree.json = absl::StrCat(R"({"type":"fixed","name":")", name,
                               R"(","size":)", tree.size, "}");
      return Remember(std::move(tree), name);
    }
    if (pick == 13) return MakeRecord(depth);
    if (pick == 14 && !named_.empty()) return named_[Below(named_.size())];
    const bool map = Below(2) == 0;
    tree.kind = map ? AvroKind::kMap : AvroKind::kArray;
    tree.parts.push_back(Make(depth + 1, /*in_union=*/false));
    tree.json = absl::StrCat(R"({"type":")", map ? "map" : "array", R"(",")",
                             map ? "values" : "items", R"(":)",
                             tree.parts[0].json, "}");
    return tree;
  }

  std::mt19937_64 random_;
  int names_ = 0;
  std::vector<Tree> named_;
};

// What libavro has, as ShowDatum writes a column of `type`.
std::string Show(avro_value_t value, Type type) {
  switch (avro_value_get_type(&value)) {
    case AVRO_UNION: {
      avro_value_t branch;
      avro_value_get_current_branch(&value, &branch);
      return Show(branch, type);
    }
    case AVRO_NULL:
      return "NULL";
    case AVRO_BOOLEAN: {
      int bit = 0;
      avro_value_get_boolean(&value, &bit);
      return bit != 0 ? "true" : "false";
    }
    case AVRO_INT32: {
      int32_t number = 0;
      avro_value_get_int(&value, &number);
      return absl::StrCat(number);
    }
    case AVRO_INT64: {
      int64_t number = 0;
      avro_value_get_long(&value, &number);
      return absl::StrCat(number);
    }
    case AVRO_FLOAT: {
      float number = 0;
      avro_value_get_float(&value, &number);
      return ShowDatum(type, Datum::Double(number));
    }
    case AVRO_DOUBLE: {
      double number = 0;
      avro_value_get_double(&value, &number);
      return ShowDatum(type, Datum::Double(number));
    }
    case AVRO_STRING: {
      const char* text = nullptr;
      size_t size = 0;  // with the NUL at the end
      avro_value_get_string(&value, &text, &size);
      return absl::StrCat("'", absl::string_view(text, size - 1), "'");
    }
    case AVRO_ENUM: {
      int number = 0;
      avro_value_get_enum(&value, &number);
      if (type != Type::kVarchar) return absl::StrCat(number);
      return absl::StrCat(
          "'", avro_schema_enum_get(avro_value_get_schema(&value), number),
          "'");
    }
    default:
      return "?";
  }
}

// The schema and one value, as libavro reads them.
class LibavroRecord {
 public:
  explicit LibavroRecord(const std::string& json) {
    EXPECT_EQ(avro_schema_from_json_length(json.data(), json.size(), &schema_),
              0)
        << avro_strerror() << " " << json;
    class_ = avro_generic_class_from_schema(schema_);
    avro_generic_value_new(class_, &value_);
  }
  ~LibavroRecord() {
    avro_value_decref(&value_);
    avro_value_iface_decref(class_);
    avro_schema_decref(schema_);
  }

  bool Read(const std::string& bytes) {
    avro_value_reset(&value_);
    avro_reader_t reader =
        avro_reader_memory(bytes.data(), static_cast<int64_t>(bytes.size()));
    const bool read = avro_value_read(reader, &value_) == 0;
    avro_reader_free(reader);
    return read;
  }

  std::string Field(size_t index, Type type) {
    avro_value_t field;
    avro_value_get_by_index(&value_, index, &field, nullptr);
    return Show(field, type);
  }

 private:
  avro_schema_t schema_ = nullptr;
  avro_value_iface_t* class_ = nullptr;
  avro_value_t value_;
};

constexpr Type kTypes[] = {Type::kBoolean, Type::kInt, Type::kBigint,
                           Type::kDouble, Type::kVarchar};

// Columns for the fields that fit one, of those a part.
std::vector<Column> MakeColumns(const Tree& record, const WriterSchema& schema,
                                Generator* generator) {
  std::vector<Column> columns;
  for (size_t i = 0; i < record.parts.size(); ++i) {
    if (generator->Below(3) == 0) continue;
    const uint64_t first = generator->Below(5);
    for (uint64_t t = 0; t < 5; ++t) {
      SourcePlan source;
      source.columns = {{absl::StrCat("f", i), kTypes[(first + t) % 5]}};
      if (!MakeAvroWriterDecoder(source, {true}, schema).ok()) continue;
      columns.push_back(source.columns[0]);
      break;
    }
  }
  return columns;
}

TEST(AvroPropertyTest, ReadsWhatLibavroReads) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed=", seed));
  Generator generator(seed);
  int compared = 0;
  for (int s = 0; s < kSchemas; ++s) {
    const Tree record = generator.MakeRecord(0);
    SCOPED_TRACE(record.json);
    LibavroRecord oracle(record.json);
    WriterSchema schema;
    schema.text = record.json;
    SourcePlan source;
    source.columns = MakeColumns(record, schema, &generator);
    const auto decoder = MakeAvroWriterDecoder(
        source, std::vector<bool>(source.columns.size(), true), schema);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    for (int v = 0; v < kValuesPerSchema; ++v) {
      AvroBytes bytes;
      generator.Write(record, &bytes);
      ASSERT_TRUE(oracle.Read(bytes.text())) << avro_strerror();
      std::vector<std::string> expected;
      for (const Column& column : source.columns) {
        const auto index =
            static_cast<size_t>(std::atoi(column.name.c_str() + 1));
        expected.push_back(
            absl::StrCat(column.name, "=", oracle.Field(index, column.type)));
      }
      ASSERT_EQ(DecodeToText(decoder->get(), source.columns, bytes.text()),
                absl::StrJoin(expected, " "))
          << absl::BytesToHexString(bytes.text());
      compared += static_cast<int>(expected.size());
    }
    // The named types of one schema are not those of the next.
    generator = Generator(seed + static_cast<uint64_t>(s) + 1);
  }
  EXPECT_GT(compared, kSchemas * kValuesPerSchema);
}

// Whatever the bytes say, they are read to their end and not beyond it.
TEST(AvroPropertyTest, DamagedValuesAreReadOrRefused) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed=", seed));
  int refused = 0;
  for (int s = 0; s < kSchemas; ++s) {
    Generator generator(seed + static_cast<uint64_t>(s));
    const Tree record = generator.MakeRecord(0);
    SCOPED_TRACE(record.json);
    WriterSchema schema;
    schema.text = record.json;
    SourcePlan source;
    source.columns = MakeColumns(record, schema, &generator);
    const auto decoder = MakeAvroWriterDecoder(
        source, std::vector<bool>(source.columns.size(), true), schema);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    AvroBytes bytes;
    generator.Write(record, &bytes);
    std::vector<Datum> row(source.columns.size());
    for (int i = 0; i < 50; ++i) {
      std::string damaged = bytes.text();
      if (!damaged.empty()) {
        damaged[generator.Below(damaged.size())] ^=
            static_cast<char>(1 + generator.Below(255));
      }
      damaged.resize(generator.Below(damaged.size() + 2));
      // Copied, so that a sanitizer sees its end.
      const std::vector<char> exact(damaged.begin(), damaged.end());
      const absl::Status status = (*decoder)->Decode(
          absl::string_view(exact.data(), exact.size()), absl::MakeSpan(row));
      if (!status.ok()) {
        EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, kSchemas);
}

}  // namespace
}  // namespace tidegate
