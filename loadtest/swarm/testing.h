// Messages of the contract, built field by field. For tests.
#ifndef TIDEGATE_LOADTEST_SWARM_TESTING_H_
#define TIDEGATE_LOADTEST_SWARM_TESTING_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/coding.h"

namespace tidegate::swarm {

inline constexpr int64_t kSecond = 1'000'000;

// Builds a SubscribeResponse field by field.
class Wire {
 public:
  Wire& Bytes(uint32_t field, absl::string_view bytes) {
    PutTag(&out_, field, WireType::kLengthDelimited);
    PutLengthPrefixed(&out_, bytes);
    return *this;
  }
  Wire& Uint(uint32_t field, uint64_t value) {
    PutTag(&out_, field, WireType::kVarint);
    PutVarint64(&out_, value);
    return *this;
  }
  Wire& Time(uint32_t field, int64_t us) {
    return Bytes(field, Wire()
                            .Uint(1, static_cast<uint64_t>(us / kSecond))
                            .Uint(2, static_cast<uint64_t>(us % kSecond) * 1000)
                            .out_);
  }
  Wire& Upsert(absl::string_view row) {
    return Bytes(1, Wire().Bytes(1, row).out_);
  }
  Wire& Range(uint64_t from, uint64_t to) {
    return Bytes(2, Wire().Uint(2, from).Uint(3, to).out_);
  }
  Wire& Token(absl::string_view token) { return Bytes(3, token); }
  Wire& Position(uint64_t seq) {
    return Bytes(6,
                 Wire().Bytes(1, "id").Bytes(2, Wire().Uint(2, seq).out_).out_);
  }
  operator std::string() const { return out_; }        // NOLINT: for the tests
  operator absl::string_view() const { return out_; }  // NOLINT

 private:
  std::string out_;
};

}  // namespace tidegate::swarm

#endif  // TIDEGATE_LOADTEST_SWARM_TESTING_H_
