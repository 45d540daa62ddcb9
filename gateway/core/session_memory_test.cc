// What a key of a session costs while nothing happens: a client may have
// kMaxKeysPerSession of them.
#include <malloc.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/core/session_testing.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

size_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;  // the large ones are mapped
}

TEST(SessionMemoryTest, AKeyIsSmall) {
  constexpr int kKeys = 100'000;
  SessionWorld world;
  world.Add(1, GrowingSpec({"a"}));
  world.Run();
  const size_t before = HeapBytes();
  for (int i = 0; i < kKeys; i += 10'000) {
    std::vector<std::string> keys;
    for (int k = i; k < std::min(i + 10'000, kKeys - 1); ++k) {
      keys.push_back(TestKey(absl::StrCat("user-", 1'000'000'000 + k)));
    }
    world.session->ChangeKeys(1, 1, std::move(keys),
                              std::vector<std::string>());
    Message message;
    while (*world.session->Next(world.now, &message)) {
    }
  }
  const size_t per_key = (HeapBytes() - before) / kKeys;
  std::cout << "bytes per key: " << per_key << "\n";
  EXPECT_GT(per_key, 50u);  // or nothing was measured
  EXPECT_LT(per_key, 300u);
}

}  // namespace
}  // namespace tidegate
