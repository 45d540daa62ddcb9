// Random rows, filters and page sizes, with commits between the pages of
// several scans at a time: each scan brings exactly what its filter lets
// through of what was true where it began, in key order.
#include <functional>
#include <iostream>
#include <memory>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/grpc/scan_fixture.h"
#include "gtest/gtest.h"

namespace tidegate {
namespace {

constexpr int kServers = 6;
constexpr int kSteps = 400;
constexpr size_t kScansAtATime = 4;
constexpr int kRegions = 5;
constexpr int kNumbers = 40;
constexpr int kValues = 10;

// A condition as text and as what it means.
struct Condition {
  std::string text;
  std::function<bool(const ScanRow&)> holds;
};

struct RunningScan {
  v1::ScanRequest request;
  std::vector<std::string> expected;
  uint64_t seq = 0;
  std::vector<std::string> rows;
};

struct Totals {
  int scans = 0, pages = 0, rows = 0, empty = 0, later = 0;
};

class ScanPropertyTest : public ScanFixture {
 protected:
  int Below(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  bool Chance(int percent) { return Below(100) < percent; }
  static std::string Region(int i) { return std::string(i, 'r'); }

  Condition RandomCondition() {
    const int64_t c = Below(kValues);
    switch (Below(6)) {
      case 0:
        return {"", [](const ScanRow&) { return true; }};
      case 1:
        return {absl::StrCat("v > ", c),
                [c](const ScanRow& row) { return row.v && *row.v > c; }};
      case 2:
        return {"v IS NULL", [](const ScanRow& row) { return !row.v; }};
      case 3:
        return {absl::StrCat("n % 7 = 3 AND v <= ", c), [c](const ScanRow& r) {
                  return r.n % 7 == 3 && r.v && *r.v <= c;
                }};
      case 4:
        return {absl::StrCat("region LIKE '%rr' OR v = ", c),
                [c](const ScanRow& row) {
                  return absl::EndsWith(row.region, "rr") ||
                         (row.v && *row.v == c);
                }};
      default:  // a row that it fails on does not match
        return {"NOT (10 / v > 2)",
                [](const ScanRow& r) { return r.v && *r.v != 0 && *r.v > 3; }};
    }
  }

  void CommitSome() {
    std::map<Key, std::optional<ScanRow>> changes;
    for (int i = Below(12); i >= 0; --i) {
      ScanRow row{Region(Below(kRegions)), Below(kNumbers), {}};
      if (Chance(80)) row.v = Below(kValues);
      const Key key(row.region, row.n);
      if (Chance(75)) {
        changes[key] = row;
      } else if (held_.count(KeyOf(row)) > 0) {
        changes[key] = std::nullopt;
      }
    }
    if (!changes.empty()) Commit(changes);
  }

  std::unique_ptr<RunningScan> Begin() {
    auto scan = std::make_unique<RunningScan>();
    scan->request.set_view("things");
    const Condition condition = RandomCondition();
    scan->request.set_where(condition.text);
    std::optional<std::string> region;
    std::optional<int64_t> n;
    if (Chance(50)) {
      region = Region(Below(kRegions));
      if (Chance(10)) n = Below(kNumbers);
      scan->request.set_key_prefix(Prefix(*region, n));
    }
    for (const auto& [key, row] : held_) {
      if ((region && row.region != *region) || (n && row.n != *n)) continue;
      if (condition.holds(row)) scan->expected.push_back(BytesOf(row));
    }
    scan->seq = store_->head().value();
    return scan;
  }

  // False once the scan is over.
  bool NextPage(RunningScan* scan, Totals* totals) {
    const uint32_t size = 1 + static_cast<uint32_t>(Below(20));
    scan->request.set_page_size(size);
    v1::ScanResponse page;
    const grpc::Status status = Scan(scan->request, &page);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) return false;
    EXPECT_EQ(page.position().partitions(0).seq(), scan->seq);
    EXPECT_LE(page.rows_size(), static_cast<int>(size));
    ++totals->pages;
    totals->rows += page.rows_size();
    if (scan->seq != store_->head().value()) ++totals->later;
    scan->rows.insert(scan->rows.end(), page.rows().begin(), page.rows().end());
    scan->request.set_page_token(page.next_page_token());
    if (!page.next_page_token().empty()) {
      if (page.rows_size() == 0) ++totals->empty;
      return true;
    }
    EXPECT_EQ(scan->rows, scan->expected)
        << "where " << scan->request.where() << " at " << scan->seq;
    return false;
  }

  std::mt19937_64 random_;
};

TEST_F(ScanPropertyTest, AScanBringsWhatWasTrueWhereItBegan) {
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  random_.seed(seed);
  Totals totals;
  CommitSome();
  for (int server = 0; server < kServers && !HasFailure(); ++server) {
    ServerOptions options;
    options.max_page_read_rows = 1 + static_cast<size_t>(Below(60));
    server_.reset();
    OpenStore(std::string(1, static_cast<char>('B' + server)));
    StartServer(options);
    std::vector<std::unique_ptr<RunningScan>> scans;
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      if (Chance(30)) CommitSome();
      if (scans.size() < kScansAtATime) {
        scans.push_back(Begin());
        ++totals.scans;
        // Its position is that of its first page.
        if (!NextPage(scans.back().get(), &totals)) scans.pop_back();
        continue;
      }
      const size_t which = static_cast<size_t>(Below(kScansAtATime));
      if (!NextPage(scans[which].get(), &totals)) {
        scans.erase(scans.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
  }
  EXPECT_GT(totals.scans, 100);
  EXPECT_GT(totals.rows, 1'000);
  EXPECT_GT(totals.empty, 20);
  EXPECT_GT(totals.later, totals.pages / 4);
  std::cout << totals.scans << " scans, " << totals.pages << " pages, "
            << totals.rows << " rows\n";
}

}  // namespace
}  // namespace tidegate
