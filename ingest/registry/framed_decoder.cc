#include "ingest/registry/framed_decoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ingest/decode/json_decoder.h"

namespace tidegate {

absl::StatusOr<std::unique_ptr<FramedDecoder>> FramedDecoder::Create(
    const SourcePlan& source, const std::vector<bool>& used,
    SchemaRegistries* registries, std::function<void()> wake) {
  std::string url;
  bool binary = false;
  bool protobuf = false;
  for (const Encoding& encoding : source.encodings) {
    if (encoding.schema_registry.empty()) continue;
    url = encoding.schema_registry;
    binary = binary || encoding.format != Format::kJson;
    protobuf = protobuf || encoding.format == Format::kProtobuf;
  }
  auto decoder = std::unique_ptr<FramedDecoder>(new FramedDecoder(protobuf));
  if (!binary) {
    // Columns of INCLUDE are no fields.
    std::vector<bool> fields = used;
    std::fill(
        fields.begin() + static_cast<std::ptrdiff_t>(source.value_columns()),
        fields.end(), false);
    decoder->json_ = MakeJsonDecoder(source.columns, fields);
    return decoder;
  }
  if (registries == nullptr) {
    return absl::InvalidArgumentError("no schema registry can be asked here");
  }
  ASSIGN_OR_RETURN(decoder->decoders_,
                   registries->Open(
                       url,
                       [source, used](const WriterSchema& schema,
                                      const std::vector<int>& message_indexes) {
                         return MakeWriterDecoder(source, used, schema,
                                                  message_indexes);
                       },
                       std::move(wake)));
  return decoder;
}

absl::Status FramedDecoder::Decode(absl::string_view value, MutableRow row) {
  if (json_ != nullptr) {
    RETURN_IF_ERROR(ParseFrame(value, &frame_));
    return json_->Decode(value.substr(frame_.size), row);
  }
  if (last_ == nullptr || !absl::StartsWith(value, last_frame_)) {
    last_ = nullptr;
    RETURN_IF_ERROR(Find(value));
  }
  if (last_->decoder == nullptr) return last_->failure;
  return last_->decoder->Decode(value.substr(last_frame_.size()), row);
}

absl::Status FramedDecoder::Find(absl::string_view value) {
  RETURN_IF_ERROR(ParseFrame(value, &frame_));
  // Of JSON beside Protobuf, whose paths are told apart from it: read as a
  // count, a brace is negative.
  const bool is_object =
      value.size() > kFrameIdBytes && value[kFrameIdBytes] == '{';
  if (protobuf_ && !is_object) {
    RETURN_IF_ERROR(ParseMessageIndexes(value, &frame_));
  }
  const absl::string_view bytes = value.substr(0, frame_.size);
  const auto found = entries_.find(bytes);
  if (found != entries_.end()) {
    last_ = found->second.get();
  } else {
    auto taken = decoders_->Take(frame_.schema_id, frame_.message_indexes);
    absl::Status status = taken.status();
    if (!status.ok() && !absl::IsFailedPrecondition(status)) return status;
    RETURN_IF_ERROR(MakeRoom());
    auto entry = std::make_unique<Entry>();
    if (status.ok()) entry->decoder = *std::move(taken);
    entry->failure = std::move(status);
    last_ = entry.get();
    entries_.emplace(bytes, std::move(entry));
  }
  last_->used = ++uses_;
  last_frame_.assign(bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status FramedDecoder::MakeRoom() {
  if (entries_.size() < kMaxWriterDecoders) return absl::OkStatus();
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const Entry& entry = *at->second;
    if (entry.kept_until != kNoEventTime && entry.kept_until >= watermark_) {
      continue;
    }
    if (oldest == entries_.end() || entry.used < oldest->second->used) {
      oldest = at;
    }
  }
  if (oldest != entries_.end()) {
    entries_.erase(oldest);
    return absl::OkStatus();
  }
  if (entries_.size() < kMaxPinnedWriterDecoders) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "records of too many schemas wait for the watermark: schemas=",
      entries_.size()));
}

void FramedDecoder::KeepUntil(EventTime time) {
  if (last_ != nullptr) last_->kept_until = std::max(last_->kept_until, time);
}

}  // namespace tidegate
