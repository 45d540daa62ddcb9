#include "base/double_text.h"

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

std::string Text(double value) {
  std::string out;
  AppendDouble(&out, value);
  return out;
}

TEST(DoubleTextTest, Examples) {
  EXPECT_EQ(Text(0), "0");
  EXPECT_EQ(Text(-0.0), "-0");
  EXPECT_EQ(Text(0.1), "0.1");
  EXPECT_EQ(Text(3), "3");
  EXPECT_EQ(Text(-100000), "-100000");
  EXPECT_EQ(Text(123456789012345), "123456789012345");
  EXPECT_EQ(Text(1e15), "1e+15");
  EXPECT_EQ(Text(0.0001), "0.0001");
  EXPECT_EQ(Text(0.00001), "1e-05");
  EXPECT_EQ(Text(std::nan("")), "NaN");
  EXPECT_EQ(Text(std::numeric_limits<double>::infinity()), "Infinity");
  EXPECT_EQ(Text(-std::numeric_limits<double>::infinity()), "-Infinity");
  EXPECT_EQ(Text(-std::numeric_limits<double>::max()),
            "-1.7976931348623157e+308");
}

TEST(DoubleTextTest, ReadsBack) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(-320, 308);
  for (int i = 0; i < 5'000; ++i) {
    const double value = std::pow(10, exponent(random)) * (i % 2 ? 1 : -1);
    EXPECT_EQ(std::strtod(Text(value).c_str(), nullptr), value);
  }
}

}  // namespace
}  // namespace tidegate
