#include "clients/cpp/view_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/server_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;

// Answers what it is told to.
class CannedServer : public v1::ViewService::Service {
 public:
  std::string address() const { return listener_.address(); }
  int port() const { return listener_.port(); }

  grpc::Status ListViews(grpc::ServerContext*, const v1::ListViewsRequest*,
                         v1::ListViewsResponse* response) override {
    *response->add_views() = view;
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   v1::GetResponse* response) override {
    asked_keys = *request;
    *response = get;
    return NextStatus();
  }
  grpc::Status Scan(grpc::ServerContext*, const v1::ScanRequest* request,
                    v1::ScanResponse* response) override {
    asked.push_back(*request);
    *response = pages[request->page_token().empty() ? 0 : 1];
    return request->page_token().empty() ? grpc::Status::OK : NextStatus();
  }

  std::vector<v1::ScanRequest> asked;
  v1::GetRequest asked_keys;
  v1::ViewInfo view;
  v1::GetResponse get;
  v1::ScanResponse pages[2];
  // Of a Get, and of a second page; then all are answered.
  std::vector<grpc::StatusCode> refusals;

 private:
  grpc::Status NextStatus() {
    if (refusals.empty()) return grpc::Status::OK;
    const grpc::StatusCode code = refusals.back();
    refusals.pop_back();
    return grpc::Status(code, "not now");
  }

  Listener listener_{this};
};

class ViewClientTest : public ::testing::Test {
 protected:
  // "ROW:FINALITY" of each, or the status.
  std::vector<std::string> Scan() {
    std::vector<std::string> rows;
    const auto position =
        client_->Scan("v", options_, [&](const FoundRow& row) {
          rows.push_back(row.row + ":" +
                         std::string(FinalityName(row.finality)));
          return true;
        });
    if (!position.ok()) rows.push_back(position.status().ToString());
    return rows;
  }

  // A scan of two pages with a row each, at position 5.
  void HaveTwoPages() {
    for (v1::ScanResponse& page : server_.pages) {
      page.mutable_position()->add_partitions()->set_seq(5);
    }
    server_.pages[0].add_rows("a");
    server_.pages[0].set_next_page_token("more");
    server_.pages[1].add_rows("b");
  }
  std::vector<std::string> AskedTokens() const {
    std::vector<std::string> tokens;
    for (const v1::ScanRequest& request : server_.asked) {
      tokens.push_back(request.page_token());
    }
    return tokens;
  }

  ScanOptions options_;
  CannedServer server_;
  const std::unique_ptr<ViewClient> client_ =
      ViewClient::Create(server_.address(), 10'000);
};

TEST_F(ViewClientTest, GetSaysWhatCanStillChange) {
  server_.get.add_entries()->set_row("a");
  server_.get.add_entries();
  server_.get.add_entries()->set_row("b");
  server_.get.mutable_entries(2)->set_finality(v1::FINALITY_CORRECTED);
  const auto found = client_->Get("v", {"1", "2", "3"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0]->row, "a");
  EXPECT_EQ((*found)[0]->finality, Finality::kNone);
  EXPECT_FALSE((*found)[1].has_value());
  EXPECT_EQ((*found)[2]->row, "b");
  EXPECT_EQ((*found)[2]->finality, Finality::kCorrected);
}

TEST_F(ViewClientTest, ScanSaysItOfEveryRow) {
  server_.pages[0].add_rows("a");
  server_.pages[0].add_rows("b");
  server_.pages[0].set_next_page_token("more");
  server_.pages[1].add_rows("c");
  EXPECT_THAT(Scan(), ElementsAre("a:", "b:", "c:"));
  server_.pages[0].add_finality(v1::FINALITY_FINAL);
  server_.pages[0].add_finality(v1::FINALITY_PROVISIONAL);
  server_.pages[1].add_finality(v1::FINALITY_CORRECTED);
  EXPECT_THAT(Scan(), ElementsAre("a:final", "b:provisional", "c:corrected"));
  server_.pages[1].add_finality(v1::FINALITY_FINAL);
  EXPECT_THAT(Scan(), ElementsAre("a:final", "b:provisional",
                                  ::testing::HasSubstr("1 rows with the "
                                                       "finality of 2")));
}

TEST_F(ViewClientTest, AsksForRowsAsNewAsWhatWasReadElsewhere) {
  server_.get.mutable_position()->set_incarnation("i");
  server_.get.mutable_position()->add_partitions()->set_seq(9);
  server_.get.mutable_watermark()->set_seconds(2);
  const StreamPosition least{"i", {{0, 7}, {1, 3}}};
  const auto found = client_->Read("v", {}, least);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->position.seqs.at(0), 9u);
  EXPECT_EQ(found->watermark_us, 2'000'000);
  options_ = {.page_size = 5, .where = "n > 1", .min_position = least};
  EXPECT_THAT(Scan(), ElementsAre());
  for (const v1::Position& asked : {server_.asked_keys.min_position(),
                                    server_.asked.at(0).min_position()}) {
    EXPECT_EQ(asked.incarnation(), "i");
    ASSERT_EQ(asked.partitions_size(), 2);
    EXPECT_EQ(asked.partitions(1).partition(), 1u);
    EXPECT_EQ(asked.partitions(1).seq(), 3u);
  }
  EXPECT_EQ(server_.asked.at(0).page_size(), 5u);
  EXPECT_EQ(server_.asked.at(0).where(), "n > 1");
}

TEST_F(ViewClientTest, AsksTheNextServerIfOneIsNotThere) {
  const int gone = CannedServer().port();
  const auto client = ViewClient::Create(
      absl::StrCat("127.0.0.1:", gone, ",", server_.address()), 10'000);
  EXPECT_TRUE(client->List().ok());
  EXPECT_TRUE(client->List().ok());
  EXPECT_EQ(ViewClient::Create(absl::StrCat("127.0.0.1:", gone), 10'000)
                ->List()
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ViewClientTest, EveryPageIsAskedForWithTheFilter) {
  options_ = {.page_size = 2, .key_prefix = "key", .where = "n > 1"};
  server_.pages[0].set_next_page_token("more");  // and no row yet
  server_.pages[1].add_rows("c");
  EXPECT_THAT(Scan(), ElementsAre("c:"));
  ASSERT_EQ(server_.asked.size(), 2u);
  for (const v1::ScanRequest& request : server_.asked) {
    EXPECT_EQ(request.page_size(), 2u);
    EXPECT_EQ(request.key_prefix(), "key");
    EXPECT_EQ(request.where(), "n > 1");
  }
  EXPECT_EQ(server_.asked[1].page_token(), "more");
}

TEST_F(ViewClientTest, ReadsAreAskedForAgain) {
  const grpc::StatusCode unavailable = grpc::StatusCode::UNAVAILABLE;
  HaveTwoPages();
  server_.refusals = {unavailable, unavailable};
  EXPECT_THAT(Scan(), ElementsAre("a:", "b:"));
  EXPECT_THAT(AskedTokens(), ElementsAre("", "more", "more", "more"));
  server_.refusals = {unavailable, unavailable};
  EXPECT_TRUE(client_->Get("v", {}).ok());
  server_.refusals = {grpc::StatusCode::NOT_FOUND};
  EXPECT_EQ(client_->Get("v", {}).status(), absl::NotFoundError("not now"));
}

TEST_F(ViewClientTest, WhatCannotBeWaitedForIsToldAtOnce) {
  ConnectOptions patient;
  patient.server = server_.address();
  patient.min_backoff_ms = patient.max_backoff_ms = int64_t{1} << 30;
  server_.refusals = {grpc::StatusCode::UNAVAILABLE};
  EXPECT_EQ(ViewClient::Create(patient, 10'000)->Get("v", {}).status(),
            absl::UnavailableError("not now"));
  ConnectOptions limited;
  limited.server = server_.address();
  limited.max_failed_attempts = 1;
  server_.refusals.assign(3, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ViewClient::Create(limited, 10'000)->Get("v", {}).status(),
            absl::UnavailableError("not now"));
  EXPECT_EQ(server_.refusals.size(), 1u);
}

TEST_F(ViewClientTest, AScanStartsAgainWhileNoRowIsHandedOver) {
  HaveTwoPages();
  server_.pages[1].mutable_watermark()->set_seconds(2);
  server_.refusals = {grpc::StatusCode::ABORTED, grpc::StatusCode::ABORTED};
  const auto all = client_->ScanAll("v", {});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->rows.size(), 2u);
  EXPECT_EQ(all->rows[0].row, "a");
  EXPECT_EQ(all->position.seqs.at(0), 5u);
  EXPECT_EQ(all->watermark_us, 2'000'000);
  EXPECT_THAT(AskedTokens(), ElementsAre("", "more", "", "more", "", "more"));
  server_.refusals = {grpc::StatusCode::ABORTED};
  EXPECT_THAT(Scan(), ElementsAre("a:", "ABORTED: not now"));
}

TEST_F(ViewClientTest, ABrokenPromiseIsDataLoss) {
  HaveTwoPages();
  server_.pages[1].mutable_position()->set_incarnation("another");
  EXPECT_THAT(Scan(), ElementsAre("a:", ::testing::HasSubstr("DATA_LOSS")));
  EXPECT_EQ(client_->Get("v", {"1"}).status(),
            absl::DataLossError("asked for 1 keys, answered 0"));
}

TEST_F(ViewClientTest, ViewsComeWithTheirPartitions) {
  server_.view.set_name("v");
  server_.view.mutable_watermark()->set_seconds(-1);
  server_.view.mutable_watermark()->set_nanos(500'000'000);
  auto* partition = server_.view.add_partitions();
  partition->set_topic("orders");
  partition->set_partition(3);
  partition->set_state(v1::PartitionWatermark::NO_EVENTS);
  partition->set_holds_back(true);
  partition = server_.view.add_partitions();
  partition->set_topic("orders");
  partition->set_partition(4);
  partition->mutable_watermark()->set_seconds(7);
  partition->set_state(v1::PartitionWatermark::ACTIVE);
  const auto views = client_->List();
  ASSERT_TRUE(views.ok()) << views.status();
  const ViewDescription& view = views->front();
  EXPECT_EQ(view.watermark_us, -500'000);
  ASSERT_EQ(view.partitions.size(), 2u);
  EXPECT_EQ(view.partitions[0].topic, "orders");
  EXPECT_EQ(view.partitions[0].partition, 3u);
  EXPECT_EQ(view.partitions[0].state, "no_events");
  EXPECT_TRUE(view.partitions[0].holds_back);
  EXPECT_FALSE(view.partitions[0].watermark_us.has_value());
  EXPECT_EQ(view.partitions[1].watermark_us, 7'000'000);
  EXPECT_EQ(view.partitions[1].state, "active");
  EXPECT_FALSE(view.partitions[1].holds_back);
}

}  // namespace
}  // namespace tidegate::client
