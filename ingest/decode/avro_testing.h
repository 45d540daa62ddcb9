// For tests: Avro values, byte by byte.
#ifndef TIDEGATE_INGEST_DECODE_AVRO_TESTING_H_
#define TIDEGATE_INGEST_DECODE_AVRO_TESTING_H_

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

class AvroBytes {
 public:
  // A whole number, an enum's position, a union's branch, a count.
  AvroBytes& Long(int64_t value) {
    uint64_t bits = (static_cast<uint64_t>(value) << 1) ^
                    static_cast<uint64_t>(value >> 63);
    while (bits >= 0x80) {
      Byte(static_cast<uint8_t>(bits | 0x80));
      bits >>= 7;
    }
    return Byte(static_cast<uint8_t>(bits));
  }
  AvroBytes& Byte(uint8_t byte) {
    text_.push_back(static_cast<char>(byte));
    return *this;
  }
  AvroBytes& Float(float value) { return Copy(&value, sizeof(value)); }
  AvroBytes& Double(double value) { return Copy(&value, sizeof(value)); }
  AvroBytes& Text(absl::string_view text) {
    Long(static_cast<int64_t>(text.size()));
    return Raw(text);
  }
  AvroBytes& Raw(absl::string_view bytes) {
    text_.append(bytes.data(), bytes.size());
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  // On machines whose least byte comes first, as everywhere here.
  AvroBytes& Copy(const void* value, size_t size) {
    return Raw(absl::string_view(static_cast<const char*>(value), size));
  }

  std::string text_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_AVRO_TESTING_H_
