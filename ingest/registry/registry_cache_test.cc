#include "ingest/registry/registry_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidegate {
namespace {

using ::testing::HasSubstr;

WriterSchema Schema(int32_t id, size_t bytes = 10) {
  WriterSchema schema;
  schema.id = id;
  schema.text = std::string(bytes, 'x');
  return schema;
}

class RegistryCacheTest : public ::testing::Test {
 protected:
  absl::Status Get(int32_t id) { return cache_.Get(id, now_ms_).status(); }
  // Moves on to when the next fetch is due, and starts it.
  int32_t Next() {
    const auto due_ms = cache_.NextDueMs();
    EXPECT_TRUE(due_ms.has_value());
    now_ms_ = std::max(now_ms_, due_ms.value_or(now_ms_));
    const auto id = cache_.StartFetch(now_ms_);
    EXPECT_TRUE(id.has_value());
    return id.value_or(-1);
  }
  bool Answer(int32_t id, absl::StatusOr<WriterSchema> answer) {
    return cache_.Fetched(id, std::move(answer), now_ms_);
  }
  // Asks and is told that there is no such schema, until that is final.
  int NotFoundUntilFinal(int32_t id) {
    EXPECT_TRUE(absl::IsUnavailable(Get(id)));
    int tries = 0;
    bool final = false;
    while (!final && tries < 100) {
      EXPECT_EQ(Next(), id);
      final = Answer(id, absl::NotFoundError("no"));
      ++tries;
    }
    return tries;
  }

  int64_t now_ms_ = 1'000;
  RegistryCache cache_{/*seed=*/1};
};

TEST_F(RegistryCacheTest, WhatIsWantedIsFetchedOnceAndKept) {
  EXPECT_FALSE(cache_.NextDueMs().has_value());
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  EXPECT_EQ(cache_.awaited(), 1u);
  EXPECT_EQ(Next(), 7);
  // It is under way.
  EXPECT_FALSE(cache_.StartFetch(now_ms_).has_value());
  EXPECT_FALSE(cache_.NextDueMs().has_value());
  EXPECT_TRUE(Answer(7, Schema(7)));
  const auto schema = cache_.Get(7, now_ms_ + 1'000'000'000);
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ((*schema)->id, 7);
  EXPECT_EQ(cache_.awaited(), 0u);
  EXPECT_EQ(cache_.cached(), 1u);
  EXPECT_FALSE(cache_.NextDueMs().has_value());
}

TEST_F(RegistryCacheTest, TroubleIsTriedAgainForEverWithGrowingPauses) {
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  int64_t pause_ms = 0;
  for (int i = 0; i < 50; ++i) {
    const int64_t before_ms = now_ms_;
    EXPECT_EQ(Next(), 7);
    pause_ms = now_ms_ - before_ms;
    EXPECT_LE(pause_ms, kMaxRegistryRetryMs);
    EXPECT_GE(pause_ms, i == 0 ? 0 : kFirstRegistryRetryMs / 2);
    EXPECT_FALSE(Answer(7, absl::UnavailableError("connection refused")));
  }
  EXPECT_GE(pause_ms, kMaxRegistryRetryMs / 2);
  const absl::Status status = Get(7);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("schema 7 is awaited: connection refused"));
  // Wrong credentials are no reason to give a record up either.
  Next();
  EXPECT_FALSE(Answer(7, absl::PermissionDeniedError("HTTP 401")));
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
}

TEST_F(RegistryCacheTest, WhenItAnswersAgainNobodyWaitsOutItsPause) {
  for (const int32_t id : {1, 2}) EXPECT_TRUE(absl::IsUnavailable(Get(id)));
  for (int i = 0; i < 20; ++i) {
    Answer(Next(), absl::UnavailableError("connection refused"));
  }
  const int32_t first = Next();
  EXPECT_TRUE(Answer(first, Schema(first)));
  const int64_t answered_ms = now_ms_;
  const int32_t second = Next();
  EXPECT_EQ(second, 3 - first);
  EXPECT_EQ(now_ms_, answered_ms);
}

TEST_F(RegistryCacheTest, AnIdThatIsNotFoundIsTriedSomeTimesAndRemembered) {
  const int64_t began_ms = now_ms_;
  EXPECT_EQ(NotFoundUntilFinal(7), kNotFoundTries);
  EXPECT_LE(now_ms_ - began_ms, 1'500);
  EXPECT_GE(now_ms_ - began_ms, 750);
  const absl::Status status = Get(7);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("schema 7 is not in the registry"));
  now_ms_ += kRememberFailureMs - 1;
  EXPECT_TRUE(absl::IsNotFound(Get(7)));
  now_ms_ += 1;
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  EXPECT_EQ(cache_.cached(), 0u);
  EXPECT_EQ(Next(), 7);
  EXPECT_TRUE(Answer(7, Schema(7)));
  EXPECT_TRUE(Get(7).ok());
}

TEST_F(RegistryCacheTest, TroubleBetweenDoesNotCountAsNotFound) {
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  for (int i = 0; i < kNotFoundTries - 1; ++i) {
    Next();
    EXPECT_FALSE(Answer(7, absl::NotFoundError("no")));
    for (int j = 0; j < 3; ++j) {
      Next();
      EXPECT_FALSE(Answer(7, absl::UnavailableError("HTTP 503")));
    }
  }
  Next();
  EXPECT_TRUE(Answer(7, absl::NotFoundError("no")));
}

TEST_F(RegistryCacheTest, BytesThatAreNoIdsWaitOnlyAtFirst) {
  for (size_t i = 0; i < kMaxPatientIds; ++i) {
    EXPECT_EQ(NotFoundUntilFinal(static_cast<int32_t>(100 + i)),
              kNotFoundTries);
  }
  EXPECT_EQ(NotFoundUntilFinal(999), 1);
  // Once they are forgotten there is patience again.
  now_ms_ += kRememberFailureMs;
  EXPECT_EQ(NotFoundUntilFinal(998), kNotFoundTries);
}

TEST_F(RegistryCacheTest, WhatCannotBeUsedIsFinalForAWhile) {
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
  Next();
  EXPECT_TRUE(Answer(7, absl::FailedPreconditionError("of type \"X\"")));
  EXPECT_EQ(Get(7).message(), "schema 7 cannot be used: of type \"X\"");
  EXPECT_TRUE(absl::IsFailedPrecondition(Get(7)));
  now_ms_ += kRememberFailureMs;
  EXPECT_TRUE(absl::IsUnavailable(Get(7)));
}

TEST_F(RegistryCacheTest, TheLeastRecentlyUsedGoesFirst) {
  const auto n = static_cast<int32_t>(kMaxCachedSchemas);
  for (int32_t id = 0; id < n; ++id) {
    EXPECT_TRUE(absl::IsUnavailable(Get(id)));
    ASSERT_TRUE(Answer(Next(), Schema(id)));
  }
  EXPECT_TRUE(Get(0).ok());  // used again
  EXPECT_TRUE(absl::IsUnavailable(Get(n)));
  ASSERT_TRUE(Answer(Next(), Schema(n)));
  EXPECT_EQ(cache_.cached(), kMaxCachedSchemas);
  EXPECT_TRUE(Get(0).ok());
  EXPECT_TRUE(Get(n).ok());
  EXPECT_TRUE(absl::IsUnavailable(Get(1)));
}

TEST_F(RegistryCacheTest, BytesAreBoundedToo) {
  constexpr size_t kEach = kMaxCachedSchemaBytes / 4;
  for (int32_t id = 0; id < 5; ++id) {
    EXPECT_TRUE(absl::IsUnavailable(Get(id)));
    ASSERT_TRUE(Answer(Next(), Schema(id, kEach)));
  }
  EXPECT_EQ(cache_.cached(), 4u);
  EXPECT_TRUE(absl::IsUnavailable(Get(0)));
  EXPECT_TRUE(Get(4).ok());
}

TEST_F(RegistryCacheTest, SoManyAreAwaitedAtATime) {
  const auto n = static_cast<int32_t>(kMaxAwaitedSchemas);
  for (int32_t id = 0; id < n; ++id) {
    EXPECT_TRUE(absl::IsUnavailable(Get(id)));
  }
  EXPECT_TRUE(absl::IsUnavailable(Get(n)));
  EXPECT_EQ(cache_.awaited(), kMaxAwaitedSchemas);
  const int32_t first = Next();
  EXPECT_TRUE(Answer(first, Schema(first)));
  EXPECT_TRUE(absl::IsUnavailable(Get(n)));
  EXPECT_EQ(cache_.awaited(), kMaxAwaitedSchemas);
}

TEST_F(RegistryCacheTest, NoneIsPassedOverForEver) {
  EXPECT_TRUE(absl::IsUnavailable(Get(1)));
  Next();
  EXPECT_FALSE(Answer(1, absl::UnavailableError("HTTP 500")));
  // Others come all the time, and are answered.
  int others = 0;
  for (int32_t id = 2; id < 100; ++id) {
    EXPECT_TRUE(absl::IsUnavailable(Get(id)));
    const int32_t next = Next();
    if (next == 1) break;
    EXPECT_TRUE(Answer(next, Schema(next)));
    ++others;
  }
  EXPECT_LT(others, 5);
}

}  // namespace
}  // namespace tidegate
