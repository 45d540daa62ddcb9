// What a subscriber costs while nothing happens. Ten thousand of them are to
// take 2 KB each beyond their connections, so this part has a limit of its own.
#include <malloc.h>

#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/core/subscription_test_fixture.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr size_t kMaxObjectBytes = 704;
constexpr size_t kMaxIdleBytes = 1024;  // the object included

static_assert(sizeof(Subscription) <= kMaxObjectBytes);

// As many as in the rehearsal of a large audience, each at the head.
TEST(SubscriptionMemoryTest, AnIdleKeySubscriptionIsSmall) {
  constexpr size_t kSubscribers = 8'000;
  FakeStore store;
  const ProcessingTime now(1'000'000'000);
  std::vector<std::unique_ptr<Subscription>> all;
  all.reserve(kSubscribers);
  const size_t before = mallinfo2().uordblks;
  for (size_t i = 0; i < kSubscribers; ++i) {
    SubscriptionSpec spec = TestSpec();
    spec.filter.all_rows = false;
    spec.filter.keys = {TestKey(absl::StrCat("driver-", 1'000'000 + i))};
    auto made = Subscription::Create(std::move(spec), &store, "");
    ASSERT_TRUE(made.ok());
    Message message;
    while (*(*made)->Next(now, &message)) {
    }
    ASSERT_TRUE((*made)->settled());
    all.push_back(*std::move(made));
  }
  const size_t each = (mallinfo2().uordblks - before) / kSubscribers;
  std::cout << "bytes of an idle key subscription: " << each << ", of which "
            << sizeof(Subscription) << " are the object\n";
  EXPECT_LE(each, kMaxIdleBytes);
  EXPECT_GE(each, sizeof(Subscription)) << "not measured";
}

}  // namespace
}  // namespace tidegate
