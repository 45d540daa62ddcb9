// A store, a clock, a subscription and the client that it feeds.
#ifndef TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_TEST_FIXTURE_H_
#define TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_TEST_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gateway/core/client_model.h"
#include "gateway/core/fake_store.h"
#include "gateway/core/subscription.h"
#include "gateway/core/testing.h"
#include "gtest/gtest.h"
#include "views/sql/row_filter.h"

namespace tidegate {

// Put and Erase commit, Step sends one message to the client.
class SubscriptionFixture : public testing::Test {
 protected:
  SubscriptionFixture() { client_.schema = &TestSchema(); }

  void Put(absl::string_view key, absl::string_view value) {
    store_.Commit({{{kTestView, TestKey(key)}, TestRow(key, value)}}, now_);
  }
  void Erase(absl::string_view key) {
    store_.Commit({{{kTestView, TestKey(key)}, std::nullopt}}, now_);
  }
  void Open(SubscriptionSpec spec, absl::string_view token = "") {
    auto made = Subscription::Create(std::move(spec), &store_, token);
    ASSERT_TRUE(made.ok()) << made.status();
    subscription_ = *std::move(made);
    client_.Disconnected();
  }
  void Reconnect(SubscriptionSpec spec) {
    Open(std::move(spec), client_.token);
  }
  bool Step() {
    const auto sent = subscription_->Next(now_, &message_);
    EXPECT_TRUE(sent.ok()) << sent.status();
    if (!sent.ok() || !*sent) return false;
    client_.Apply(message_.Flat());
    EXPECT_EQ(client_.violation, "");
    return true;
  }
  int Run() {
    int messages = 0;
    while (true) {
      if (Step()) {
        ++messages;
      } else if (!subscription_->behind()) {
        return messages;
      }
    }
  }
  void Advance(int64_t ms) { now_ = ProcessingTime(now_.value() + ms * 1000); }
  bool Holds(absl::string_view key) const {
    return client_.rows.count(TestKey(key)) > 0;
  }

  FakeStore store_;
  RangeCache ranges_;
  ProcessingTime now_{1'000'000'000};
  std::unique_ptr<Subscription> subscription_;
  ClientModel client_;
  Message message_;
};

inline SubscriptionSpec WhereSpec(absl::string_view where,
                                  SubscriptionSpec spec = TestSpec()) {
  spec.filter.where = RowFilter::Compile(where, *spec.schema).value();
  return spec;
}

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_SUBSCRIPTION_TEST_FIXTURE_H_
