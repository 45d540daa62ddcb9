// The schema registry of `tidegate bench formats`: the product's own client,
// whose HTTP is answered in the process.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REGISTRY_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REGISTRY_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cmd/tidegate/formats/format_events.h"
#include "ingest/registry/writer_decoders.h"

namespace tidegate {

// Knows the schemas of Avro and Protobuf.
std::unique_ptr<SchemaRegistries> MakeFormatRegistries();

// What stands behind ENCODE for records that FormatFrame() begins.
std::string FramedEncodeClause(BenchFormat format);

// What a registry's serializer puts in front of a record: five bytes for Avro,
// six for Protobuf, none for JSON, which needs no registry.
absl::string_view FormatFrame(BenchFormat format);

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_FORMAT_REGISTRY_H_
