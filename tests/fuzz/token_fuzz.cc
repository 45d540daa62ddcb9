// Tokens that clients send back: as they are, and sealed with a checksum that
// is right, so that what stands inside is looked at.
#include "absl/strings/escaping.h"
#include "base/coding.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/resume_token.h"
#include "gateway/grpc/scans.h"
#include "tests/fuzz/fuzz.h"

namespace tidegate {
namespace {

// As resume_token.cc and scans.cc have them; CheckSeals holds them equal.
constexpr uint64_t kResumeSeed = 0x7469646567617465ULL;
constexpr uint64_t kPageSeed = 0x7061676574616c65ULL;
constexpr size_t kSealBytes = 8;
constexpr char kView[] = "things";

std::string Sealed(absl::string_view body, uint64_t seed) {
  std::string bytes(body);
  PutFixed64LittleEndian(&bytes, Fnv1a64(body, seed));
  return bytes;
}

void CheckSeals() {
  const std::string resume = EncodeToken(ResumeToken());
  FUZZ_EXPECT(Sealed(resume.substr(0, resume.size() - kSealBytes),
                     kResumeSeed) == resume,
              "the seal of resume tokens has changed");
  std::string page;
  FUZZ_EXPECT(absl::WebSafeBase64Unescape(EncodePageToken({}), &page), "");
  FUZZ_EXPECT(
      Sealed(page.substr(0, page.size() - kSealBytes), kPageSeed) == page,
      "the seal of page tokens has changed");
}

const FakeStore& Store() {
  static FakeStore* const store = [] {
    auto* s = new FakeStore;
    for (int i = 1; i <= 5; ++i) {
      s->Commit({{{ViewId(1), absl::StrCat("k", i)}, std::string("row")}},
                ProcessingTime(i));
    }
    s->MoveBase();
    s->Trim(Seq(2));
    return s;
  }();
  return *store;
}

void TryResume(absl::string_view bytes) {
  auto token = DecodeToken(bytes);
  if (!token.ok()) {
    FUZZ_EXPECT(token.status().code() == absl::StatusCode::kInvalidArgument,
                token.status().ToString());
    return;
  }
  const auto again = DecodeToken(EncodeToken(*token));
  FUZZ_EXPECT(again.ok() && *again == *token, again.status().ToString());
  // Of this view, version and filter, whatever it says, or it is soon judged.
  token->view_hash = Fnv1a64(kView);
  const auto verdict = JudgeToken(*token, kView, token->view_version,
                                  token->filter_hash, Store());
  FUZZ_EXPECT(verdict.ok(), verdict.status().ToString());
  FUZZ_EXPECT(verdict->reset.has_value() ||
                  (token->incarnation == Store().incarnations().back().id &&
                   token->seq <= Store().head()),
              "honoured: position ", token->seq.value());
}

void TryPage(absl::string_view text) {
  const auto token = DecodePageToken(text);
  if (!token.ok()) {
    FUZZ_EXPECT(token.status().code() == absl::StatusCode::kInvalidArgument,
                token.status().ToString());
    return;
  }
  const std::string encoded = EncodePageToken(*token);
  const auto again = DecodePageToken(encoded);
  FUZZ_EXPECT(again.ok() && EncodePageToken(*again) == encoded,
              again.status().ToString());
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool checked = [] {
    tidegate::CheckSeals();
    return true;
  }();
  static_cast<void>(checked);
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  tidegate::TryResume(bytes);
  tidegate::TryResume(tidegate::Sealed(bytes, tidegate::kResumeSeed));
  tidegate::TryPage(bytes);
  tidegate::TryPage(
      absl::WebSafeBase64Escape(tidegate::Sealed(bytes, tidegate::kPageSeed)));
  return 0;
}
