// Rows and keys of any view as JSON text, by the descriptors that DescribeView
// returns: 64-bit integers are JSON numbers, timestamps RFC 3339, absent fields
// null, columns in the view's order.
#ifndef TIDEGATE_CLIENTS_CPP_DYNAMIC_ROWS_H_
#define TIDEGATE_CLIENTS_CPP_DYNAMIC_ROWS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "clients/cpp/key_order.h"

namespace tidegate::client {

// Immutable; thread-safe.
class DynamicRows {
 public:
  // `descriptors` is a serialized google.protobuf.FileDescriptorSet with the
  // messages <View>Row and <View>Key.
  static absl::StatusOr<std::unique_ptr<DynamicRows>> Create(
      absl::string_view view, std::vector<std::string> key_columns,
      absl::string_view descriptors);
  virtual ~DynamicRows() = default;

  virtual const std::vector<std::string>& columns() const = 0;
  virtual const std::vector<std::string>& key_columns() const = 0;
  virtual const KeyOrder& key_order() const = 0;

  // JSON objects; `row` is <View>Row, `key` <View>Key.
  virtual absl::StatusOr<std::string> RowJson(absl::string_view row) const = 0;
  virtual absl::StatusOr<std::string> KeyJson(absl::string_view key) const = 0;
  // The key columns of a row, as KeyJson would have them.
  virtual absl::StatusOr<std::string> KeyJsonOfRow(
      absl::string_view row) const = 0;
  // Text for people, one per column; absent fields are "NULL".
  virtual absl::StatusOr<std::vector<std::string>> RowCells(
      absl::string_view row) const = 0;
  virtual absl::StatusOr<std::vector<std::string>> KeyCells(
      absl::string_view key) const = 0;
  virtual absl::StatusOr<std::vector<std::string>> KeyCellsOfRow(
      absl::string_view row) const = 0;
  // The value of a BIGINT column, for measuring; 0 if NULL. NotFound if there
  // is no such column of that type.
  virtual absl::StatusOr<int64_t> RowInt(absl::string_view row,
                                         absl::string_view column) const = 0;

  // <View>Key from text: the value itself if there is one key column,
  // `a=1,b=x` if there are several, or a JSON object. InvalidArgument shows
  // the right shape.
  virtual absl::StatusOr<std::string> ParseKey(
      absl::string_view text) const = 0;
};

class ViewClient;
// The view's, as the server describes it now.
absl::StatusOr<std::unique_ptr<DynamicRows>> DescribeRows(
    ViewClient* client, const std::string& view);

}  // namespace tidegate::client

#endif  // TIDEGATE_CLIENTS_CPP_DYNAMIC_ROWS_H_
