// The views of nexmark.sql, each with what it needs.
#ifndef TIDEGATE_LOADTEST_NEXMARK_QUERIES_H_
#define TIDEGATE_LOADTEST_NEXMARK_QUERIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "loadtest/bench/server_under_test.h"

namespace tidegate {

// "q0", "q1", …, in the order of the file.
const std::vector<std::string>& NexmarkQueries();

// nexmark.proto and the views of `queries` (none: all of them) over the topics
// that begin with `prefix`. InvalidArgument if there is no such query.
absl::StatusOr<BenchFiles> NexmarkFiles(const std::vector<std::string>& queries,
                                        absl::string_view prefix);

}  // namespace tidegate

#endif  // TIDEGATE_LOADTEST_NEXMARK_QUERIES_H_
