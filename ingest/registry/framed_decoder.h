// Decodes records in a schema registry's wire format, each by the schema that
// it was written with.
#ifndef TIDEGATE_INGEST_REGISTRY_FRAMED_DECODER_H_
#define TIDEGATE_INGEST_REGISTRY_FRAMED_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "ingest/decode/decoder.h"
#include "ingest/registry/framing.h"
#include "ingest/registry/writer_decoders.h"
#include "views/plan/plan.h"

namespace tidegate {

// Decoders that a source keeps; the ones used least recently go first.
inline constexpr size_t kMaxWriterDecoders = 256;
// With those that the reorder buffer needs.
inline constexpr size_t kMaxPinnedWriterDecoders = 4096;

// Runs on the fold thread. Without an allocation per record as long as the
// schemas are known.
class FramedDecoder final : public Decoder {
 public:
  // For a source with an encoding that has a registry. `registries` may be null
  // if that is JSON alone, whose schemas are not asked for. InvalidArgument if
  // the registry's URL cannot be used.
  static absl::StatusOr<std::unique_ptr<FramedDecoder>> Create(
      const SourcePlan& source, const std::vector<bool>& used,
      SchemaRegistries* registries, std::function<void()> wake);

  // Besides InvalidArgument, of a bad record:
  //   Unavailable: its schema is not here yet; to be called again after `wake`.
  //   NotFound: the registry does not know its schema. Another time it may.
  //   FailedPrecondition: its schema does not fit the source, for good.
  //   ResourceExhausted: too many schemas are needed at a time.
  absl::Status Decode(absl::string_view value, MutableRow row) override;

  // What was decoded last will be decoded once more, until the watermark has
  // passed `time`: its decoder stays here.
  void KeepUntil(EventTime time);
  void set_watermark(EventTime watermark) { watermark_ = watermark; }

 private:
  struct Entry {
    std::unique_ptr<Decoder> decoder;  // null: every record fails
    absl::Status failure;
    EventTime kept_until = kNoEventTime;
    uint64_t used = 0;
  };
  explicit FramedDecoder(bool protobuf) : protobuf_(protobuf) {}
  // Makes the frame of `value` the last one.
  absl::Status Find(absl::string_view value);
  absl::Status MakeRoom();

  const bool protobuf_;            // frames may have message indexes
  std::unique_ptr<Decoder> json_;  // of all records, if there is no other
  std::unique_ptr<WriterDecoders> decoders_;
  // By the frame's bytes. Entries do not move.
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
  Frame frame_;  // scratch
  std::string last_frame_;
  Entry* last_ = nullptr;
  uint64_t uses_ = 0;
  EventTime watermark_ = kNoEventTime;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_FRAMED_DECODER_H_
