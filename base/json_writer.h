// Writes JSON text; the caller keeps the nesting right.
#ifndef TIDEGATE_BASE_JSON_WRITER_H_
#define TIDEGATE_BASE_JSON_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

// Appends to a string; commas are put where they belong. Thread-compatible.
class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(absl::string_view name);
  // Bytes that are not UTF-8 become U+FFFD.
  JsonWriter& String(absl::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Uint(uint64_t value);
  // Shortest text that reads back the same; NaN and infinities as strings, as
  // Protobuf's JSON mapping has them.
  JsonWriter& Double(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();

 private:
  void BeforeValue();
  std::string* const out_;
  bool need_comma_ = false;
  int depth_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_BASE_JSON_WRITER_H_
