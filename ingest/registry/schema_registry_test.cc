#include "ingest/registry/schema_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

#include "ingest/registry/fake_http.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUrl[] = "http://registry";

// Says what it was made of.
class Made final : public Decoder {
 public:
  explicit Made(std::string what) : what_(std::move(what)) {}
  absl::Status Decode(absl::string_view, MutableRow) override {
    return absl::UnknownError(what_);
  }

 private:
  const std::string what_;
};

// Thread-safe.
class Bell {
 public:
  void Ring() {
    MutexLock lock(&mutex_);
    ++rung_;
    changed_.SignalAll();
  }
  void AwaitNext() {
    MutexLock lock(&mutex_);
    while (rung_ == heard_) changed_.Wait(&mutex_);
    ++heard_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int rung_ ABSL_GUARDED_BY(mutex_) = 0;
  int heard_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::unique_ptr<Decoder>> MakeMade(
    const WriterSchema& schema, const std::vector<int>& indexes) {
  if (schema.text == "bad") return absl::InvalidArgumentError("does not fit");
  return std::make_unique<Made>(absl::StrCat(
      schema.text, indexes.empty() ? "" : absl::StrCat(" ", indexes[0])));
}

class SchemaRegistryTest : public ::testing::Test {
 protected:
  std::unique_ptr<WriterDecoders> Open(Bell* bell) {
    auto opened = registries_.Open(kUrl, MakeMade, [bell] { bell->Ring(); });
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  static std::string What(
      const absl::StatusOr<std::unique_ptr<Decoder>>& made) {
    if (!made.ok()) return std::string(made.status().message());
    return std::string((*made)->Decode("", {}).message());
  }
  // Takes, and again after each ring.
  static absl::StatusOr<std::unique_ptr<Decoder>> Await(
      WriterDecoders* decoders, Bell* bell, int32_t id,
      const std::vector<int>& indexes = {}) {
    auto taken = decoders->Take(id, indexes);
    while (absl::IsUnavailable(taken.status())) {
      bell->AwaitNext();
      taken = decoders->Take(id, indexes);
    }
    return taken;
  }
  int64_t Requests(RegistryOutcome outcome) {
    return registries_.statuses()[0].requests[static_cast<int>(outcome)];
  }

  FakeHttp http_;
  HttpSchemaRegistries registries_{
      [this](const std::string& url)
          -> absl::StatusOr<std::unique_ptr<HttpClient>> {
        EXPECT_EQ(url, kUrl);
        return http_.NewClient();
      }};
};

TEST_F(SchemaRegistryTest, FetchesMakesAndWakes) {
  http_.PutSchema(7, "PROTOBUF", "seven");
  Bell bell;
  const auto decoders = Open(&bell);
  EXPECT_TRUE(absl::IsUnavailable(decoders->Take(7, {0}).status()));
  bell.AwaitNext();
  EXPECT_EQ(What(decoders->Take(7, {0})), "seven 0");
  // Another message of it needs no fetch.
  EXPECT_EQ(What(Await(decoders.get(), &bell, 7, {3})), "seven 3");
  EXPECT_THAT(http_.requests(), ElementsAre("http://registry/schemas/ids/7"));
  const RegistryStatus status = registries_.statuses()[0];
  EXPECT_EQ(status.url, kUrl);
  EXPECT_TRUE(status.up);
  EXPECT_EQ(status.cached, 1);
  EXPECT_EQ(status.awaited, 0);
  EXPECT_EQ(status.requests[0], 1);
  ASSERT_TRUE(status.last_answer_age_ms.has_value());
}

TEST_F(SchemaRegistryTest, OneUrlIsOneRegistryWithOrWithoutASlash) {
  http_.PutSchema(7, "AVRO", "seven");
  Bell bell;
  Bell other;
  const auto decoders = Open(&bell);
  auto opened =
      registries_.Open("http://registry/", MakeMade, [&] { other.Ring(); });
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(What(Await(decoders.get(), &bell, 7)), "seven");
  EXPECT_EQ(What(Await(opened->get(), &other, 7)), "seven");
  EXPECT_EQ(http_.requests().size(), 1u);
  EXPECT_EQ(registries_.statuses().size(), 1u);
}

TEST_F(SchemaRegistryTest, WhatDoesNotFitIsSaidForGood) {
  http_.PutSchema(7, "AVRO", "bad");
  Bell bell;
  const auto decoders = Open(&bell);
  const auto taken = Await(decoders.get(), &bell, 7);
  EXPECT_TRUE(absl::IsFailedPrecondition(taken.status()));
  EXPECT_EQ(taken.status().message(), "does not fit");
}

TEST_F(SchemaRegistryTest, WhatIsNotThereIsSaidAfterSomeTries) {
  Bell bell;
  const auto decoders = Open(&bell);
  const auto taken = Await(decoders.get(), &bell, 7);
  EXPECT_TRUE(absl::IsNotFound(taken.status()));
  EXPECT_EQ(http_.requests().size(), static_cast<size_t>(kNotFoundTries));
  EXPECT_EQ(Requests(RegistryOutcome::kNotFound), kNotFoundTries);
  EXPECT_TRUE(registries_.statuses()[0].up);
  // At once, while that is remembered.
  EXPECT_TRUE(absl::IsNotFound(decoders->Take(7, {}).status()));
}

TEST_F(SchemaRegistryTest, WhileItIsAwayItIsAskedAgain) {
  http_.SetAway(true);
  http_.PutSchema(7, "AVRO", "seven");
  Bell bell;
  const auto decoders = Open(&bell);
  EXPECT_TRUE(absl::IsUnavailable(decoders->Take(7, {}).status()));
  while (Requests(RegistryOutcome::kUnreachable) < 2) std::this_thread::yield();
  EXPECT_FALSE(registries_.statuses()[0].up);
  EXPECT_EQ(registries_.statuses()[0].awaited, 1);
  EXPECT_FALSE(registries_.statuses()[0].last_answer_age_ms.has_value());
  EXPECT_THAT(std::string(decoders->Take(7, {}).status().message()),
              HasSubstr("connection refused"));
  http_.SetAway(false);
  EXPECT_EQ(What(Await(decoders.get(), &bell, 7)), "seven");
  EXPECT_TRUE(registries_.statuses()[0].up);
}

TEST_F(SchemaRegistryTest, AFetchUnderWayDoesNotHoldUpItsEnd) {
  http_.Hold(true);
  Bell bell;
  {
    HttpSchemaRegistries registries(
        [this](const std::string&) { return http_.NewClient(); });
    auto opened = registries.Open(kUrl, MakeMade, [&] { bell.Ring(); });
    ASSERT_TRUE(opened.ok());
    EXPECT_TRUE(absl::IsUnavailable((*opened)->Take(7, {}).status()));
    while (http_.requests().empty()) std::this_thread::yield();
    opened->reset();
  }
  EXPECT_EQ(http_.requests().size(), 1u);
}

TEST_F(SchemaRegistryTest, ItsEndWaitsForAMakerAtWork) {
  http_.PutSchema(7, "AVRO", "seven");
  std::atomic<bool> at_work{false};
  std::atomic<bool> ended{false};
  auto opened = registries_.Open(
      kUrl,
      [&](const WriterSchema& schema, const std::vector<int>& indexes) {
        at_work.store(true);
        // Long enough for the other thread to be in the destructor.
        for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
        EXPECT_FALSE(ended.load());
        return MakeMade(schema, indexes);
      },
      [] {});
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(absl::IsUnavailable((*opened)->Take(7, {}).status()));
  while (!at_work.load()) std::this_thread::yield();
  opened->reset();
  ended.store(true);
}

// The final answer comes to the cache while another decoder is being made, and
// is told from there. Much later, when the cache has forgotten it, the schema
// is there.
TEST_F(SchemaRegistryTest, AFinalAnswerIsToldOnceThoughItsJobIsNotDone) {
  Bell bell;
  Bell at_work;
  Bell go_on;
  auto opened = registries_.Open(
      kUrl,
      [&](const WriterSchema& schema, const std::vector<int>& indexes) {
        if (schema.id == 7 && indexes == std::vector<int>{1}) {
          at_work.Ring();
          go_on.AwaitNext();
        }
        return MakeMade(schema, indexes);
      },
      [&] { bell.Ring(); });
  ASSERT_TRUE(opened.ok());
  WriterDecoders* const decoders = opened->get();
  http_.PutSchema(7, "PROTOBUF", "seven");
  EXPECT_EQ(What(Await(decoders, &bell, 7, {0})), "seven 0");
  http_.Hold(true);
  http_.PutSchema(9, "THRIFT", "x");
  EXPECT_TRUE(absl::IsUnavailable(decoders->Take(9, {0}).status()));
  while (http_.requests().size() < 2) std::this_thread::yield();
  EXPECT_TRUE(absl::IsUnavailable(decoders->Take(7, {1}).status()));
  EXPECT_TRUE(absl::IsUnavailable(decoders->Take(9, {1}).status()));
  http_.Hold(false);
  at_work.AwaitNext();
  EXPECT_TRUE(absl::IsFailedPrecondition(decoders->Take(9, {1}).status()));
  go_on.Ring();
  EXPECT_EQ(What(Await(decoders, &bell, 7, {1})), "seven 1");
  for (int id = 100; id <= 100 + static_cast<int>(kMaxCachedSchemas); ++id) {
    http_.PutSchema(id, "PROTOBUF", "x");
    EXPECT_EQ(What(Await(decoders, &bell, id, {0})), "x 0");
  }
  http_.PutSchema(9, "PROTOBUF", "nine");
  EXPECT_EQ(What(Await(decoders, &bell, 9, {1})), "nine 1");
}

TEST_F(SchemaRegistryTest, AUserInTheUrlIsRefusedAndNotRepeated) {
  const auto opened =
      registries_.Open("http://me:hunter2@registry", MakeMade, [] {});
  EXPECT_TRUE(absl::IsInvalidArgument(opened.status()));
  EXPECT_THAT(std::string(opened.status().message()),
              Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace tidegate
