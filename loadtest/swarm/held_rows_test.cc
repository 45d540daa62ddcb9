#include "loadtest/swarm/held_rows.h"

#include "base/coding.h"
#include "gtest/gtest.h"

namespace tidegate::swarm {
namespace {

std::string Row(uint64_t key, uint64_t value) {
  std::string row;
  PutTag(&row, 3, WireType::kVarint);
  PutVarint64(&row, key);
  PutTag(&row, 7, WireType::kVarint);
  PutVarint64(&row, value);
  return row;
}

std::string Key(uint64_t key) {
  std::string bytes;
  PutTag(&bytes, 3, WireType::kVarint);
  PutVarint64(&bytes, key);
  return bytes;
}

TEST(HeldRowsTest, HoldsTheNewestRowOfEachKey) {
  const std::vector<uint32_t> fields = {3};
  HeldRows held(&fields);
  EXPECT_TRUE(held.Apply({true, Row(1, 10)}));
  EXPECT_TRUE(held.Apply({true, Row(2, 20)}));
  EXPECT_TRUE(held.Apply({true, Row(1, 11)}));
  EXPECT_EQ(held.Rows(), (std::vector<std::string>{Row(1, 11), Row(2, 20)}));
  EXPECT_TRUE(held.Apply({false, Key(2)}));
  EXPECT_TRUE(held.Apply({false, Key(9)}));  // not held: nothing to do
  EXPECT_EQ(held.Rows(), std::vector<std::string>{Row(1, 11)});
  held.Clear();
  EXPECT_EQ(held.size(), 0u);
}

TEST(HeldRowsTest, TheHashIsOfWhatIsHeldAndNotOfItsHistory) {
  const std::vector<uint32_t> fields = {3};
  HeldRows a(&fields);
  HeldRows b(&fields);
  EXPECT_TRUE(a.Apply({true, Row(1, 10)}));
  EXPECT_TRUE(a.Apply({true, Row(2, 20)}));
  EXPECT_TRUE(b.Apply({true, Row(2, 20)}));
  EXPECT_TRUE(b.Apply({true, Row(1, 1)}));
  EXPECT_NE(a.Hash(), b.Hash());
  EXPECT_TRUE(b.Apply({true, Row(1, 10)}));
  EXPECT_EQ(a.Hash(), b.Hash());
}

TEST(HeldRowsTest, RubbishIsNoticed) {
  const std::vector<uint32_t> fields = {3};
  HeldRows held(&fields);
  EXPECT_FALSE(held.Apply({true, "\xff"}));
}

}  // namespace
}  // namespace tidegate::swarm
