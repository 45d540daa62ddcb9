// watch: the rows, then every change.
#include <csignal>
#include <iostream>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "clients/cpp/session_client.h"
#include "clients/cpp/subscriber.h"
#include "clients/cpp/view_client.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/commands.h"
#include "cmd/tidegate/signals.h"
#include "cmd/tidegate/watch_board.h"
#include "cmd/tidegate/watch_screen.h"
#include "cmd/tidegate/watch_spec.h"

namespace tidegate {
namespace {

using client::DynamicRows;
using client::Event;
using client::SessionClient;
using client::SessionEvent;
using client::Subscriber;

// One view to be watched.
struct Watched {
  WatchSubject subject;
  std::string resume_token;
  std::unique_ptr<DynamicRows> rows;
  std::unique_ptr<Screen> screen;
};

absl::StatusOr<Watched> Describe(const Arguments& arguments,
                                 client::ViewClient* client,
                                 const WatchSpec& spec) {
  Watched watched;
  ASSIGN_OR_RETURN(watched.rows, DescribeRows(client, spec.view));
  watched.subject.view = spec.view;
  watched.subject.where = spec.where;
  ASSIGN_OR_RETURN(watched.subject.keys, ParseKeys(*watched.rows, spec.keys));
  if (!spec.key_prefix.empty()) {
    ASSIGN_OR_RETURN(watched.subject.key_prefix,
                     ParseKeyPrefix(*watched.rows, spec.key_prefix[0]));
  }
  watched.subject.one_of_several = arguments.words().size() > 1;
  watched.resume_token = spec.resume_token;
  watched.screen = MakeScreen(watched.subject, watched.rows.get(),
                              arguments.text("format") == "json");
  return watched;
}

absl::StatusOr<std::vector<Watched>> DescribeAll(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<WatchSpec> specs,
                   ParseWatchSpecs(arguments));
  const auto client = client::ViewClient::Create(arguments.text("server"),
                                                 arguments.number("timeout"));
  std::vector<Watched> all;
  for (const WatchSpec& spec : specs) {
    ASSIGN_OR_RETURN(Watched watched, Describe(arguments, client.get(), spec));
    all.push_back(std::move(watched));
  }
  return all;
}

void TellLost(const std::string& what, const Event& event) {
  PrintError(absl::StrCat("lost ", what, ": ", event.detail, "; again in ",
                          event.retry_after_ms, " ms"));
}

// By a subscription, however many keys there are: its token tells them.
absl::Status WatchOne(const Arguments& arguments, const Watched& watched) {
  client::SubscriberOptions options;
  options.server = arguments.text("server");
  options.view = watched.subject.view;
  options.keys = watched.subject.keys;
  options.key_prefix = watched.subject.key_prefix;
  options.where = watched.subject.where;
  options.resume_token = watched.resume_token;
  options.min_interval_ms = arguments.number("min-interval");
  options.seed = std::random_device()();
  const bool once = arguments.is_set("until-snapshot-end");

  const auto subscriber = Subscriber::Create(options);
  SignalThread signals([&subscriber](int) { subscriber->Stop(); });
  absl::Status shown;
  const absl::Status status = subscriber->Run([&](const Event& event) {
    if (event.kind == Event::Kind::kDisconnected) {
      TellLost(options.server, event);
    }
    shown = watched.screen->Show(event);
    return shown.ok() && std::cout.good() &&
           !(once && event.kind == Event::Kind::kSnapshotEnd);
  });
  return shown.ok() ? status : shown;
}

// By one session.
absl::Status WatchSeveral(const Arguments& arguments,
                          std::vector<Watched> all) {
  client::SessionClientOptions options;
  options.server = arguments.text("server");
  options.seed = std::random_device()();
  const auto session = SessionClient::Create(options);
  WatchBoard board;
  for (Watched& watched : all) {
    client::WatchOptions watch;
    watch.view = watched.subject.view;
    watch.keys = watched.subject.keys;
    watch.key_prefix = watched.subject.key_prefix;
    watch.where = watched.subject.where;
    watch.resume_token = watched.resume_token;
    watch.min_interval_ms = arguments.number("min-interval");
    board.Add(session->AddWatch(std::move(watch)), watched.subject.view,
              std::move(watched.screen));
  }
  const bool once = arguments.is_set("until-snapshot-end");

  SignalThread signals([&session](int) { session->Stop(); });
  absl::Status shown;
  const absl::Status status = session->Run([&](const SessionEvent& event) {
    if (event.kind != SessionEvent::Kind::kFailed &&
        event.event.kind == Event::Kind::kDisconnected) {
      const std::string view = board.view(event.watch);
      TellLost(
          view.empty() ? options.server : absl::StrCat("view \"", view, "\""),
          event.event);
    }
    shown = board.Show(event);
    return shown.ok() && std::cout.good() &&
           !(once && board.all_snapshots_ended());
  });
  return shown.ok() ? status : shown;
}

}  // namespace

int RunWatch(const Arguments& arguments) {
  BlockStopSignals();
  auto all = DescribeAll(arguments);
  if (!all.ok()) return ReportFailure(arguments, all.status());
  const absl::Status status = all->size() == 1
                                  ? WatchOne(arguments, all->front())
                                  : WatchSeveral(arguments, *std::move(all));
  if (!status.ok()) return ReportFailure(arguments, status);
  return kExitOk;
}

}  // namespace tidegate
