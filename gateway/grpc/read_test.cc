// The unary methods, health and reflection over a real connection.
#include <thread>

#include "gateway/grpc/server_fixture.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class ReadTest : public ServerFixture {};

TEST_F(ReadTest, ListAndDescribe) {
  Put("a", "1");
  StartServer();
  grpc::ClientContext list_context;
  v1::ListViewsResponse list;
  ASSERT_TRUE(stub_->ListViews(&list_context, {}, &list).ok());
  ASSERT_EQ(list.views_size(), 1);
  EXPECT_EQ(list.views(0).name(), "things");
  EXPECT_EQ(list.views(0).key_columns(0), "k");
  EXPECT_EQ(list.views(0).position().partitions(0).seq(), 1u);
  EXPECT_EQ(list.views(0).pipeline(), "default");
  EXPECT_EQ(list.views(0).event_time_column(), "at");
  EXPECT_EQ(list.views(0).watermark_delay().seconds(), 2);
  EXPECT_EQ(list.views(0).watermark_delay().nanos(), 500'000'000);

  grpc::ClientContext context;
  v1::DescribeViewRequest request;
  request.set_view("things");
  v1::DescribeViewResponse response;
  ASSERT_TRUE(stub_->DescribeView(&context, request, &response).ok());
  google::protobuf::DescriptorPool pool;
  for (const auto& file : response.descriptors().file()) {
    ASSERT_NE(pool.BuildFile(file), nullptr) << file.DebugString();
  }
  const auto* type = pool.FindMessageTypeByName("tidegate.views.ThingsRow");
  ASSERT_NE(type, nullptr);
  EXPECT_NE(pool.FindMessageTypeByName("tidegate.views.ThingsKey"), nullptr);
  EXPECT_NE(pool.FindServiceByName("tidegate.views.Things"), nullptr);
  google::protobuf::DynamicMessageFactory factory;
  std::unique_ptr<google::protobuf::Message> row(
      factory.GetPrototype(type)->New());
  ASSERT_TRUE(row->ParseFromString(TestRow("a", "1")));
  EXPECT_EQ(row->ShortDebugString(), "k: \"a\" v: \"1\"");

  grpc::ClientContext missing_context;
  request.set_view("thing");
  const grpc::Status status =
      stub_->DescribeView(&missing_context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("\"things\""));
}

TEST_F(ReadTest, GetAnswersInTheOrderAsked) {
  Put("a", "1");
  Put("b", "2");
  StartServer();
  v1::GetRequest request;
  request.set_view("things");
  for (const char* key : {"b", "none", "a"}) {
    request.add_keys(TestKeyMessage(key));
  }
  v1::GetResponse response;
  ASSERT_TRUE(Get(request, &response).ok());
  ASSERT_EQ(response.entries_size(), 3);
  EXPECT_EQ(response.entries(0).row(), TestRow("b", "2"));
  EXPECT_FALSE(response.entries(1).has_row());
  EXPECT_EQ(response.entries(2).row(), TestRow("a", "1"));
  EXPECT_EQ(response.position().partitions(0).seq(), 2u);
  request.add_keys("\xff");
  const grpc::Status status = Get(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("key 3"));
  EXPECT_THAT(status.error_message(), HasSubstr("ThingsKey{k VARCHAR = 1}"));
}

TEST_F(ReadTest, WithoutWindowsThereIsNoFinality) {
  watermark_ = EventTime(5);
  Put("a", "1");
  StartServer();
  v1::GetRequest get;
  get.set_view("things");
  get.add_keys(TestKeyMessage("a"));
  v1::GetResponse got;
  ASSERT_TRUE(Get(get, &got).ok());
  EXPECT_EQ(got.entries(0).finality(), v1::FINALITY_UNSPECIFIED);
  EXPECT_EQ(got.watermark().nanos(), 5'000);
  v1::ScanRequest scan;
  scan.set_view("things");
  v1::ScanResponse scanned;
  ASSERT_TRUE(Scan(scan, &scanned).ok());
  EXPECT_EQ(scanned.rows_size(), 1);
  EXPECT_EQ(scanned.finality_size(), 0);
}

TEST_F(ReadTest, GetAndScanSayWhatCanStillChange) {
  UseWindows();
  window_end_ = 100;
  Put("a", "before there is a watermark");
  StartServer();
  v1::GetRequest get;
  get.set_view("things");
  for (const char* key : {"c", "none", "b", "a"}) {
    get.add_keys(TestKeyMessage(key));
  }
  v1::GetResponse got;
  ASSERT_TRUE(Get(get, &got).ok());
  EXPECT_EQ(got.entries(3).finality(), v1::FINALITY_PROVISIONAL);
  EXPECT_FALSE(got.has_watermark());

  watermark_ = EventTime(100);
  window_end_ = 101;
  Put("b", "1");
  window_end_ = 90;
  Write({{"c", "1"}}, /*corrected=*/true);
  ASSERT_TRUE(Get(get, &got).ok());
  EXPECT_EQ(got.watermark().nanos(), 100'000);
  EXPECT_EQ(got.entries(0).finality(), v1::FINALITY_CORRECTED);
  EXPECT_EQ(got.entries(1).finality(), v1::FINALITY_UNSPECIFIED);
  EXPECT_EQ(got.entries(2).finality(), v1::FINALITY_PROVISIONAL);
  EXPECT_EQ(got.entries(3).finality(), v1::FINALITY_FINAL);

  // Pages of one scan are judged by the watermark of its position.
  v1::ScanRequest scan;
  scan.set_view("things");
  scan.set_page_size(2);
  std::vector<int> finality;
  do {
    v1::ScanResponse page;
    ASSERT_TRUE(Scan(scan, &page).ok());
    EXPECT_EQ(page.watermark().nanos(), 100'000);
    EXPECT_EQ(page.finality_size(), page.rows_size());
    finality.insert(finality.end(), page.finality().begin(),
                    page.finality().end());
    scan.set_page_token(page.next_page_token());
    watermark_ = EventTime(200);
    window_end_ = 300;
    Put("z", "1");
  } while (!scan.page_token().empty());
  EXPECT_EQ(finality,
            (std::vector<int>{v1::FINALITY_FINAL, v1::FINALITY_PROVISIONAL,
                              v1::FINALITY_CORRECTED}));
}

TEST_F(ReadTest, ViewsShowWhatHoldsTheirWatermarkBack) {
  watermark_ = EventTime(7'000'000);
  Put("a", "1");
  pipeline_->SetWatermarks(
      {{"orders", PartitionId(0), EventTime(9'000'000), PartitionState::kIdle},
       {"orders", PartitionId(1), EventTime(7'000'000), PartitionState::kActive,
        true},
       {"rides", PartitionId(3), kNoEventTime, PartitionState::kError, true}});
  StartServer();
  grpc::ClientContext list_context;
  v1::ListViewsResponse list;
  ASSERT_TRUE(stub_->ListViews(&list_context, {}, &list).ok());
  grpc::ClientContext context;
  v1::DescribeViewRequest request;
  request.set_view("things");
  v1::DescribeViewResponse described;
  ASSERT_TRUE(stub_->DescribeView(&context, request, &described).ok());
  for (const v1::ViewInfo& view : {list.views(0), described.view()}) {
    EXPECT_EQ(view.watermark().seconds(), 7);
    ASSERT_EQ(view.partitions_size(), 3);
    EXPECT_EQ(view.partitions(0).topic(), "orders");
    EXPECT_EQ(view.partitions(0).state(), v1::PartitionWatermark::IDLE);
    EXPECT_EQ(view.partitions(0).watermark().seconds(), 9);
    EXPECT_FALSE(view.partitions(0).holds_back());
    EXPECT_EQ(view.partitions(1).partition(), 1u);
    EXPECT_EQ(view.partitions(1).state(), v1::PartitionWatermark::ACTIVE);
    EXPECT_TRUE(view.partitions(1).holds_back());
    EXPECT_EQ(view.partitions(2).topic(), "rides");
    EXPECT_EQ(view.partitions(2).state(), v1::PartitionWatermark::ERROR);
    EXPECT_FALSE(view.partitions(2).has_watermark());
  }
}

TEST_F(ReadTest, MinPositionWaitsUntilTheViewIsThere) {
  Put("a", "1");
  StartServer();
  v1::GetRequest request;
  request.set_view("things");
  request.add_keys(TestKeyMessage("a"));
  v1::GetResponse response;
  ASSERT_TRUE(Get(request, &response).ok());
  *request.mutable_min_position() = response.position();
  request.mutable_min_position()->mutable_partitions(0)->set_seq(2);
  grpc::Status status;
  std::thread reader([&] { status = Get(request, &response); });
  Put("a", "2");
  reader.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_GE(response.position().partitions(0).seq(), 2u);
  EXPECT_EQ(response.entries(0).row(), TestRow("a", "2"));

  request.mutable_min_position()->mutable_partitions(0)->set_seq(99);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(200));
  EXPECT_EQ(stub_->Get(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  request.mutable_min_position()->set_incarnation(std::string(16, 'Q'));
  EXPECT_EQ(Get(request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ReadTest, PagesOfOneScanShowOnePosition) {
  ModelRows at_start;
  for (int i = 0; i < 25; ++i) Put(absl::StrCat("k", 100 + i), "1");
  at_start = rows_;
  StartServer();
  v1::ScanRequest request;
  request.set_view("things");
  request.set_page_size(10);
  std::vector<std::string> rows;
  int pages = 0;
  do {
    v1::ScanResponse response;
    ASSERT_TRUE(Scan(request, &response).ok());
    EXPECT_EQ(response.position().partitions(0).seq(), 25u);
    rows.insert(rows.end(), response.rows().begin(), response.rows().end());
    request.set_page_token(response.next_page_token());
    Put(absl::StrCat("k", 124 - pages), "changed");  // must not be seen
    Write({{absl::StrCat("k", 120 - pages), std::nullopt}});
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  std::vector<std::string> expected;
  for (const auto& [key, row] : at_start) expected.push_back(row);
  EXPECT_EQ(rows, expected);
}

TEST_F(ReadTest, ScansThatAreGoneSaySo) {
  for (int i = 0; i < 4; ++i) Put(absl::StrCat("k", i), "1");
  ServerOptions options;
  options.max_open_scans = 1;
  StartServer(options);
  v1::ScanRequest first;
  first.set_view("things");
  first.set_page_size(1);
  v1::ScanResponse response;
  ASSERT_TRUE(Scan(first, &response).ok());
  v1::ScanRequest second = first;
  second.set_page_token(response.next_page_token());
  Put("k9", "1");
  ASSERT_TRUE(Scan(first, &response).ok());  // takes the only place
  const grpc::Status status = Scan(second, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("start again"));
  EXPECT_THAT(status.error_message(), HasSubstr("position 4 is not kept"));
  second.set_page_token("junk");
  EXPECT_EQ(Scan(second, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ReadTest, HealthFollowsThePipelines) {
  StartServer();
  EXPECT_TRUE(Eventually([&] { return Health() == 1; }));
  pipeline_->SetStatus(absl::FailedPreconditionError("stopped"));
  EXPECT_TRUE(Eventually([&] { return Health() == 2; }));
  v1::GetRequest request;
  request.set_view("things");
  v1::GetResponse response;
  EXPECT_EQ(Get(request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  pipeline_->SetStatus(absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return Health() == 1; }));
}

TEST_F(ReadTest, ReflectionListsTheService) {
  StartServer();
  grpc::GenericStub stub(NewChannel());
  grpc::ClientContext context;
  SetDeadline(&context);
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(
      &context,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(done());
  std::string list;  // ServerReflectionRequest{list_services: "*"}
  PutTag(&list, 7, WireType::kLengthDelimited);
  PutLengthPrefixed(&list, "*");
  const grpc::Slice slice(list);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(done());
  grpc::ByteBuffer reply;
  call->Read(&reply, nullptr);
  ASSERT_TRUE(done());
  grpc::Slice bytes;
  ASSERT_TRUE(reply.DumpToSingleSlice(&bytes).ok());
  EXPECT_THAT(
      std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()),
      HasSubstr("tidegate.v1.ViewService"));
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  done();
}

TEST_F(ReadTest, APortInUseIsAnError) {
  StartServer();
  ServerOptions options;
  options.listen = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_EQ(Server::Start(options, hub_.get(), stats_.get(), Clock::System())
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tidegate
