// The key of a row as bytes: the same for a row and for its key, and ordered as
// the server orders keys.
#ifndef TIDEGATE_CLIENTS_CPP_KEY_ORDER_H_
#define TIDEGATE_CLIENTS_CPP_KEY_ORDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate::client {

// A key column, whose field has one number in <View>Row and in <View>Key.
struct KeyColumn {
  enum class Type : uint8_t { kBool, kInt, kDouble, kText, kTimestamp };
  uint32_t field = 0;
  Type type = Type::kInt;
  friend bool operator==(const KeyColumn&, const KeyColumn&) = default;
};

// Immutable; thread-safe.
class KeyOrder {
 public:
  // In the key's order.
  explicit KeyOrder(std::vector<KeyColumn> columns)
      : columns_(std::move(columns)) {}

  // Of a <View>Row or a <View>Key. DataLoss if that is malformed.
  absl::StatusOr<std::string> Of(absl::string_view message) const;

  friend bool operator==(const KeyOrder&, const KeyOrder&) = default;

 private:
  std::vector<KeyColumn> columns_;
};

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_KEY_ORDER_H_
