#include "gateway/grpc/scans.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "base/coding.h"

namespace tidegate {
namespace {

constexpr uint64_t kChecksumSeed = 0x7061676574616c65ULL;

absl::Status Malformed() {
  return absl::InvalidArgumentError(
      "malformed page_token: pass next_page_token of the page before "
      "unchanged");
}

}  // namespace

std::string EncodePageToken(const PageToken& token) {
  std::string out;
  PutFixed64LittleEndian(&out, token.view_hash);
  PutFixed64LittleEndian(&out, token.prefix_hash);
  PutFixed64LittleEndian(&out, token.where_hash);
  PutLengthPrefixed(&out, token.incarnation);
  PutVarint64(&out, token.seq.value());
  PutLengthPrefixed(&out, token.last_key);
  PutFixed64LittleEndian(&out, Fnv1a64(out, kChecksumSeed));
  return absl::WebSafeBase64Escape(out);
}

absl::StatusOr<PageToken> DecodePageToken(absl::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(text, &bytes) || bytes.size() < 8) {
    return Malformed();
  }
  absl::string_view body(bytes.data(), bytes.size() - 8);
  absl::string_view tail(bytes.data() + body.size(), 8);
  uint64_t checksum = 0;
  if (!GetFixed64LittleEndian(&tail, &checksum) ||
      checksum != Fnv1a64(body, kChecksumSeed)) {
    return Malformed();
  }
  PageToken token;
  uint64_t seq = 0;
  absl::string_view incarnation;
  absl::string_view last_key;
  if (!GetFixed64LittleEndian(&body, &token.view_hash) ||
      !GetFixed64LittleEndian(&body, &token.prefix_hash) ||
      !GetFixed64LittleEndian(&body, &token.where_hash) ||
      !GetLengthPrefixed(&body, &incarnation) || !GetVarint64(&body, &seq) ||
      !GetLengthPrefixed(&body, &last_key) || !body.empty()) {
    return Malformed();
  }
  token.incarnation = std::string(incarnation);
  token.seq = Seq(seq);
  token.last_key = std::string(last_key);
  return token;
}

void OpenScans::ExpireLocked(ProcessingTime now) {
  scans_.remove_if([&](const Kept& kept) {
    return now.value() - kept.scan.opened.value() > max_age_ms_ * 1000;
  });
}

void OpenScans::Expire(ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
}

std::list<OpenScans::Kept>::iterator OpenScans::At(const void* pipeline,
                                                   Seq seq) {
  return std::find_if(scans_.begin(), scans_.end(), [&](const Kept& kept) {
    return kept.pipeline == pipeline && kept.scan.rows->seq() == seq;
  });
}

void OpenScans::Keep(const void* pipeline, OpenScan scan, ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
  const auto at = At(pipeline, scan.rows->seq());
  if (at != scans_.end()) {
    scans_.splice(scans_.begin(), scans_, at);
    // Who opened it later holds fewer old files.
    if (scan.opened > at->scan.opened) at->scan = std::move(scan);
    return;
  }
  scans_.push_front({pipeline, std::move(scan)});
  if (scans_.size() > max_open_) scans_.pop_back();
}

OpenScan OpenScans::Find(const void* pipeline, Seq seq, ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
  const auto at = At(pipeline, seq);
  if (at == scans_.end()) return {};
  scans_.splice(scans_.begin(), scans_, at);
  return at->scan;
}

}  // namespace tidegate
