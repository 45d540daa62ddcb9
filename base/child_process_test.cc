#include "base/child_process.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<ChildProcess> Shell(const std::string& script,
                                    const ChildOptions& options = {}) {
  auto child = ChildProcess::Start({"/bin/sh", "-c", script}, options);
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

TEST(ChildProcessTest, ReadsLinesAndTheExitCode) {
  const auto child = Shell("echo one; echo; echo three; printf rest; exit 3");
  EXPECT_EQ(child->ReadLine().value(), "one");
  EXPECT_EQ(child->ReadLine().value(), "");
  EXPECT_EQ(child->ReadLine().value(), "three");
  EXPECT_EQ(child->ReadLine().status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(child->Wait()->exit_code, 3);
  EXPECT_EQ(child->Wait().status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ChildProcessTest, ALineMayBeLongerThanOneRead) {
  const auto child = Shell("head -c 100000 /dev/zero | tr '\\0' x; echo");
  EXPECT_EQ(child->ReadLine().value(), std::string(100'000, 'x'));
}

TEST(ChildProcessTest, ClosingTheInputEndsWhoReadsIt) {
  const auto child =
      Shell("echo ready; cat; echo end", ChildOptions{.pipe_input = true});
  EXPECT_EQ(child->ReadLine().value(), "ready");
  child->CloseInput();
  EXPECT_EQ(child->ReadLine().value(), "end");
  EXPECT_EQ(child->Wait()->exit_code, 0);
}

TEST(ChildProcessTest, ASignalIsInTheExitCode) {
  const auto child = Shell("echo ready; exec sleep 1000");
  EXPECT_EQ(child->ReadLine().value(), "ready");
  child->Signal(SIGTERM);
  EXPECT_EQ(child->Wait()->exit_code, 128 + SIGTERM);
}

TEST(ChildProcessTest, DiesWithItsOwner) {
  auto child = Shell("echo $$; exec sleep 1000");
  const pid_t pid = std::atoi(child->ReadLine().value().c_str());
  ASSERT_EQ(kill(pid, 0), 0);
  child.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcessTest, MeasuresTheCpu) {
  const auto busy =
      Shell("i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done");
  const auto idle = Shell("exit 0");
  const absl::StatusOr<ChildUsage> used = busy->Wait();
  ASSERT_TRUE(used.ok()) << used.status();
  EXPECT_GT(used->cpu_s, idle->Wait()->cpu_s);
  EXPECT_GT(used->max_rss_mb, 0);
}

TEST(ChildProcessTest, StandardErrorGoesToAFile) {
  std::string path = testing::TempDir() + "/child_process_XXXXXX";
  close(mkstemp(path.data()));
  EXPECT_EQ(Shell("echo bad >&2", {.stderr_path = path})->Wait()->exit_code, 0);
  std::string line;
  std::getline(std::ifstream(path), line);
  EXPECT_EQ(line, "bad");
  std::filesystem::remove(path);
}

TEST(ChildProcessTest, ABinaryThatIsNotThereIsNamed) {
  const absl::Status status = ChildProcess::Start({"/no/such/binary"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/binary"));
}

TEST(ChildProcessTest, OwnBinaryIsThisTest) {
  EXPECT_EQ(std::filesystem::path(OwnBinary()).filename(),
            "child_process_test");
}

}  // namespace
}  // namespace tidegate
