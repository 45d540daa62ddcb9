#include "cmd/tidegate/build_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tidegate {
namespace {

class BuildDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    auto opened = BuildDirectory::Open(root_, "default");
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory_ = *std::move(opened);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void MakeBuild(uint64_t build) {
    std::filesystem::create_directories(directory_->PathOf(build));
    std::ofstream(directory_->PathOf(build) + "/file") << "x";
  }

  const std::string root_ =
      ::testing::TempDir() + "/build_dir_test." +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::optional<BuildDirectory> directory_;
};

TEST_F(BuildDirTest, CurrentIsReplaced) {
  EXPECT_FALSE(directory_->Current()->has_value());
  for (const uint64_t build : {1u, 12u, 3u}) {
    ASSERT_TRUE(directory_->SetCurrent(build).ok());
    EXPECT_EQ(**directory_->Current(), build);
  }
  directory_.reset();
  EXPECT_EQ(**BuildDirectory::Open(root_, "default")->Current(), 3u);
}

TEST_F(BuildDirTest, ASecondProcessIsKeptOut) {
  const auto second = BuildDirectory::Open(root_, "default");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_NE(second.status().message().find(root_), std::string::npos);
  EXPECT_TRUE(BuildDirectory::Open(root_, "other").ok());
  directory_.reset();
  EXPECT_TRUE(BuildDirectory::Open(root_, "default").ok());
}

// What cannot be read must not pass for a directory without builds.
TEST_F(BuildDirTest, UnreadableCurrentIsAnError) {
  const std::string current = root_ + "/default/CURRENT";
  std::filesystem::create_symlink("CURRENT", current);  // a loop
  const auto read = directory_->Current();
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInternal);
  EXPECT_NE(read.status().message().find("CURRENT"), std::string::npos);
}

TEST_F(BuildDirTest, DamagedCurrentIsAnError) {
  for (const char* text : {"", "x\n", "0\n", "-1\n"}) {
    std::ofstream(root_ + "/default/CURRENT") << text;
    EXPECT_EQ(directory_->Current().status().code(),
              absl::StatusCode::kDataLoss)
        << text;
  }
}

TEST_F(BuildDirTest, OthersAreRemoved) {
  for (const uint64_t build : {1u, 2u, 3u}) MakeBuild(build);
  ASSERT_TRUE(directory_->SetCurrent(2).ok());
  ASSERT_TRUE(directory_->RemoveOthers(2).ok());
  EXPECT_FALSE(directory_->Exists(1));
  EXPECT_TRUE(directory_->Exists(2));
  EXPECT_FALSE(directory_->Exists(3));
  EXPECT_EQ(**directory_->Current(), 2u);
  ASSERT_TRUE(directory_->Remove(2).ok());
  EXPECT_FALSE(directory_->Exists(2));
  EXPECT_TRUE(directory_->Remove(9).ok());
}

TEST_F(BuildDirTest, AFileInTheWayIsReported) {
  std::ofstream(root_ + "/occupied") << "x";
  const auto opened = BuildDirectory::Open(root_, "occupied");
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().message().find("occupied"), std::string::npos);
}

}  // namespace
}  // namespace tidegate
