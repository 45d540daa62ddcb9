// A record: version, sequence, times, positions, number of changes, changes,
// checksum. A change: view, key, flags, before, after, state; of before and
// after only what the flags say is there.
#include "views/store/commit.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "views/store/checksum.h"

namespace tidegate {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kHasBefore = 1;
constexpr uint8_t kHasAfter = 2;
constexpr uint8_t kSame = 4;  // before is the same as after, and not written
constexpr uint8_t kCorrected = 8;
// A change takes at least this much: view, key's size, flags, state's size.
constexpr size_t kMinChangeBytes = 4;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("commit record is malformed: ", what));
}

bool GetChange(absl::string_view* in, Change* change) {
  uint64_t view = 0;
  if (!GetVarint64(in, &view) || view > std::numeric_limits<uint32_t>::max() ||
      !GetLengthPrefixed(in, &change->key) || in->empty()) {
    return false;
  }
  change->view = ViewId(static_cast<uint32_t>(view));
  const auto flags = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  if (flags > (kHasBefore | kHasAfter | kSame | kCorrected)) return false;
  change->has_before = (flags & kHasBefore) != 0;
  change->has_after = (flags & kHasAfter) != 0;
  change->corrected = (flags & kCorrected) != 0;
  const bool same = (flags & kSame) != 0;
  if (same && !(change->has_before && change->has_after)) return false;
  if (change->has_before && !same && !GetLengthPrefixed(in, &change->before)) {
    return false;
  }
  if (change->has_after && !GetLengthPrefixed(in, &change->after)) return false;
  if (same) change->before = change->after;
  return GetLengthPrefixed(in, &change->state);
}

bool Before(const Change& a, const Change& b) {
  return a.view != b.view ? a.view < b.view : a.key < b.key;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Commit>> Commit::Parse(
    std::string record) {
  // The constructor is private, which make_shared cannot reach.
  std::shared_ptr<Commit> commit(new Commit());
  commit->record_ = std::move(record);
  absl::string_view in = commit->record_;
  if (!StripChecksum(&in)) return Malformed("wrong checksum");
  if (in.empty() || static_cast<uint8_t>(in[0]) != kVersion) {
    return Malformed("unknown version");
  }
  in.remove_prefix(1);
  uint64_t seq = 0, committed_at = 0, first_record = 0, count = 0;
  absl::string_view positions;
  if (!GetVarint64(&in, &seq) || !GetVarint64(&in, &committed_at) ||
      !GetVarint64(&in, &first_record) || !GetLengthPrefixed(&in, &positions) ||
      !GetVarint64(&in, &count) || count > in.size() / kMinChangeBytes) {
    return Malformed("short header");
  }
  commit->seq_ = Seq(seq);
  commit->committed_at_ = ProcessingTime(UnZigZag(committed_at));
  commit->first_record_ms_ = UnZigZag(first_record);
  ASSIGN_OR_RETURN(commit->positions_, DecodePositions(positions));
  commit->changes_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!GetChange(&in, &commit->changes_[i])) return Malformed("bad change");
    if (i > 0 && !Before(commit->changes_[i - 1], commit->changes_[i])) {
      return Malformed("changes out of order");
    }
  }
  if (!in.empty()) return Malformed("bytes after the last change");
  return std::shared_ptr<const Commit>(std::move(commit));
}

absl::Span<const Change> Commit::changes_of(ViewId view) const {
  struct ByView {
    bool operator()(const Change& a, ViewId b) const { return a.view < b; }
    bool operator()(ViewId a, const Change& b) const { return a < b.view; }
  };
  const auto range =
      std::equal_range(changes_.begin(), changes_.end(), view, ByView());
  return absl::MakeConstSpan(changes_).subspan(
      static_cast<size_t>(range.first - changes_.begin()),
      static_cast<size_t>(range.second - range.first));
}

void CommitBuilder::Add(const Change& change) {
  const bool same =
      change.has_before && change.has_after && change.before == change.after;
  PutVarint64(&body_, change.view.value());
  PutLengthPrefixed(&body_, change.key);
  body_.push_back(static_cast<char>((change.has_before ? kHasBefore : 0) |
                                    (change.has_after ? kHasAfter : 0) |
                                    (same ? kSame : 0) |
                                    (change.corrected ? kCorrected : 0)));
  if (change.has_before && !same) PutLengthPrefixed(&body_, change.before);
  if (change.has_after) PutLengthPrefixed(&body_, change.after);
  PutLengthPrefixed(&body_, change.state);
  ++count_;
}

std::string CommitBuilder::Finish(Seq seq, ProcessingTime committed_at,
                                  int64_t first_record_ms,
                                  const Positions& positions) {
  std::string position_bytes;
  EncodePositions(positions, &position_bytes);
  constexpr size_t kHeaderRoom = 64;
  std::string record;
  record.reserve(kHeaderRoom + position_bytes.size() + body_.size());
  record.push_back(static_cast<char>(kVersion));
  PutVarint64(&record, seq.value());
  PutVarint64(&record, ZigZag(committed_at.value()));
  PutVarint64(&record, ZigZag(first_record_ms));
  PutLengthPrefixed(&record, position_bytes);
  PutVarint64(&record, count_);
  record += body_;
  AppendChecksum(&record);
  body_.clear();
  count_ = 0;
  return record;
}

}  // namespace tidegate
