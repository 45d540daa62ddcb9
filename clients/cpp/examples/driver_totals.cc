// The example of the README. Reads one driver's total, then keeps a copy of all
// large ones and prints every change, until the server refuses.
#include <chrono>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "clients/cpp/tidegate_client.h"
#include "clients/cpp/typed.h"
#include "driver_totals.pb.h"  // tidegate proto driver_totals, then protoc

namespace tg = tidegate::client;
using tidegate::views::DriverTotalsKey;
using tidegate::views::DriverTotalsRow;

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int main(int argc, char** argv) {
  tg::ClientOptions options;
  options.server = argc > 1 ? argv[1] : "127.0.0.1:7070";
  const auto client = tg::Client::Create(options);
  if (!client.ok()) return Fail(client.status());
  const tg::TypedView<DriverTotalsRow, DriverTotalsKey> totals(client->get(),
                                                               "driver_totals");

  // One row as it is now.
  DriverTotalsKey key;
  key.set_driver_id(42);
  const auto driver = totals.Get(key);
  if (!driver.ok()) return Fail(driver.status());
  if (driver->has_value()) {
    std::cout << "driver 42 has " << (*driver)->row.total() << std::endl;
  }

  // A live copy of some rows, and every change of them, in order. It reconnects
  // and resumes by itself; nothing is missed or repeated.
  tg::SubscribeOptions wanted;
  wanted.where = "total > 100";
  tg::TypedHandlers<DriverTotalsRow> handlers;
  handlers.on_change = [](const tg::TypedChange<DriverTotalsRow>& change) {
    const DriverTotalsRow& row = change.after ? *change.after : *change.before;
    std::cout << absl::StrCat("driver ", row.driver_id(),
                              change.after ? " now has " : " is gone, had ",
                              row.total(), "\n")
              << std::flush;
  };
  const auto subscription = totals.Subscribe(wanted, handlers);
  const auto rows = totals.Rows(*subscription);
  const auto live = rows.WaitUntilLive(std::chrono::seconds(10));
  if (!live.ok()) return Fail(live);

  // The copy may be read at any time, on any thread: whole commits only.
  double sum = 0;
  const auto read = rows.ForEach([&sum](const DriverTotalsRow& row) {
    sum += row.total();
    return true;
  });
  if (!read.ok()) return Fail(read);
  std::cout << absl::StrCat("together ", sum, "\n") << std::flush;
  return Fail(subscription->Wait());
}
