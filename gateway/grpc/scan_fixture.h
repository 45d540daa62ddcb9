// A server of one view whose keys have two columns, for tests of Scan.
#ifndef TIDEGATE_GATEWAY_GRPC_SCAN_FIXTURE_H_
#define TIDEGATE_GATEWAY_GRPC_SCAN_FIXTURE_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/grpc/server_fixture.h"

namespace tidegate {

// (region, n) are the key; v may be NULL.
struct ScanRow {
  std::string region;
  int64_t n = 0;
  std::optional<int64_t> v;
};

class ScanFixture : public ServerFixture {
 protected:
  using Key = std::pair<std::string, int64_t>;

  ScanFixture() {
    catalog_.views[0].schema = Schema();
    filter_.set_view("things");
  }

  static const RowSchema& Schema() {
    static const RowSchema* const schema = [] {
      auto* s = new RowSchema;
      s->fields = {{"region", Type::kVarchar, 1},
                   {"n", Type::kBigint, 2},
                   {"v", Type::kBigint, 3}};
      s->key_columns = {0, 1};
      return s;
    }();
    return *schema;
  }
  // Borrows the text.
  static std::array<Datum, 3> Datums(const ScanRow& row) {
    return {Datum::Text(row.region), Datum::Int(row.n),
            row.v ? Datum::Int(*row.v) : Datum::Null()};
  }
  static std::string KeyOf(const ScanRow& row) {
    const Type types[] = {Type::kVarchar, Type::kBigint};
    const std::array<Datum, 3> datums = Datums(row);
    std::string key;
    EncodeKey(types, absl::MakeConstSpan(datums).first(2), &key);
    return key;
  }
  static std::string BytesOf(const ScanRow& row) {
    std::string bytes;
    EncodeRow(Schema(), Datums(row), &bytes);
    return bytes;
  }
  // <View>Key with the region, and `n` if there is one.
  static std::string Prefix(const std::string& region,
                            std::optional<int64_t> n = std::nullopt) {
    const ScanRow row{region, n.value_or(0), {}};
    std::array<Datum, 3> datums = Datums(row);
    if (!n) datums[1] = Datum::Null();
    std::string message;
    EncodeKeyMessage(Schema(), datums, &message);
    return message;
  }

  // One commit; nullopt deletes.
  void Commit(const std::map<Key, std::optional<ScanRow>>& rows) {
    std::map<std::string, std::optional<std::string>> by_key;
    for (const auto& [at, row] : rows) {
      const std::string key = KeyOf({at.first, at.second, {}});
      by_key[key] = std::nullopt;
      held_.erase(key);
      if (!row) continue;
      by_key[key] = BytesOf(*row);
      held_[key] = *row;
    }
    WriteRows(by_key);
  }
  void PutRow(const ScanRow& row) { Commit({{{row.region, row.n}, row}}); }

  // What the scan is asked with; a page's answer is in `page_`.
  grpc::Status Page() {
    page_.Clear();
    return Scan(filter_, &page_);
  }
  // Asks for all pages; "region/n" of their rows. Stops at an error.
  std::vector<std::string> All() {
    std::vector<std::string> names;
    pages_ = 0;
    do {
      const grpc::Status status = Page();
      if (!status.ok()) {
        ADD_FAILURE() << status.error_message();
        return names;
      }
      ++pages_;
      for (const std::string& bytes : page_.rows()) {
        std::vector<Datum> row(3);
        EXPECT_TRUE(DecodeRow(Schema(), bytes, MutableRow(row)).ok());
        names.push_back(absl::StrCat(row[0].text(), "/", row[1].i));
      }
      filter_.set_page_token(page_.next_page_token());
    } while (!page_.next_page_token().empty());
    return names;
  }

  std::map<std::string, ScanRow> held_;  // by key, what is true now
  v1::ScanRequest filter_;
  v1::ScanResponse page_;
  int pages_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_GATEWAY_GRPC_SCAN_FIXTURE_H_
