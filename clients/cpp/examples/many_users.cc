// A backend with many users: each follows a few drivers, all over one stream.
// Reads "USER +DRIVER" and "USER -DRIVER" from standard input, a line each.
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "clients/cpp/tidegate_client.h"
#include "clients/cpp/typed.h"
#include "driver_totals.pb.h"  // tidegate proto driver_totals, then protoc

namespace tg = tidegate::client;
using tidegate::views::DriverTotalsKey;
using tidegate::views::DriverTotalsRow;
using Totals = tg::TypedView<DriverTotalsRow, DriverTotalsKey>;

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int main(int argc, char** argv) {
  tg::ClientOptions options;
  options.server = argc > 1 ? argv[1] : "127.0.0.1:7070";
  const auto client = tg::Client::Create(options);
  if (!client.ok()) return Fail(client.status());
  const Totals totals(client->get(), "driver_totals");

  // One watch, whose keys come and go.
  const auto session = (*client)->OpenSession();
  tg::SubscribeOptions wanted;
  wanted.keyed = true;
  const auto watch = totals.AddWatch(session.get(), wanted);
  const auto rows = Totals::Rows(*watch);

  std::string user;
  int64_t driver = 0;
  while (std::cin >> user >> driver) {
    DriverTotalsKey key;
    key.set_driver_id(driver < 0 ? -driver : driver);
    const std::vector<std::string> keys = Totals::Bytes({key});
    const auto request =
        driver < 0 ? watch->ChangeKeys({}, keys) : watch->ChangeKeys(keys, {});
    if (!request.ok()) return Fail(request.status());
    // Once it is answered, the mirror shows what was asked for.
    const auto answered =
        watch->WaitForKeys(*request, std::chrono::seconds(10));
    if (!answered.ok()) return Fail(answered);
    const auto row = rows.Get(key);
    if (!row.ok()) return Fail(row.status());
    std::cout << user << ": driver " << key.driver_id() << " has "
              << (row->has_value() ? (*row)->total() : 0.0) << ", "
              << rows.size() << " rows held" << std::endl;
  }
  return 0;
}
