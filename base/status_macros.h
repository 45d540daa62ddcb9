// Status propagation with context: each layer says what it was doing.
#ifndef TIDEGATE_BASE_STATUS_MACROS_H_
#define TIDEGATE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace tidegate {

// `status` with "context: " before its message; OK and payloads pass through.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace tidegate

#define TG_CONCAT_INNER(a, b) a##b
#define TG_CONCAT(a, b) TG_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                               \
  do {                                                                      \
    if (absl::Status tg_status = (expr); !tg_status.ok()) return tg_status; \
  } while (false)

// RETURN_IF_ERROR_CTX(Commit(), absl::StrCat("view=", name))
#define RETURN_IF_ERROR_CTX(expr, ...)                     \
  do {                                                     \
    if (absl::Status tg_status = (expr); !tg_status.ok())  \
      return ::tidegate::Annotate(tg_status, __VA_ARGS__); \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  TG_ASSIGN_OR_RETURN(TG_CONCAT(tg_statusor_, __LINE__), lhs, expr)
#define TG_ASSIGN_OR_RETURN(var, lhs, expr)      \
  auto var = (expr);                             \
  if (!var.ok()) return std::move(var).status(); \
  lhs = *std::move(var)

#endif  // TIDEGATE_BASE_STATUS_MACROS_H_
