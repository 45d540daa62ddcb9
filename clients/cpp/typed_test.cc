#include "clients/cpp/typed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/totals_testing.h"

namespace tidegate::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Totals = TypedView<DriverTotalsRow, DriverTotalsKey>;

constexpr std::chrono::milliseconds kLong{60'000};

std::unique_ptr<Client> Connect(const ScriptedServer& server) {
  ClientOptions options;
  options.server = server.address();
  QuickBackoff(&options);
  auto client = Client::Create(options);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(TypedTest, ReadsRowsByKeyAndInOrder) {
  ScriptedServer server(SubscribeScripts{});
  v1::GetResponse get;
  get.add_entries()->set_row(TotalsRow(42, 2.5).SerializeAsString());
  get.mutable_entries(0)->set_finality(v1::FINALITY_FINAL);
  v1::ScanResponse scan;
  for (int i = 0; i < 3; ++i) {
    scan.add_rows(TotalsRow(i, 10 * i).SerializeAsString());
  }
  server.Answer(get, scan);
  const auto client = Connect(server);
  const Totals totals(client.get(), "driver_totals");

  const auto found = totals.Get(TotalsKey(42));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->row.total(), 2.5);
  EXPECT_EQ((*found)->finality, Finality::kFinal);
  std::vector<double> seen;
  const auto position = totals.Scan({}, [&](const DriverTotalsRow& row) {
    seen.push_back(row.total());
    return seen.size() < 2;
  });
  EXPECT_TRUE(position.ok()) << position.status();
  EXPECT_THAT(seen, ElementsAre(0, 10));
  const auto all = totals.ScanAll({});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->rows.size(), static_cast<size_t>(scan.rows_size()));
  EXPECT_EQ(all->rows[1].row.total(), 10);

  get.mutable_entries(0)->clear_row();
  scan.add_rows("\xff");
  server.Answer(get, scan);
  const auto none = totals.Get(TotalsKey(42));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  EXPECT_EQ(totals.Scan({}, [](const DriverTotalsRow&) { return true; })
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(totals.ScanAll({}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(TypedTest, MirrorsRowsAndTellsTheirChanges) {
  ScriptedServer server(SubscribeScripts{
      [](auto*, SubscribeWriter* writer) {
        writer->Write(SnapshotOf(200, 1));
        writer->Write(SnapshotOf(3, 2));
        writer->Write(End(5));
        writer->Write(With(With(Delta(5, 6), 3, 7), 200, -1));
        return Cut();
      },
      [](auto*, SubscribeWriter* writer) {
        writer->Write(With(Delta(6, 9), 1, 4));
        return grpc::Status(grpc::StatusCode::NOT_FOUND, "over");
      }});
  server.Describe(DescribeTotals());
  const auto client = Connect(server);
  const Totals totals(client.get(), "driver_totals");
  std::vector<std::string> told;
  TypedHandlers<DriverTotalsRow> handlers;
  handlers.on_change = [&](const TypedChange<DriverTotalsRow>& change) {
    const auto text = [](const std::optional<DriverTotalsRow>& row) {
      return row ? absl::StrCat(row->driver_id(), "=", row->total()) : "-";
    };
    told.push_back(text(change.before) + ">" + text(change.after));
  };
  handlers.on_end = [&](const absl::Status& why) {
    told.emplace_back(why.message());
  };
  SubscribeOptions wanted;
  wanted.where = "total > 0";
  const auto subscription =
      totals.Subscribe(wanted, handlers, {TotalsKey(1), TotalsKey(3)});
  EXPECT_THAT(subscription->Wait().message(), HasSubstr("over"));
  EXPECT_THAT(told, ElementsAre("->3=2", "->200=1", "3=2>3=7", "200=1>-",
                                "->1=4", HasSubstr("over")));
  const v1::SubscribeRequest asked = server.last_request();
  EXPECT_EQ(asked.view(), "driver_totals");
  EXPECT_EQ(asked.where(), "total > 0");
  EXPECT_THAT(asked.keys(), ElementsAre(TotalsKey(1).SerializeAsString(),
                                        TotalsKey(3).SerializeAsString()));

  const auto rows = Totals::Rows(*subscription);
  EXPECT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.Get(TotalsKey(3)).value()->total(), 7);
  EXPECT_FALSE(rows.Get(TotalsKey(200)).value().has_value());
  std::vector<int64_t> drivers;
  EXPECT_TRUE(rows.ForEach([&](const DriverTotalsRow& row) {
                    drivers.push_back(row.driver_id());
                    return true;
                  })
                  .ok());
  EXPECT_THAT(drivers, ElementsAre(1, 3));
  EXPECT_TRUE(rows.WaitUntilAt({"i1", {{0, 9}}}, kLong).ok());
}

// To a subscription by the generated classes, rows of another type are an end.
TEST(TypedTest, RowsOfAnotherTypeEndIt) {
  ScriptedServer server(SubscribeScripts{[](auto*, SubscribeWriter* writer) {
    v1::SubscribeResponse row = SnapshotOf(1, 1);
    // region, which is text: not UTF-8.
    row.mutable_changes(0)->mutable_upsert()->append("\x22\x01\xff");
    writer->Write(row);
    writer->Write(End(5));
    return Cut();
  }});
  server.Describe(DescribeTotals());
  const auto client = Connect(server);
  const Totals totals(client.get(), "driver_totals");
  TypedHandlers<DriverTotalsRow> handlers;
  handlers.on_change = [](const TypedChange<DriverTotalsRow>&) {
    ADD_FAILURE() << "it was told";
  };
  EXPECT_EQ(totals.Subscribe({}, handlers)->Wait().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tidegate::client
