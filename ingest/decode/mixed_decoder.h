// A topic whose records are written in more than one way: told apart by their
// first byte.
#ifndef TIDEGATE_INGEST_DECODE_MIXED_DECODER_H_
#define TIDEGATE_INGEST_DECODE_MIXED_DECODER_H_

#include <memory>

#include "absl/strings/string_view.h"
#include "ingest/decode/decoder.h"

namespace tidegate {

// How a record is laid out.
enum class Layout {
  kFramed,  // a zero byte, the schema's id, and the value
  kJson,
  kBinary,  // bare Protobuf or Avro
};

// A decoder for each layout that the topic has, at least one; null for the
// others.
struct LayoutDecoders {
  std::unique_ptr<Decoder> framed;
  std::unique_ptr<Decoder> json;
  std::unique_ptr<Decoder> binary;
};

// Byte 0 is a frame, if there are framed records: JSON does not begin with it,
// and no Protobuf message does. Without binary records everything else is JSON,
// with spaces before it or not. With them, JSON begins with '{': in Protobuf
// that would be the start of a group, field 15, which proto3 has not.
Layout LayoutOf(absl::string_view value, const LayoutDecoders& decoders);

// Runs on one thread.
std::unique_ptr<Decoder> MakeMixedDecoder(LayoutDecoders decoders);

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_DECODE_MIXED_DECODER_H_
