// One line of JSON, an object, read member by member.
#ifndef TIDEGATE_CLIENTS_HISTORY_JSON_LINE_H_
#define TIDEGATE_CLIENTS_HISTORY_JSON_LINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Thread-compatible.
class JsonLine {
 public:
  // InvalidArgument if `line` is not a JSON object.
  static absl::StatusOr<JsonLine> Parse(absl::string_view line);
  JsonLine(JsonLine&&) noexcept;
  JsonLine& operator=(JsonLine&&) noexcept;
  ~JsonLine();

  // InvalidArgument if there is no such member or it is of another type.
  absl::StatusOr<int64_t> Int(const char* name) const;
  absl::StatusOr<bool> Bool(const char* name) const;
  absl::StatusOr<std::string> Text(const char* name) const;
  // An array of texts, and an array of such arrays.
  absl::StatusOr<std::vector<std::string>> Texts(const char* name) const;
  absl::StatusOr<std::vector<std::vector<std::string>>> TextRows(
      const char* name) const;
  // A value as JSON text, and an array of them.
  absl::StatusOr<std::string> Json(const char* name) const;
  absl::StatusOr<std::vector<std::string>> Jsons(const char* name) const;
  bool Has(const char* name) const;
  // The member is there, and null.
  bool IsNull(const char* name) const;

 private:
  struct Impl;
  explicit JsonLine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate

#endif  // TIDEGATE_CLIENTS_HISTORY_JSON_LINE_H_
