#include "gateway/core/resume_token.h"

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "views/sql/row_filter.h"
#include "views/store/incarnation.h"

namespace tidegate {
namespace {

constexpr char kFormat = 1;
// Of a token outside a snapshot.
constexpr size_t kUsualTokenBytes = 64;
constexpr uint64_t kHasSnapshot = 1;
constexpr uint64_t kAllSent = 2;
constexpr size_t kChecksumBytes = 8;
constexpr uint64_t kChecksumSeed = 0x7469646567617465ULL;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "malformed resume_token: ", what,
      "; pass the bytes of an earlier response unchanged, or none"));
}

bool GetBody(absl::string_view in, ResumeToken* token) {
  uint64_t flags = 0;
  uint64_t partitions = 0;
  uint64_t partition = 0;
  uint64_t seq = 0;
  absl::string_view incarnation;
  if (!GetFixed64LittleEndian(&in, &token->view_hash) ||
      !GetVarint64(&in, &token->view_version) ||
      !GetFixed64LittleEndian(&in, &token->filter_hash) ||
      !GetLengthPrefixed(&in, &incarnation) || !GetVarint64(&in, &partitions) ||
      partitions != 1 || !GetVarint64(&in, &partition) || partition != 0 ||
      !GetVarint64(&in, &seq) || !GetVarint64(&in, &flags)) {
    return false;
  }
  token->incarnation = std::string(incarnation);
  token->seq = Seq(seq);
  if ((flags & kHasSnapshot) == 0) return flags == 0 && in.empty();
  uint64_t oldest = 0;
  absl::string_view last_key;
  if (!GetVarint64(&in, &oldest) || !GetLengthPrefixed(&in, &last_key)) {
    return false;
  }
  token->snapshot = SnapshotProgress{Seq(oldest), std::string(last_key),
                                     (flags & kAllSent) != 0};
  return in.empty() && oldest <= seq;
}

}  // namespace

absl::string_view ResetCauseName(ResetCause cause) {
  switch (cause) {
    case ResetCause::kHistoryTrimmed:
      return "HISTORY_TRIMMED";
    case ResetCause::kUnknownIncarnation:
      return "UNKNOWN_INCARNATION";
    case ResetCause::kViewRebuilt:
      return "VIEW_REBUILT";
  }
  return "CAUSE_UNSPECIFIED";
}

std::string EncodeToken(const ResumeToken& token) {
  std::string out;
  out.reserve(kUsualTokenBytes);
  out.push_back(kFormat);
  PutFixed64LittleEndian(&out, token.view_hash);
  PutVarint64(&out, token.view_version);
  PutFixed64LittleEndian(&out, token.filter_hash);
  PutLengthPrefixed(&out, token.incarnation);
  PutVarint64(&out, 1);  // positions: one partition,
  PutVarint64(&out, 0);  // number 0
  PutVarint64(&out, token.seq.value());
  if (token.snapshot.has_value()) {
    PutVarint64(&out, kHasSnapshot | (token.snapshot->all_sent ? kAllSent : 0));
    PutVarint64(&out, token.snapshot->oldest.value());
    PutLengthPrefixed(&out, token.snapshot->last_key);
  } else {
    PutVarint64(&out, 0);
  }
  PutFixed64LittleEndian(&out, Fnv1a64(out, kChecksumSeed));
  return out;
}

absl::StatusOr<ResumeToken> DecodeToken(absl::string_view bytes) {
  if (bytes.size() > kMaxTokenBytes) {
    return Malformed(absl::StrCat(bytes.size(), " bytes"));
  }
  if (bytes.size() < 1 + kChecksumBytes) return Malformed("too short");
  if (bytes[0] != kFormat) {
    return Malformed(
        absl::StrCat("unknown format ", static_cast<uint8_t>(bytes[0])));
  }
  const size_t body = bytes.size() - kChecksumBytes;
  absl::string_view tail = bytes.substr(body);
  uint64_t checksum = 0;
  if (!GetFixed64LittleEndian(&tail, &checksum) ||
      checksum != Fnv1a64(bytes.substr(0, body), kChecksumSeed)) {
    return Malformed("checksum mismatch");
  }
  ResumeToken token;
  if (!GetBody(bytes.substr(1, body - 1), &token)) {
    return Malformed("unreadable fields");
  }
  return token;
}

uint64_t FilterHash(const SubscriptionFilter& filter) {
  std::string text;
  if (filter.growing) {
    text = "growing keys";
  } else if (filter.all_rows) {
    text = "all rows";
  } else {
    text = "keys";
    for (const std::string& key : filter.keys) PutLengthPrefixed(&text, key);
  }
  // Marked by their lengths: none is mistaken for another, or for a key.
  if (!filter.prefix.empty() || filter.where != nullptr) {
    PutLengthPrefixed(&text, "");  // no key is empty
    PutLengthPrefixed(&text, filter.prefix);
    if (filter.where != nullptr) {
      PutLengthPrefixed(&text, filter.where->canonical());
    }
  }
  return Fnv1a64(text);
}

absl::StatusOr<TokenVerdict> JudgeToken(const ResumeToken& token,
                                        absl::string_view view_name,
                                        uint64_t view_version,
                                        uint64_t filter_hash,
                                        const MaterializedStore& store) {
  if (token.view_hash != Fnv1a64(view_name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "resume_token belongs to another view than \"", view_name, "\""));
  }
  if (token.filter_hash != filter_hash) {
    return absl::InvalidArgumentError(absl::StrCat(
        "resume_token belongs to another filter of view \"", view_name,
        "\": resume with the same keys, key_prefix and where, or start without "
        "a token"));
  }
  if (token.view_version != view_version) {
    return TokenVerdict{ResetCause::kViewRebuilt,
                        absl::StrCat("token has version ", token.view_version,
                                     ", view has ", view_version)};
  }
  const Seq head = store.head();
  if (!TokenHonoured(store.incarnations(), token.incarnation, token.seq,
                     head)) {
    return TokenVerdict{
        ResetCause::kUnknownIncarnation,
        absl::StrCat("position ", token.seq.value(),
                     " is not part of this history, head is ", head.value())};
  }
  const Seq needed = token.snapshot ? token.snapshot->oldest : token.seq;
  const Seq oldest = store.resumable_from();
  if (needed < oldest) {
    return TokenVerdict{
        ResetCause::kHistoryTrimmed,
        absl::StrCat("position ", needed.value(),
                     " is gone, the oldest kept is ", oldest.value())};
  }
  return TokenVerdict{};
}

}  // namespace tidegate
