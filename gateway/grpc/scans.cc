#include "gateway/grpc/scans.h"

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
  scans_.remove_if([&](const Scan& scan) {
    return now.value() - scan.opened.value() > max_age_ms_ * 1000;
  });
}

void OpenScans::Expire(ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
}

void OpenScans::Keep(const void* pipeline, std::shared_ptr<const ReadView> view,
                     ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
  for (auto at = scans_.begin(); at != scans_.end(); ++at) {
    if (at->pipeline == pipeline && at->view->seq() == view->seq()) {
      scans_.splice(scans_.begin(), scans_, at);
      return;
    }
  }
  scans_.push_front({pipeline, std::move(view), now});
  if (scans_.size() > max_open_) scans_.pop_back();
}

std::shared_ptr<const ReadView> OpenScans::Find(const void* pipeline, Seq seq,
                                                ProcessingTime now) {
  MutexLock lock(&mutex_);
  ExpireLocked(now);
  for (auto at = scans_.begin(); at != scans_.end(); ++at) {
    if (at->pipeline == pipeline && at->view->seq() == seq) {
      scans_.splice(scans_.begin(), scans_, at);
      return scans_.front().view;
    }
  }
  return nullptr;
}

}  // namespace tidegate
