#include "ingest/decode/avro_skipper.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/string_view.h"

namespace tidegate {
namespace {

constexpr int64_t kUnknown = -2;  // not measured yet
constexpr int64_t kVaries = -1;

constexpr char kEnds[] = "the record ends within it";
constexpr char kNumber[] = "a number that is not one, or the record's end";
constexpr char kLength[] = "a length beyond the record's end, or below zero";
constexpr char kBranch[] = "a union branch that the schema has not";
constexpr char kItems[] = "more items than bytes are left";
constexpr char kDeep[] = "values nested too deeply";

}  // namespace

AvroSkipper::AvroSkipper(const AvroSchema* schema) : schema_(*schema) {
  widths_.assign(schema_.types().size(), kUnknown);
  for (size_t i = 0; i < widths_.size(); ++i) Measure(static_cast<int>(i));
}

int64_t AvroSkipper::Measure(int type) {
  int64_t& width = widths_[type];
  if (width != kUnknown) return width;
  // While it is being measured: a record that is in itself has no size.
  width = kVaries;
  const AvroType& measured = schema_.types()[type];
  switch (measured.kind) {
    case AvroKind::kNull:
      return width = 0;
    case AvroKind::kBoolean:
      return width = 1;
    case AvroKind::kFloat:
      return width = 4;
    case AvroKind::kDouble:
      return width = 8;
    case AvroKind::kFixed:
      return width = measured.size;
    case AvroKind::kRecord: {
      int64_t sum = 0;
      for (const int part : measured.parts) {
        const int64_t one = Measure(part);
        if (one == kVaries) return kVaries;
        sum = std::min(sum + one, kMaxWidth);
      }
      return width = sum;
    }
    default:
      return kVaries;
  }
}

const char* AvroSkipper::SkipAt(AvroReader* reader, int type, int depth) const {
  const int64_t width = widths_[type];
  if (width >= 0) {
    return reader->Skip(static_cast<uint64_t>(width)) ? nullptr : kEnds;
  }
  if (depth > kMaxAvroDepth) return kDeep;
  const AvroType& skipped = schema_.types()[type];
  switch (skipped.kind) {
    case AvroKind::kInt:
    case AvroKind::kLong:
    case AvroKind::kEnum:
      return reader->SkipLong() ? nullptr : kNumber;
    case AvroKind::kBytes:
    case AvroKind::kString:
      return reader->SkipText() ? nullptr : kLength;
    case AvroKind::kArray:
    case AvroKind::kMap:
      return SkipItems(reader, skipped, depth);
    case AvroKind::kUnion: {
      int64_t branch = 0;
      if (!reader->Long(&branch)) return kNumber;
      if (branch < 0 || static_cast<size_t>(branch) >= skipped.parts.size()) {
        return kBranch;
      }
      return SkipAt(reader, skipped.parts[branch], depth + 1);
    }
    case AvroKind::kRecord:
      for (const int part : skipped.parts) {
        const char* const fault = SkipAt(reader, part, depth + 1);
        if (fault != nullptr) return fault;
      }
      return nullptr;
    default:
      return nullptr;
  }
}

// Blocks of items, up to one of none. Before a block of -n items stands how
// many bytes it has.
const char* AvroSkipper::SkipItems(AvroReader* reader, const AvroType& type,
                                   int depth) const {
  while (true) {
    int64_t count = 0;
    if (!reader->Long(&count)) return kNumber;
    if (count == 0) return nullptr;
    if (count < 0) {
      int64_t bytes = 0;
      if (!reader->Long(&bytes)) return kNumber;
      if (bytes < 0 || !reader->Skip(static_cast<uint64_t>(bytes))) {
        return kLength;
      }
      continue;
    }
    const char* const fault = SkipBlock(reader, type, count, depth);
    if (fault != nullptr) return fault;
  }
}

const char* AvroSkipper::SkipBlock(AvroReader* reader, const AvroType& type,
                                   int64_t count, int depth) const {
  const bool map = type.kind == AvroKind::kMap;
  const int item = type.parts[0];
  const int64_t width = map ? kVaries : widths_[item];
  if (width == 0) return nullptr;
  const int64_t least = std::max<int64_t>(width, 1);
  if (count > static_cast<int64_t>(reader->left()) / least) return kItems;
  if (width > 0) {
    return reader->Skip(static_cast<uint64_t>(count * width)) ? nullptr : kEnds;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (map && !reader->SkipText()) return kLength;
    const char* const fault = SkipAt(reader, item, depth + 1);
    if (fault != nullptr) return fault;
  }
  return nullptr;
}

}  // namespace tidegate
