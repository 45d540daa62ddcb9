#include "gateway/grpc/scans.h"

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "gateway/core/fake_store.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int64_t kMaxAgeMs = 10;
constexpr int64_t kMs = 1000;

PageToken SomeToken() {
  PageToken token;
  token.view_hash = 1;
  token.prefix_hash = 2;
  token.where_hash = 3;
  token.incarnation = "incarnation";
  token.seq = Seq(300);
  token.last_key = std::string("\0\xff", 2);
  return token;
}

TEST(PageTokenTest, ComesBackAsItWas) {
  const auto token = DecodePageToken(EncodePageToken(SomeToken()));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->view_hash, 1u);
  EXPECT_EQ(token->prefix_hash, 2u);
  EXPECT_EQ(token->where_hash, 3u);
  EXPECT_EQ(token->incarnation, "incarnation");
  EXPECT_EQ(token->seq, Seq(300));
  EXPECT_EQ(token->last_key, std::string("\0\xff", 2));
}

TEST(PageTokenTest, IsRefusedOnceItIsChangedOrCut) {
  std::string bytes;
  ASSERT_TRUE(
      absl::WebSafeBase64Unescape(EncodePageToken(SomeToken()), &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(
        DecodePageToken(absl::WebSafeBase64Escape(changed)).status().code(),
        absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(
        DecodePageToken(absl::WebSafeBase64Escape(bytes.substr(0, i))).ok());
  }
  EXPECT_FALSE(DecodePageToken("no base64!").ok());
}

class OpenScansTest : public testing::Test {
 protected:
  static OpenScan At(uint64_t seq, int64_t opened_ms) {
    return {std::make_shared<FakeReadView>(
                Seq(seq), std::make_shared<const ModelState>()),
            Ms(opened_ms)};
  }
  static ProcessingTime Ms(int64_t ms) { return ProcessingTime(ms * kMs); }

  const int pipeline_ = 0;
  const int other_ = 0;
  OpenScans scans_{2, kMaxAgeMs};
};

TEST_F(OpenScansTest, ByPipelineAndPositionForALimitedTime) {
  const OpenScan scan = At(5, 0);
  scans_.Keep(&pipeline_, scan, Ms(0));
  EXPECT_EQ(scans_.Find(&pipeline_, Seq(5), Ms(kMaxAgeMs)).rows, scan.rows);
  EXPECT_EQ(scans_.Find(&pipeline_, Seq(6), Ms(0)).rows, nullptr);
  EXPECT_EQ(scans_.Find(&other_, Seq(5), Ms(0)).rows, nullptr);
  EXPECT_EQ(scans_.Find(&pipeline_, Seq(5), Ms(kMaxAgeMs + 1)).rows, nullptr);
}

TEST_F(OpenScansTest, AnOlderScanAtThePositionDoesNotCutALaterOneShort) {
  scans_.Keep(&pipeline_, At(5, 0), Ms(0));
  const OpenScan later = At(5, kMaxAgeMs - 1);
  scans_.Keep(&pipeline_, later, Ms(kMaxAgeMs - 1));
  const OpenScan found = scans_.Find(&pipeline_, Seq(5), Ms(2 * kMaxAgeMs - 1));
  EXPECT_EQ(found.rows, later.rows);
  // Going on does not make it younger.
  scans_.Keep(&pipeline_, found, Ms(2 * kMaxAgeMs - 1));
  EXPECT_EQ(scans_.Find(&pipeline_, Seq(5), Ms(2 * kMaxAgeMs)).rows, nullptr);
}

TEST_F(OpenScansTest, TheLeastRecentlyUsedMakesRoom) {
  scans_.Keep(&pipeline_, At(1, 0), Ms(0));
  scans_.Keep(&pipeline_, At(2, 0), Ms(0));
  EXPECT_NE(scans_.Find(&pipeline_, Seq(1), Ms(0)).rows, nullptr);
  scans_.Keep(&pipeline_, At(3, 0), Ms(0));
  EXPECT_EQ(scans_.Find(&pipeline_, Seq(2), Ms(0)).rows, nullptr);
  EXPECT_NE(scans_.Find(&pipeline_, Seq(1), Ms(0)).rows, nullptr);
}

TEST_F(OpenScansTest, ExpireLetsGoOfTheRows) {
  std::weak_ptr<const ReadView> rows;
  {
    const OpenScan scan = At(5, 0);
    rows = scan.rows;
    scans_.Keep(&pipeline_, scan, Ms(0));
  }
  scans_.Expire(Ms(kMaxAgeMs));
  EXPECT_FALSE(rows.expired());
  scans_.Expire(Ms(kMaxAgeMs + 1));
  EXPECT_TRUE(rows.expired());
}

}  // namespace
}  // namespace tidegate
