// The examples, run against a server that plays their view.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/child_process.h"
#include "clients/cpp/server_testing.h"
#include "clients/cpp/totals_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Command(const char* example,
                                 const ScriptedServer& server) {
  return {std::filesystem::path(OwnBinary()).replace_filename(example),
          server.address()};
}

TEST(ExamplesTest, DriverTotalsReadsThenFollows) {
  ScriptedServer server(SubscribeScripts{
      [](auto*, SubscribeWriter* writer) {
        writer->Write(SnapshotOf(42, 250));
        writer->Write(SnapshotOf(7, 150));
        writer->Write(End(5));
        return Cut();
      },
      [](grpc::ServerContext* context, SubscribeWriter* writer) {
        writer->Write(With(With(Delta(5, 9), 42, 300), 7, -1));
        while (!context->IsCancelled()) std::this_thread::yield();
        return Cut();
      }});
  server.Describe(DescribeTotals());
  v1::GetResponse get;
  get.add_entries()->set_row(TotalsRow(42, 250).SerializeAsString());
  server.Answer(get, {});
  const auto example = ChildProcess::Start(Command("driver_totals", server));
  ASSERT_TRUE(example.ok()) << example.status();
  std::vector<std::string> lines;
  for (int i = 0; i < 6; ++i) {
    const auto line = (*example)->ReadLine();
    ASSERT_TRUE(line.ok()) << line.status();
    lines.push_back(*line);
  }
  // What it adds up is of one commit, before or after the change.
  const auto together = std::find_if(
      lines.begin(), lines.end(),
      [](const std::string& line) { return line.starts_with("together"); });
  ASSERT_NE(together, lines.end());
  EXPECT_TRUE(*together == "together 400" || *together == "together 300")
      << *together;
  lines.erase(together);
  EXPECT_THAT(lines,
              ElementsAre("driver 42 has 250", "driver 7 now has 150",
                          "driver 42 now has 250", "driver 42 now has 300",
                          "driver 7 is gone, had 150"));
  EXPECT_THAT(server.tokens(), ElementsAre("", "t5"));
}

TEST(ExamplesTest, ManyUsersComeAndGo) {
  ScriptedServer server(
      SessionScripts{[](grpc::ServerContext* context, SessionStream* stream) {
        Asked(stream);
        SendUpdate(stream, 1, SnapshotOf(7, 150));
        SendUpdate(stream, 1, End(5));
        Asked(stream);
        SendUpdate(stream, 1, With(Delta(5, 5), 8, 80), 2);
        Asked(stream);
        SendUpdate(stream, 1, Delta(5, 6), 3);
        while (!context->IsCancelled()) std::this_thread::yield();
        return Cut();
      }});
  server.Describe(DescribeTotals());
  const std::filesystem::path input =
      std::filesystem::path(::testing::TempDir()) /
      absl::StrCat("many_users_", server.port());
  std::ofstream(input) << "ann +7\nbob +8\nann -7\n";
  const std::vector<std::string> command = Command("many_users", server);
  const auto example =
      ChildProcess::Start({"/bin/sh", "-c",
                           absl::StrCat("exec ", command[0], " ", command[1],
                                        " < ", input.string())});
  ASSERT_TRUE(example.ok()) << example.status();
  for (const char* expected : {"ann: driver 7 has 150, 1 rows held",
                               "bob: driver 8 has 80, 2 rows held",
                               "ann: driver 7 has 0, 1 rows held"}) {
    EXPECT_EQ((*example)->ReadLine().value_or("nothing"), expected);
  }
  EXPECT_EQ((*example)->Wait().value().exit_code, 0);
  std::filesystem::remove(input);
}

}  // namespace
}  // namespace tidegate::client
