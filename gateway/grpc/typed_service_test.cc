// The views' own services over a real connection: byte for byte what
// tidegate.v1.ViewService answers.
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/grpc/server_fixture.h"
#include "gateway/grpc/typed_file.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "grpcpp/impl/client_unary_call.h"
#include "grpcpp/impl/rpc_method.h"
#include "grpcpp/support/sync_stream.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

using grpc::ByteBuffer;
using grpc::internal::RpcMethod;
using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr char kGeneric[] = "/tidegate.v1.ViewService/";
constexpr char kTyped[] = "/tidegate.views.Things/";

ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return ByteBuffer(&slice, 1);
}

std::string ToBytes(const ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return std::string(reinterpret_cast<const char*>(slice.begin()),
                     slice.size());
}

constexpr uint32_t kSentAt = v1::SubscribeResponse::kSentAtFieldNumber;

// The bytes as they came, without a SubscribeResponse's time of sending: what
// differs between two streams that show the same.
std::string Untimed(absl::string_view response) {
  std::string out;
  while (!response.empty()) {
    const absl::string_view rest = response;
    WireField field;
    if (!GetWireField(&response, &field)) return "malformed";
    if (field.number == kSentAt) continue;
    absl::StrAppend(&out, rest.substr(0, rest.size() - response.size()));
  }
  return out;
}

// The same of the SubscribeResponses in a SessionResponse's Update.
std::string UntimedUpdate(absl::string_view update) {
  std::string out;
  while (!update.empty()) {
    const absl::string_view rest = update;
    WireField field;
    if (!GetWireField(&update, &field)) return "malformed";
    if (field.number == v1::SessionResponse::Update::kResponseFieldNumber) {
      PutTag(&out, field.number, field.type);
      PutLengthPrefixed(&out, Untimed(field.bytes));
    } else {
      absl::StrAppend(&out, rest.substr(0, rest.size() - update.size()));
    }
  }
  return out;
}

template <typename Message>
Message Parsed(absl::string_view bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(std::string(bytes)));
  EXPECT_TRUE(message.GetReflection()->GetUnknownFields(message).empty());
  return message;
}

class TypedServiceTest : public ServerFixture {
 protected:
  struct Answer {
    grpc::Status status;
    std::string bytes;
  };
  Answer Call(const std::string& method, const std::string& request) {
    const auto channel = NewChannel();
    grpc::ClientContext context;
    SetDeadline(&context);
    ByteBuffer reply;
    Answer answer;
    answer.status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
        channel.get(), RpcMethod(method.c_str(), RpcMethod::NORMAL_RPC),
        &context, ToBuffer(request), &reply);
    if (answer.status.ok()) answer.bytes = ToBytes(reply);
    return answer;
  }

  // Of a Subscribe stream up to `to`, and behind them what its end says;
  // `request` is a SubscribeRequest.
  std::vector<std::string> Read(const std::string& method,
                                const std::string& request, Seq to) {
    const auto channel = NewChannel();
    grpc::ClientContext context;
    SetDeadline(&context);
    const std::string name = method + "Subscribe";
    const RpcMethod rpc(name.c_str(), RpcMethod::SERVER_STREAMING);
    std::unique_ptr<grpc::ClientReader<ByteBuffer>> reader(
        grpc::internal::ClientReaderFactory<ByteBuffer>::Create(
            channel.get(), rpc, &context, ToBuffer(request)));
    std::vector<std::string> messages;
    ByteBuffer buffer;
    Seq at;
    while (at < to && reader->Read(&buffer)) {
      const std::string bytes = ToBytes(buffer);
      const auto response = Parsed<v1::SubscribeResponse>(bytes);
      for (const v1::Range& range : response.ranges()) at = Seq(range.to());
      if (response.snapshot_end()) {
        at = Seq(response.position().partitions(0).seq());
      }
      messages.push_back(Untimed(bytes));
    }
    if (at >= to) context.TryCancel();
    while (reader->Read(&buffer)) {
    }
    messages.push_back(reader->Finish().error_message());
    return messages;
  }

  // The Updates of a session of one watch, whose requests are sent one by one:
  // the next once a snapshot has ended, keys are applied, or the watch failed.
  std::vector<std::string> Updates(
      const std::string& method,
      const std::vector<v1::SessionRequest>& requests) {
    const auto channel = NewChannel();
    grpc::ClientContext context;
    SetDeadline(&context);
    const std::string name = method + "Session";
    const RpcMethod rpc(name.c_str(), RpcMethod::BIDI_STREAMING);
    std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>> stream(
        grpc::internal::ClientReaderWriterFactory<
            ByteBuffer, ByteBuffer>::Create(channel.get(), rpc, &context));
    std::vector<std::string> updates;
    ByteBuffer buffer;
    for (const v1::SessionRequest& request : requests) {
      EXPECT_TRUE(stream->Write(ToBuffer(request.SerializeAsString())));
      for (bool done = false; !done && stream->Read(&buffer);) {
        const std::string bytes = ToBytes(buffer);
        absl::string_view rest = bytes;
        WireField field;
        while (!rest.empty() && GetWireField(&rest, &field)) {
          updates.push_back(UntimedUpdate(field.bytes));
          const auto update =
              Parsed<v1::SessionResponse::Update>(updates.back());
          done = update.response().snapshot_end() || update.has_failure() ||
                 update.keys_applied() != 0;
        }
      }
    }
    EXPECT_TRUE(stream->WritesDone());
    while (stream->Read(&buffer)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
    return updates;
  }
};

TEST_F(TypedServiceTest, GetHasTheSameBytes) {
  UseWindows();
  watermark_ = EventTime(50);
  window_end_ = 60;
  Put("a", "1");
  Put("b", "2");
  StartServer();
  v1::GetRequest request;
  for (const char* key : {"b", "none", "a"}) {
    request.add_keys(TestKeyMessage(key));
  }
  const Answer typed =
      Call(absl::StrCat(kTyped, "Get"), request.SerializeAsString());
  request.set_view("things");
  const Answer generic =
      Call(absl::StrCat(kGeneric, "Get"), request.SerializeAsString());
  ASSERT_TRUE(typed.status.ok()) << typed.status.error_message();
  EXPECT_EQ(typed.bytes, generic.bytes);
  v1::GetResponse response;
  ASSERT_TRUE(response.ParseFromString(typed.bytes));
  EXPECT_EQ(response.entries(2).row(), RowOf("a", "1"));
}

TEST_F(TypedServiceTest, ScanHasTheSameBytes) {
  for (const char* key : {"a", "b", "c", "d", "e"}) Put(key, "1");
  StartServer();
  v1::ScanRequest request;
  request.set_page_size(2);
  int rows = 0;
  do {
    const Answer typed =
        Call(absl::StrCat(kTyped, "Scan"), request.SerializeAsString());
    v1::ScanRequest named = request;
    named.set_view("things");
    const Answer generic =
        Call(absl::StrCat(kGeneric, "Scan"), named.SerializeAsString());
    ASSERT_TRUE(typed.status.ok()) << typed.status.error_message();
    ASSERT_EQ(typed.bytes, generic.bytes);
    v1::ScanResponse response;
    ASSERT_TRUE(response.ParseFromString(typed.bytes));
    rows += response.rows_size();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(rows, 5);
}

TEST_F(TypedServiceTest, SubscribeHasTheSameBytes) {
  Put("a", "1");
  Put("b", "1");
  ASSERT_TRUE(store_->Checkpoint(Clock::System()->Now()).ok());
  Put("a", "2");
  Write({{"b", std::nullopt}});
  StartServer();
  v1::SubscribeRequest request;
  for (const char* where : {"", "v = '2'"}) {
    request.set_where(where);
    const auto typed =
        Read(kTyped, request.SerializeAsString(), store_->head());
    v1::SubscribeRequest named = request;
    named.set_view("things");
    const auto generic =
        Read(kGeneric, named.SerializeAsString(), store_->head());
    EXPECT_THAT(typed, ElementsAreArray(generic)) << where;
    ASSERT_GE(typed.size(), 2u);  // a response, and how the stream ended
    // A token of the one is good with the other.
    named.set_resume_token(
        Parsed<v1::SubscribeResponse>(typed[typed.size() - 2]).resume_token());
    Put("c", "2");
    auto resumed = Read(kGeneric, named.SerializeAsString(), store_->head());
    resumed.pop_back();
    v1::SubscribeResponse changes;
    for (const std::string& bytes : resumed) changes.MergeFromString(bytes);
    EXPECT_FALSE(changes.snapshot());
    EXPECT_FALSE(changes.has_reset());
    ASSERT_EQ(changes.changes_size(), 1);
    EXPECT_EQ(changes.changes(0).upsert(), TestRow("c", "2"));
    Write({{"c", std::nullopt}});
  }
}

TEST_F(TypedServiceTest, SessionHasTheSameBytes) {
  Put("a", "1");
  Put("b", "1");
  StartServer();
  std::vector<v1::SessionRequest> requests(2);
  requests[0].mutable_watch()->set_id(1);
  requests[0].mutable_watch()->mutable_subscribe()->add_keys(
      TestKeyMessage("a"));
  requests[1].set_request(7);
  requests[1].mutable_keys()->set_id(1);
  requests[1].mutable_keys()->add_add(TestKeyMessage("b"));
  requests[1].mutable_keys()->add_remove(TestKeyMessage("a"));
  const auto typed = Updates(kTyped, requests);
  requests[0].mutable_watch()->mutable_subscribe()->set_view("things");
  const auto generic = Updates(kGeneric, requests);
  EXPECT_THAT(typed, ElementsAreArray(generic));
  ASSERT_GE(typed.size(), 2u);
  const auto last = Parsed<v1::SessionResponse::Update>(typed.back());
  EXPECT_EQ(last.keys_applied(), 7u);
  EXPECT_EQ(last.response().changes(0).upsert(), TestRow("b", "1"));
}

// As a client with the file of the view reads it.
TEST_F(TypedServiceTest, ItsMessagesHaveTypedRowsAndKeys) {
  Put("a", "1");
  StartServer();
  google::protobuf::DescriptorPool pool;
  google::protobuf::FileDescriptorSet set;
  DescribeTyped(catalog_.views[0], &set);
  for (const auto& file : set.file()) {
    ASSERT_NE(pool.BuildFile(file), nullptr);
  }
  google::protobuf::DynamicMessageFactory factory;
  const auto make = [&](const std::string& name) {
    return std::unique_ptr<google::protobuf::Message>(
        factory
            .GetPrototype(pool.FindMessageTypeByName(
                absl::StrCat("tidegate.views.", name)))
            ->New());
  };
  const auto request = make("ThingsGetRequest");
  const auto key = make("ThingsKey");
  key->GetReflection()->SetString(
      key.get(), key->GetDescriptor()->FindFieldByName("k"), "a");
  request->GetReflection()
      ->AddMessage(request.get(),
                   request->GetDescriptor()->FindFieldByName("keys"), &factory)
      ->CopyFrom(*key);
  const Answer answer =
      Call(absl::StrCat(kTyped, "Get"), request->SerializeAsString());
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  const auto response = make("ThingsGetResponse");
  ASSERT_TRUE(response->ParseFromString(answer.bytes));
  EXPECT_THAT(response->ShortDebugString(),
              HasSubstr("entries { row { k: \"a\" v: \"1\" } }"));
}

TEST_F(TypedServiceTest, ARequestMayNameTheViewButNoOther) {
  Put("a", "1");
  StartServer();
  v1::GetRequest get;
  get.set_view("things");
  get.add_keys(TestKeyMessage("a"));
  const std::string method = absl::StrCat(kTyped, "Get");
  EXPECT_TRUE(Call(method, get.SerializeAsString()).status.ok());
  get.set_view("others");
  const Answer refused = Call(method, get.SerializeAsString());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.status.error_message(),
              HasSubstr("names view \"others\", but tidegate.views.Things "
                        "serves \"things\" alone"));
  v1::SubscribeRequest subscribe;
  subscribe.set_view("others");
  EXPECT_THAT(Read(kTyped, subscribe.SerializeAsString(), Seq(1)).back(),
              HasSubstr("\"others\""));
}

TEST_F(TypedServiceTest, AWrongKeyIsToldItsShape) {
  StartServer();
  const std::string shape = "ThingsKey{k VARCHAR = 1}";
  for (const std::string& key : {std::string("\xff"), TestRow("a", "1"),
                                 std::string("\x0a\x02\xff\xfe", 4)}) {
    v1::GetRequest get;
    get.add_keys(key);
    const Answer refused =
        Call(absl::StrCat(kTyped, "Get"), get.SerializeAsString());
    EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(refused.status.error_message(), HasSubstr(shape));
    v1::SubscribeRequest subscribe;
    subscribe.add_keys(key);
    EXPECT_THAT(Read(kTyped, subscribe.SerializeAsString(), Seq(1)).back(),
                HasSubstr(shape));
    subscribe.clear_keys();
    subscribe.set_key_prefix(key);
    EXPECT_THAT(Read(kTyped, subscribe.SerializeAsString(), Seq(1)).back(),
                HasSubstr(shape));
    std::vector<v1::SessionRequest> watch(1);
    watch[0].mutable_watch()->set_id(1);
    watch[0].mutable_watch()->mutable_subscribe()->add_keys(key);
    const auto update =
        Parsed<v1::SessionResponse::Update>(Updates(kTyped, watch).at(0));
    EXPECT_EQ(update.failure().code(), 3);
    EXPECT_THAT(update.failure().message(), HasSubstr(shape));
  }
}

// NULL is an absent column, but a table's key has none.
TEST_F(TypedServiceTest, AKeyColumnThatIsNeverNullMayNotBeMissing) {
  StartServer();
  v1::GetRequest get;
  get.add_keys("");
  const std::string method = absl::StrCat(kTyped, "Get");
  EXPECT_TRUE(Call(method, get.SerializeAsString()).status.ok());
  catalog_.views[0].is_table = true;
  const Answer refused = Call(method, get.SerializeAsString());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.status.error_message(),
              HasSubstr("key column \"k\" is missing; expected a serialized "
                        "ThingsKey{k VARCHAR = 1}"));
}

TEST_F(TypedServiceTest, WhileThePipelineStartsItIsUnavailable) {
  StartServer();
  pipeline_->SetStatus(absl::UnavailableError("being rebuilt"));
  for (const char* name : {"Get", "Scan"}) {
    const Answer refused = Call(absl::StrCat(kTyped, name), "");
    EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(refused.status.error_message(),
                HasSubstr("view=things: being rebuilt"));
  }
  EXPECT_THAT(Read(kTyped, "", Seq(1)).back(), HasSubstr("being rebuilt"));
  EXPECT_EQ(Call("/tidegate.views.Others/Get", "").status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(TypedServiceTest, HealthKnowsIt) {
  StartServer();
  std::string request;  // HealthCheckRequest{service}
  PutTag(&request, 1, WireType::kLengthDelimited);
  PutLengthPrefixed(&request, "tidegate.views.Things");
  EXPECT_TRUE(Eventually([&] {
    return Call("/grpc.health.v1.Health/Check", request).bytes == "\x08\x01";
  }));
}

}  // namespace
}  // namespace tidegate
