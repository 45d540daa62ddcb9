// An entry on disk: time, topic, partition, offset, timestamp, flags, the sizes
// of key, value and replay_views, and its bytes: those of headers (if the flags
// say that there are any, after their size in four bytes), key, value,
// replay_views and replay_origin. A header is its name, a byte that tells a
// value from null, and the value.
#include "ingest/loop/reorder_buffer.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

// Read from a run at a time.
constexpr size_t kRunReadBytes = 64 << 10;
// Written to a run at a time.
constexpr size_t kRunWriteBytes = 1 << 20;

constexpr uint8_t kHasKey = 1;
constexpr uint8_t kHasValue = 2;
constexpr uint8_t kIsReplay = 4;
constexpr uint8_t kHasHeaders = 8;
constexpr size_t kHeadersSizeBytes = 4;

void PutSigned(std::string* out, int64_t value) {
  PutVarint64(out, ZigZag(value));
}

bool GetSigned(absl::string_view* in, int64_t* value) {
  uint64_t raw = 0;
  if (!GetVarint64(in, &raw)) return false;
  *value = UnZigZag(raw);
  return true;
}

// In front of an entry's bytes.
void PutHeaders(const HeaderView& headers, std::string* out) {
  std::string list;
  headers.ForEach([&](absl::string_view name, HeaderView::Value value) {
    PutLengthPrefixed(&list, name);
    list.push_back(value.has_value() ? 1 : 0);
    PutLengthPrefixed(&list, value.value_or(""));
  });
  const uint32_t size = static_cast<uint32_t>(list.size());
  for (size_t i = 0; i < kHeadersSizeBytes; ++i) {
    out->push_back(static_cast<char>(size >> (8 * i)));
  }
  out->append(list);
}

// Takes them away from the bytes' front.
absl::string_view TakeHeaders(absl::string_view* bytes) {
  uint32_t size = 0;
  for (size_t i = 0; i < kHeadersSizeBytes; ++i) {
    size |= uint32_t{static_cast<uint8_t>((*bytes)[i])} << (8 * i);
  }
  const absl::string_view list = bytes->substr(kHeadersSizeBytes, size);
  bytes->remove_prefix(kHeadersSizeBytes + size);
  return list;
}

void EachHeader(const void* bytes, HeaderView::Sink sink) {
  absl::string_view all = *static_cast<const std::string*>(bytes);
  absl::string_view list = TakeHeaders(&all);
  absl::string_view name;
  while (GetLengthPrefixed(&list, &name) && !list.empty()) {
    const bool has_value = list.front() != 0;
    list.remove_prefix(1);
    absl::string_view value;
    if (!GetLengthPrefixed(&list, &value)) return;
    sink(name, has_value ? HeaderView::Value(value) : std::nullopt);
  }
}

bool LastHeader(const void* bytes, const std::string& name,
                HeaderView::Value* value) {
  bool found = false;
  EachHeader(bytes, [&](absl::string_view at, HeaderView::Value one) {
    if (at != name) return;
    *value = one;
    found = true;
  });
  return found;
}

// Of the list in an entry's bytes.
constexpr HeaderView::Access kEntryAccess = {.last = &LastHeader,
                                             .each = &EachHeader};

}  // namespace

struct ReorderBuffer::Entry {
  EventTime time;
  int topic = 0;
  PartitionId partition;
  Offset offset;
  int64_t timestamp_ms = 0;
  uint8_t flags = 0;
  uint32_t key_size = 0;
  uint32_t value_size = 0;
  uint32_t views_size = 0;
  std::string bytes;  // headers, key, value, replay_views, replay_origin

  size_t memory() const { return sizeof(Entry) + bytes.capacity(); }
  auto place() const { return std::tie(time, partition, offset, topic); }

  RawRecord Borrow() const {
    absl::string_view all = bytes;
    RawRecord record;
    if ((flags & kHasHeaders) != 0) {
      TakeHeaders(&all);
      record.headers = HeaderView(&bytes, &kEntryAccess);
    }
    record.topic = topic;
    record.partition = partition;
    record.offset = offset;
    record.timestamp_ms = timestamp_ms;
    record.has_key = (flags & kHasKey) != 0;
    record.key = all.substr(0, key_size);
    record.has_value = (flags & kHasValue) != 0;
    record.value = all.substr(key_size, value_size);
    record.is_replay = (flags & kIsReplay) != 0;
    record.replay_views = all.substr(key_size + value_size, views_size);
    record.replay_origin = all.substr(key_size + value_size + views_size);
    return record;
  }

  void Encode(std::string* out) const {
    PutSigned(out, time.value());
    PutVarint64(out, static_cast<uint64_t>(topic));
    PutSigned(out, partition.value());
    PutSigned(out, offset.value());
    PutSigned(out, timestamp_ms);
    out->push_back(static_cast<char>(flags));
    PutVarint64(out, key_size);
    PutVarint64(out, value_size);
    PutVarint64(out, views_size);
    PutLengthPrefixed(out, bytes);
  }

  // False if `in` ends before the entry does.
  bool Decode(absl::string_view* in) {
    absl::string_view rest = *in;
    int64_t at = 0, number = 0, place = 0;
    uint64_t from = 0, key = 0, value = 0, views = 0;
    absl::string_view content;
    if (!GetSigned(&rest, &at) || !GetVarint64(&rest, &from) ||
        !GetSigned(&rest, &number) || !GetSigned(&rest, &place) ||
        !GetSigned(&rest, &timestamp_ms) || rest.empty()) {
      return false;
    }
    flags = static_cast<uint8_t>(rest.front());
    rest.remove_prefix(1);
    if (!GetVarint64(&rest, &key) || !GetVarint64(&rest, &value) ||
        !GetVarint64(&rest, &views) || !GetLengthPrefixed(&rest, &content)) {
      return false;
    }
    time = EventTime(at);
    topic = static_cast<int>(from);
    partition = PartitionId(static_cast<int32_t>(number));
    offset = Offset(place);
    key_size = static_cast<uint32_t>(key);
    value_size = static_cast<uint32_t>(value);
    views_size = static_cast<uint32_t>(views);
    bytes.assign(content.data(), content.size());
    *in = rest;
    return true;
  }
};

// A sorted run on disk, with its first entry in memory.
class ReorderBuffer::Run {
 public:
  Run(std::unique_ptr<SpillFile> file, size_t entries, size_t bytes)
      : file_(std::move(file)), left_(entries), bytes_(bytes) {}

  // To the next entry. Requires that there is one.
  absl::Status Next() {
    for (;;) {
      absl::string_view rest = absl::string_view(buffer_).substr(read_);
      if (head_.Decode(&rest)) {
        read_ = buffer_.size() - rest.size();
        --left_;
        return absl::OkStatus();
      }
      buffer_.erase(0, read_);
      read_ = 0;
      std::string more;
      RETURN_IF_ERROR(file_->Read(kRunReadBytes, &more));
      if (more.empty()) {
        return absl::DataLossError(
            absl::StrCat("a spilled run ends early: records left=", left_));
      }
      buffer_ += more;
    }
  }
  const Entry& head() const { return head_; }
  size_t left() const { return left_; }  // behind the head
  size_t bytes() const { return bytes_; }

 private:
  const std::unique_ptr<SpillFile> file_;
  size_t left_;
  const size_t bytes_;  // of the file
  std::string buffer_;
  size_t read_ = 0;  // of the buffer
  Entry head_;
};

namespace {

// For heaps whose front is the least.
constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.place() > b.place();
};
constexpr auto kRunLater = [](const auto& a, const auto& b) {
  return a->head().place() > b->head().place();
};

}  // namespace

ReorderBuffer::ReorderBuffer(size_t max_bytes, SpillFiles* spill)
    : max_bytes_(max_bytes), spill_(spill) {}
ReorderBuffer::~ReorderBuffer() = default;

absl::Status ReorderBuffer::Add(const RawRecord& record, EventTime time) {
  if (memory_bytes_ >= max_bytes_) RETURN_IF_ERROR(Spill());
  Entry entry;
  entry.time = time;
  entry.topic = record.topic;
  entry.partition = record.partition;
  entry.offset = record.offset;
  entry.timestamp_ms = record.timestamp_ms;
  entry.flags = static_cast<uint8_t>(
      (record.has_key ? kHasKey : 0) | (record.has_value ? kHasValue : 0) |
      (record.is_replay ? kIsReplay : 0) |
      (record.headers.empty() ? 0 : kHasHeaders));
  entry.key_size = static_cast<uint32_t>(record.key.size());
  entry.value_size = static_cast<uint32_t>(record.value.size());
  entry.views_size = static_cast<uint32_t>(record.replay_views.size());
  if (!record.headers.empty()) PutHeaders(record.headers, &entry.bytes);
  absl::StrAppend(&entry.bytes, record.key, record.value, record.replay_views,
                  record.replay_origin);
  memory_bytes_ += entry.memory();
  heap_.push_back(std::move(entry));
  std::push_heap(heap_.begin(), heap_.end(), kLater);
  ++size_;
  Note(record.topic, record.partition, record.offset, time);
  return absl::OkStatus();
}

void ReorderBuffer::Note(int topic, PartitionId partition, Offset offset,
                         EventTime time) {
  std::deque<Block>& blocks = blocks_[{topic, partition}];
  if (blocks.empty() || blocks.back().records == kBlockRecords) {
    blocks.push_back({offset, time, 0});
  }
  Block& block = blocks.back();
  block.latest = std::max(block.latest, time);
  ++block.records;
}

Offset ReorderBuffer::LeastOffset(int topic, PartitionId partition,
                                  EventTime watermark, Offset none) {
  const auto found = blocks_.find({topic, partition});
  if (found == blocks_.end()) return none;
  std::deque<Block>& blocks = found->second;
  while (!blocks.empty() && blocks.front().latest < watermark) {
    blocks.pop_front();
  }
  return blocks.empty() ? none : blocks.front().first;
}

EventTime ReorderBuffer::first_time() const {
  EventTime first = kNeverEventTime;
  if (!heap_.empty()) first = heap_.front().time;
  if (!runs_.empty()) first = std::min(first, runs_.front()->head().time);
  return first;
}

// Writes the later half of what is in memory: the rest leaves sooner.
absl::Status ReorderBuffer::Spill() {
  if (spill_ == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("reorder buffer is full: bytes=", memory_bytes_));
  }
  if (runs_.size() >= kMaxSpillRuns) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the watermark is held back for too long: records waiting for it=",
        size_, " spilled bytes=", spilled_bytes_));
  }
  std::sort(heap_.begin(), heap_.end(), [](const Entry& a, const Entry& b) {
    return a.place() < b.place();
  });
  const size_t kept = heap_.size() / 2;
  ASSIGN_OR_RETURN(std::unique_ptr<SpillFile> file, spill_->Create());
  std::string buffer;
  size_t bytes = 0;
  for (size_t i = kept; i < heap_.size(); ++i) {
    heap_[i].Encode(&buffer);
    memory_bytes_ -= heap_[i].memory();
    if (buffer.size() < kRunWriteBytes && i + 1 < heap_.size()) continue;
    bytes += buffer.size();
    RETURN_IF_ERROR(file->Append(buffer));
    buffer.clear();
  }
  RETURN_IF_ERROR(file->Finish());
  auto run = std::make_unique<Run>(std::move(file), heap_.size() - kept, bytes);
  RETURN_IF_ERROR(run->Next());
  heap_.resize(kept);  // sorted, so still a heap
  spilled_bytes_ += bytes;
  runs_.push_back(std::move(run));
  std::push_heap(runs_.begin(), runs_.end(), kRunLater);
  return absl::OkStatus();
}

absl::Status ReorderBuffer::PopFromRun(
    absl::FunctionRef<absl::Status(const RawRecord&, EventTime)> sink) {
  std::pop_heap(runs_.begin(), runs_.end(), kRunLater);
  Run& run = *runs_.back();
  RETURN_IF_ERROR(sink(run.head().Borrow(), run.head().time));
  --size_;
  if (run.left() == 0) {
    spilled_bytes_ -= run.bytes();
    runs_.pop_back();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(run.Next());
  std::push_heap(runs_.begin(), runs_.end(), kRunLater);
  return absl::OkStatus();
}

absl::Status ReorderBuffer::Pop(
    absl::FunctionRef<absl::Status(const RawRecord&, EventTime)> sink) {
  if (!runs_.empty() && (heap_.empty() || runs_.front()->head().place() <
                                              heap_.front().place())) {
    return PopFromRun(sink);
  }
  std::pop_heap(heap_.begin(), heap_.end(), kLater);
  const Entry entry = std::move(heap_.back());
  heap_.pop_back();
  --size_;
  memory_bytes_ -= entry.memory();
  return sink(entry.Borrow(), entry.time);
}

}  // namespace tidegate
