// Counts the allocations of a whole test program. Include it in one source of
// the program.
#ifndef TIDEGATE_BASE_ALLOCATIONS_TESTING_H_
#define TIDEGATE_BASE_ALLOCATIONS_TESTING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

#endif  // TIDEGATE_BASE_ALLOCATIONS_TESTING_H_
