// The C++ client as the conformance suite drives it (clients/conformance): a
// subscription, or a session, told as lines of `watch --format json`, and what
// its mirrors hold in the end.
//
//   conformance_driver VIEW... --server HOST:PORT [--key K]... [--key-prefix K]
//       [--where W] [--resume TOKEN] [--session] [--mirror] [--commands]
//   conformance_driver VIEW --server HOST:PORT --reads [--timeout-ms N]
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_writer.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "clients/cpp/tidegate_client.h"
#include "clients/history/json_line.h"
#include "cmd/tidegate/client_setup.h"
#include "cmd/tidegate/conformance_reads.h"
#include "cmd/tidegate/flags.h"
#include "cmd/tidegate/signals.h"
#include "cmd/tidegate/watch_lines.h"
#include "cmd/tidegate/watch_spec.h"

namespace tidegate {
namespace {

using client::Client;
using client::DynamicRows;
using client::Event;
using client::Mirror;
using client::RowRef;
using client::SubscribeOptions;

Command DriverCommand() {
  return {.name = "conformance_driver",
          .arguments = "VIEW...",
          .min_arguments = 1,
          .max_arguments = -1,
          .flags = {{.name = "server", .required = true},
                    {.name = "format", .default_value = "json"},
                    {.name = "key", .repeated = true},
                    {.name = "key-prefix", .repeated = true},
                    {.name = "where", .repeated = true},
                    {.name = "resume", .repeated = true},
                    {.name = "session", .type = FlagType::kSwitch},
                    {.name = "mirror", .type = FlagType::kSwitch},
                    {.name = "commands", .type = FlagType::kSwitch},
                    {.name = "reads", .type = FlagType::kSwitch},
                    {.name = "timeout-ms", .type = FlagType::kInt}}};
}

// Prints what one subscription or watch is told. Of the stream's thread, but
// for Mirror(), which comes after it.
class Teller {
 public:
  Teller(WatchSubject subject, std::unique_ptr<DynamicRows> rows, bool numbered)
      : view_(subject.one_of_several ? subject.view : ""),
        rows_(std::move(rows)),
        lines_(std::move(subject), rows_.get()),
        numbered_(numbered) {}

  const DynamicRows& rows() const { return *rows_; }
  void set_number(uint32_t number) { number_ = number; }

  absl::Status Show(const Event& event) {
    std::string text;
    RETURN_IF_ERROR(lines_.Append(event, &text));
    while (!text.empty()) {
      const size_t end = text.find('\n');
      Print(text.substr(1, end - 1));  // without the first brace
      text.erase(0, end + 1);
    }
    return absl::OkStatus();
  }
  void ShowMarker(const std::string& members) {
    std::string view;
    if (!view_.empty()) {
      view = "\"view\":";
      JsonWriter(&view).String(view_);
      view += ",";
    }
    Print(absl::StrCat(view, members, "}"));
  }
  absl::Status ShowMirror(const Mirror& mirror) {
    std::vector<std::string> rows;
    absl::Status status;
    mirror.Read().rows.ForEach([&](const RowRef& row) {
      const auto key = rows_->KeyJsonOfRow(row->row);
      const auto all = rows_->RowJson(row->row);
      status = key.ok() ? all.status() : key.status();
      if (!status.ok()) return false;
      rows.push_back(absl::StrCat("{\"key\":", *key, ",\"row\":", *all, "}"));
      return true;
    });
    RETURN_IF_ERROR(status);
    ShowMarker(absl::StrCat(R"("marker":"mirror","rows":[)",
                            absl::StrJoin(rows, ","), "]"));
    return absl::OkStatus();
  }

 private:
  void Print(const std::string& rest) {
    std::cout << "{";
    if (numbered_) std::cout << "\"watch\":" << number_ << ",";
    std::cout << rest << std::endl;
  }

  const std::string view_;
  const std::unique_ptr<DynamicRows> rows_;
  const WatchLines lines_;
  const bool numbered_;
  uint32_t number_ = 0;
};

// Of which the process waits for one.
class Ends {
 public:
  // Told to, or by an error. The first one counts.
  void Come(const absl::Status& why) {
    MutexLock lock(&mutex_);
    if (!why_.has_value()) why_ = why;
    changed_.SignalAll();
  }
  absl::Status Wait() {
    MutexLock lock(&mutex_);
    while (!why_.has_value()) changed_.Wait(&mutex_);
    return *why_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Status> why_ ABSL_GUARDED_BY(mutex_);
};

// One view, as it is asked for.
struct Asked {
  SubscribeOptions options;
  std::unique_ptr<Teller> teller;
};

// "name":"value"
std::string Member(const std::string& name, absl::string_view value) {
  std::string text = absl::StrCat("\"", name, "\":");
  JsonWriter(&text).String(value);
  return text;
}

class Driver {
 public:
  Driver(const Arguments& arguments, std::unique_ptr<Client> client)
      : mirror_(arguments.is_set("mirror")),
        commands_(arguments.is_set("commands")),
        several_(arguments.words().size() > 1),
        client_(std::move(client)) {}

  absl::Status Start(const std::vector<WatchSpec>& specs, bool session);
  // The process's exit status.
  int Finish();
  // Whoever calls it is stdin's reader: until the end of it.
  void ReadCommands();
  void End() { ends_.Come(absl::OkStatus()); }

 private:
  struct Held {
    std::unique_ptr<Teller> teller;
    std::unique_ptr<client::Watch> watch;
    bool failed = false;
  };

  absl::StatusOr<Asked> Ask(const WatchSpec& spec, bool keyed);
  client::Handlers HandlersOf(Teller* teller);
  void AddWatch(Asked asked);
  void WatchEnded(Teller* teller, const absl::Status& why);
  // The last line, once.
  void TellIfBroken(Teller* teller, const absl::Status& why);
  absl::Status Obey(const JsonLine& command);
  absl::Status ObeyKeys(const JsonLine& command);
  absl::Status ObeyOpen(const JsonLine& open);
  absl::Status ShowMirrors();

  const bool mirror_;
  const bool commands_;
  const bool several_;
  const std::unique_ptr<Client> client_;
  Ends ends_;
  bool told_of_broken_ = false;  // the stream's thread

  std::unique_ptr<Teller> teller_;  // of the subscription
  std::unique_ptr<client::Subscription> subscription_;
  std::unique_ptr<client::Session> session_;
  Mutex mutex_;
  std::map<uint32_t, Held> watches_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<Asked> Driver::Ask(const WatchSpec& spec, bool keyed) {
  Asked asked;
  ASSIGN_OR_RETURN(std::unique_ptr<DynamicRows> rows, client_->Rows(spec.view));
  asked.options.view = spec.view;
  asked.options.where = spec.where;
  asked.options.resume_token = spec.resume_token;
  asked.options.keyed = keyed;
  ASSIGN_OR_RETURN(asked.options.keys, ParseKeys(*rows, spec.keys));
  ASSIGN_OR_RETURN(const std::vector<std::string> prefix,
                   ParseKeys(*rows, spec.key_prefix));
  if (!prefix.empty()) asked.options.key_prefix = prefix[0];
  WatchSubject subject;
  subject.view = spec.view;
  subject.keys = asked.options.keys;
  subject.key_prefix = asked.options.key_prefix;
  subject.where = spec.where;
  subject.one_of_several = several_;
  asked.teller =
      std::make_unique<Teller>(std::move(subject), std::move(rows), commands_);
  return asked;
}

client::Handlers Driver::HandlersOf(Teller* teller) {
  client::Handlers handlers;
  handlers.on_event = [teller, this](const Event& event) {
    told_of_broken_ |= event.kind == Event::Kind::kBroken;
    return teller->Show(event);
  };
  return handlers;
}

absl::Status Driver::Start(const std::vector<WatchSpec>& specs, bool session) {
  std::vector<Asked> all;
  for (const WatchSpec& spec : specs) {
    ASSIGN_OR_RETURN(Asked asked, Ask(spec, !spec.keys.empty()));
    all.push_back(std::move(asked));
  }
  if (session) {
    session_ = client_->OpenSession();
    for (Asked& asked : all) AddWatch(std::move(asked));
    return absl::OkStatus();
  }
  teller_ = std::move(all[0].teller);
  client::Handlers handlers = HandlersOf(teller_.get());
  handlers.on_end = [this](const absl::Status& why) {
    TellIfBroken(teller_.get(), why);
    ends_.Come(why);
  };
  subscription_ = client_->Subscribe(all[0].options, std::move(handlers));
  return absl::OkStatus();
}

void Driver::AddWatch(Asked asked) {
  Teller* const teller = asked.teller.get();
  client::Handlers handlers = HandlersOf(teller);
  handlers.on_keys_applied = [teller, this](uint64_t request) {
    if (!commands_) return;
    teller->ShowMarker(absl::StrCat(Member("marker", "keys_applied"),
                                    ",\"request\":", request));
  };
  handlers.on_end = [teller, this](const absl::Status& why) {
    WatchEnded(teller, why);
  };
  MutexLock lock(&mutex_);
  const auto number = static_cast<uint32_t>(watches_.size() + 1);
  Held& held = watches_[number];
  held.teller = std::move(asked.teller);
  teller->set_number(number);
  held.watch = session_->AddWatch(asked.options, std::move(handlers));
}

void Driver::TellIfBroken(Teller* teller, const absl::Status& why) {
  if (!absl::IsDataLoss(why) || told_of_broken_) return;
  told_of_broken_ = true;
  teller->ShowMarker(absl::StrCat(Member("marker", "error"), ",",
                                  Member("detail", why.message())));
}

void Driver::WatchEnded(Teller* teller, const absl::Status& why) {
  if (why.ok()) return;
  TellIfBroken(teller, why);
  if (absl::IsDataLoss(why) || session_->ended() || !commands_) {
    ends_.Come(why);
    return;
  }
  teller->ShowMarker(
      absl::StrCat(Member("marker", "failed"), ",",
                   Member("code", absl::StatusCodeToString(why.code())), ",",
                   Member("detail", why.message())));
  MutexLock lock(&mutex_);
  for (auto& [number, held] : watches_) {
    if (held.teller.get() == teller) held.failed = true;
  }
}

absl::Status Driver::ObeyKeys(const JsonLine& command) {
  ASSIGN_OR_RETURN(const int64_t number, command.Int("watch"));
  MutexLock lock(&mutex_);
  const auto at = watches_.find(static_cast<uint32_t>(number));
  if (at == watches_.end() || at->second.watch == nullptr) {
    return absl::NotFoundError(absl::StrCat("no watch ", number));
  }
  const auto keys =
      [&](const char* name) -> absl::StatusOr<std::vector<std::string>> {
    if (!command.Has(name)) return std::vector<std::string>();
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, command.Jsons(name));
    return ParseKeys(at->second.teller->rows(), texts);
  };
  ASSIGN_OR_RETURN(std::vector<std::string> add, keys("add"));
  ASSIGN_OR_RETURN(std::vector<std::string> remove, keys("remove"));
  return at->second.watch->ChangeKeys(std::move(add), std::move(remove))
      .status();
}

absl::Status Driver::ObeyOpen(const JsonLine& open) {
  WatchSpec spec;
  ASSIGN_OR_RETURN(spec.view, open.Text("view"));
  if (open.Has("keys")) {
    ASSIGN_OR_RETURN(spec.keys, open.Jsons("keys"));
  }
  if (open.Has("key_prefix")) {
    ASSIGN_OR_RETURN(std::string prefix, open.Json("key_prefix"));
    spec.key_prefix.push_back(std::move(prefix));
  }
  if (open.Has("where")) {
    ASSIGN_OR_RETURN(spec.where, open.Text("where"));
  }
  ASSIGN_OR_RETURN(Asked asked, Ask(spec, open.Has("keys")));
  AddWatch(std::move(asked));
  return absl::OkStatus();
}

absl::Status Driver::Obey(const JsonLine& command) {
  if (command.Has("open")) {
    ASSIGN_OR_RETURN(const std::string text, command.Json("open"));
    ASSIGN_OR_RETURN(const JsonLine open, JsonLine::Parse(text));
    return ObeyOpen(open);
  }
  if (!command.Has("unwatch")) return ObeyKeys(command);
  ASSIGN_OR_RETURN(const int64_t number, command.Int("unwatch"));
  std::unique_ptr<client::Watch> given_up;  // goes without the lock
  MutexLock lock(&mutex_);
  const auto at = watches_.find(static_cast<uint32_t>(number));
  if (at == watches_.end()) {
    return absl::NotFoundError(absl::StrCat("no watch ", number));
  }
  given_up = std::move(at->second.watch);
  return absl::OkStatus();
}

void Driver::ReadCommands() {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!commands_) continue;
    const auto command = JsonLine::Parse(line);
    const absl::Status obeyed =
        command.ok() ? Obey(*command) : command.status();
    if (!obeyed.ok()) ends_.Come(obeyed);
  }
  End();
}

absl::Status Driver::ShowMirrors() {
  if (subscription_ != nullptr) {
    return teller_->ShowMirror(subscription_->rows());
  }
  MutexLock lock(&mutex_);
  for (auto& [number, held] : watches_) {
    if (held.watch == nullptr || held.failed) continue;
    RETURN_IF_ERROR(held.teller->ShowMirror(held.watch->rows()));
  }
  return absl::OkStatus();
}

int Driver::Finish() {
  absl::Status why = ends_.Wait();
  if (subscription_ != nullptr) {
    subscription_->Stop();
    subscription_->Wait().IgnoreError();
  } else {
    session_->Stop();
    session_->Wait().IgnoreError();
  }
  if (why.ok() && mirror_) why = ShowMirrors();
  if (why.ok()) return EXIT_SUCCESS;
  if (!absl::IsDataLoss(why)) std::cerr << why << std::endl;
  return EXIT_FAILURE;
}

absl::StatusOr<int> Main(const std::vector<std::string>& words) {
  const Command command = DriverCommand();
  FlagSources sources;
  sources.environment = [](const std::string&) { return std::nullopt; };
  ASSIGN_OR_RETURN(const Arguments arguments,
                   ParseArguments({command}, command, words, sources));
  ASSIGN_OR_RETURN(const std::vector<WatchSpec> specs,
                   ParseWatchSpecs(arguments));
  client::ClientOptions options;
  options.server = arguments.text("server");
  if (arguments.has("timeout-ms")) {
    options.timeout_ms = arguments.number("timeout-ms");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                   Client::Create(std::move(options)));
  if (arguments.is_set("reads")) {
    RETURN_IF_ERROR(ObeyReads(client.get(), specs[0].view, &std::cin));
    return EXIT_SUCCESS;
  }
  // It lives for as long as the process, whose reader of stdin may never end.
  auto* const driver = new Driver(arguments, std::move(client));
  RETURN_IF_ERROR(driver->Start(
      specs, arguments.is_set("session") || arguments.is_set("commands")));
  if (arguments.is_set("mirror") || arguments.is_set("commands")) {
    std::thread([driver] { driver->ReadCommands(); }).detach();
  }
  const SignalThread signals([driver](int) { driver->End(); });
  return driver->Finish();
}

}  // namespace

// client_setup.cc prints through it.
void PrintError(absl::string_view message) {
  std::cerr << "conformance_driver: " << message << "\n";
}

}  // namespace tidegate

int main(int argc, char** argv) {
  tidegate::BlockStopSignals();
  const auto status =
      tidegate::Main(std::vector<std::string>(argv + 1, argv + argc));
  if (!status.ok()) std::cerr << status.status() << std::endl;
  std::_Exit(status.value_or(EXIT_FAILURE));
}
