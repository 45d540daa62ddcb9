#include "base/status_macros.h"

#include <memory>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

TEST(AnnotateTest, PutsContextBeforeTheMessage) {
  absl::Status status = absl::NotFoundError("no such view: x");
  status.SetPayload("type", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "pipeline=default");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(annotated.message(), "pipeline=default: no such view: x");
  EXPECT_EQ(annotated.GetPayload("type"), absl::Cord("payload"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "context").ok());
}

absl::StatusOr<std::unique_ptr<int>> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return std::make_unique<int>(n / 2);
}

absl::Status Use(int n, int* out) {
  ASSIGN_OR_RETURN(std::unique_ptr<int> half, Half(n));
  ASSIGN_OR_RETURN(auto quarter, Half(*half));
  RETURN_IF_ERROR(absl::OkStatus());
  RETURN_IF_ERROR_CTX(Half(*quarter).status(), absl::StrCat("n=", n));
  *out = *quarter;
  return absl::OkStatus();
}

TEST(StatusMacrosTest, PassErrorsUp) {
  int out = 0;
  EXPECT_EQ(Use(8, &out), absl::OkStatus());
  EXPECT_EQ(out, 2);
  EXPECT_EQ(Use(3, &out).message(), "odd");
  EXPECT_EQ(Use(2, &out).message(), "odd");
  EXPECT_EQ(Use(4, &out).message(), "n=4: odd");
}

}  // namespace
}  // namespace tidegate
