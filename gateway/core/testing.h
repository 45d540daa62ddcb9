// Rows with one text key column and one text value, for tests.
#ifndef TIDEGATE_GATEWAY_CORE_TESTING_H_
#define TIDEGATE_GATEWAY_CORE_TESTING_H_

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/core/subscription.h"
#include "views/fold/row_codec.h"

namespace tidegate {

inline const RowSchema& TestSchema() {
  static const RowSchema* const schema = [] {
    auto* s = new RowSchema;
    s->fields = {{"k", Type::kVarchar, 1}, {"v", Type::kVarchar, 2}};
    s->key_columns = {0};
    return s;
  }();
  return *schema;
}

inline std::string TestRow(absl::string_view key, absl::string_view value) {
  const Datum row[] = {Datum::Text(key), Datum::Text(value)};
  std::string out;
  EncodeRow(TestSchema(), row, &out);
  return out;
}

inline std::string TestKey(absl::string_view key) {
  const Type types[] = {Type::kVarchar};
  const Datum values[] = {Datum::Text(key)};
  std::string out;
  EncodeKey(types, values, &out);
  return out;
}

// The same with the start of a window behind them, which ends kTestWindowUs
// later. Its field number is none of the first.
inline constexpr int64_t kTestWindowUs = 10;
inline constexpr int kTestWindowColumn = 2;

inline const RowSchema& WindowedSchema() {
  static const RowSchema* const schema = [] {
    auto* s = new RowSchema(TestSchema());
    s->fields.push_back({"window_start", Type::kTimestamptz, 17});
    return s;
  }();
  return *schema;
}

inline WindowEnd TestWindow() {
  return WindowEndOf(WindowedSchema(), kTestWindowColumn, kTestWindowUs);
}

inline std::string WindowedRow(absl::string_view key, absl::string_view value,
                               int64_t end_us) {
  const Datum row[] = {Datum::Text(key), Datum::Text(value),
                       Datum::Int(end_us - kTestWindowUs)};
  std::string out;
  EncodeRow(WindowedSchema(), row, &out);
  return out;
}

// <View>Key, as clients send it.
inline std::string TestKeyMessage(absl::string_view key) {
  const Datum row[] = {Datum::Text(key), Datum::Null()};
  std::string out;
  EncodeKeyMessage(TestSchema(), row, &out);
  return out;
}

inline constexpr ViewId kTestView{1};

inline SubscriptionSpec TestSpec() {
  SubscriptionSpec spec;
  spec.view_name = "things";
  spec.schema = &TestSchema();
  spec.filter.view = kTestView;
  return spec;
}

inline SubscriptionSpec WindowedSpec() {
  SubscriptionSpec spec = TestSpec();
  spec.schema = &WindowedSchema();
  spec.window = TestWindow();
  return spec;
}

inline SubscriptionSpec KeyedSpec(std::initializer_list<const char*> keys) {
  SubscriptionSpec spec = TestSpec();
  spec.filter.all_rows = false;
  for (const char* key : keys) spec.filter.keys.push_back(TestKey(key));
  return spec;
}

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_CORE_TESTING_H_
