// What the fuzz targets share. A target is LLVMFuzzerTestOneInput in
// NAME_fuzz.cc, over one kind of input: built by the preset `fuzz` it is a
// fuzzer, otherwise a test that runs each file of corpus/NAME once.
#ifndef TIDEGATE_TESTS_FUZZ_FUZZ_H_
#define TIDEGATE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace tidegate {

// Tells what was expected and ends the process: a finding.
[[noreturn]] void FuzzFailed(const char* condition, const char* file, int line,
                             const std::string& details);

// Takes an input apart. Borrows it. Past its end everything is 0 or empty.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t Byte();
  // What stands before the next `end`, which is passed over; all that is left
  // if there is none.
  absl::string_view Until(char end);
  // A byte of length, and so many bytes or what is left.
  absl::string_view Part();
  absl::string_view Rest();

 private:
  absl::string_view rest_;
};

}  // namespace tidegate

// FUZZ_EXPECT(a == b, "a is ", a)
#define FUZZ_EXPECT(condition, ...)                          \
  do {                                                       \
    if (!(condition)) {                                      \
      ::tidegate::FuzzFailed(#condition, __FILE__, __LINE__, \
                             ::absl::StrCat(__VA_ARGS__));   \
    }                                                        \
  } while (false)

#endif  // TIDEGATE_TESTS_FUZZ_FUZZ_H_
