// Passes over Avro values of any type.
#ifndef TIDEGATE_INGEST_DECODE_AVRO_SKIPPER_H_
#define TIDEGATE_INGEST_DECODE_AVRO_SKIPPER_H_

#include <cstdint>
#include <vector>

#include "ingest/decode/avro_reader.h"
#include "ingest/decode/avro_schema.h"

namespace tidegate {

// How deep a value may nest; a schema that contains itself sets no limit.
inline constexpr int kMaxAvroDepth = 100;

// Thread-compatible. Borrows the schema.
class AvroSkipper {
 public:
  explicit AvroSkipper(const AvroSchema* schema);

  // The size of every value of the type, at most kMaxWidth; -1 if they differ.
  static constexpr int64_t kMaxWidth = int64_t{1} << 40;
  int64_t WidthOf(int type) const { return widths_[type]; }

  // Moves past a value; null, or why that is not possible. Takes time in
  // proportion to the bytes passed, whatever they say: an item of an array
  // takes a byte at least, or all of them take none.
  const char* Skip(AvroReader* reader, int type) const {
    return SkipAt(reader, type, 0);
  }

 private:
  int64_t Measure(int type);
  const char* SkipAt(AvroReader* reader, int type, int depth) const;
  const char* SkipItems(AvroReader* reader, const AvroType& type,
                        int depth) const;
  const char* SkipBlock(AvroReader* reader, const AvroType& type, int64_t count,
                        int depth) const;

  const AvroSchema& schema_;
  std::vector<int64_t> widths_;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_AVRO_SKIPPER_H_
