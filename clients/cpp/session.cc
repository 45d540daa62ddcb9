#include "clients/cpp/session.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "clients/cpp/mirror_feed.h"
#include "clients/cpp/session_client.h"

namespace tidegate::client {
namespace {

// A watch as the session's thread and its handle share it.
struct Shared {
  Shared(const ConnectOptions& connect, const SubscribeOptions& options,
         Handlers handlers, KeyOrderSource order_of)
      : feed(connect, options, std::move(handlers), std::move(order_of)) {}
  MirrorFeed feed;
  std::atomic<bool> given_up{false};
  Mutex busy;  // held while its handlers run
};

// What lives for as long as the session or one of its watches does.
class Core {
 public:
  Core(const ConnectOptions& connect, KeyOrderSource order_of)
      : connect_(connect),
        order_of_(std::move(order_of)),
        client_(SessionClient::Create(connect)) {}

  std::pair<uint32_t, std::shared_ptr<Shared>> Add(
      const SubscribeOptions& options, Handlers handlers);
  void GiveUp(uint32_t number, Shared* watch);
  absl::StatusOr<uint64_t> ChangeKeys(uint32_t number, Shared* watch,
                                      std::vector<std::string> add,
                                      std::vector<std::string> remove);
  // The session's thread.
  void Run();
  bool ended() {
    MutexLock lock(&mutex_);
    return ended_.has_value();
  }
  void Stop();
  absl::Status Wait();
  void Disconnect() { client_->Disconnect(); }

 private:
  void Take(const SessionEvent& event);
  absl::Status TakeOf(const SessionEvent& event, Shared* watch);
  // Runs `what` unless the watch has been given up; an error ends the watch.
  void Deliver(uint32_t number, Shared* watch,
               absl::FunctionRef<absl::Status()> what);
  void End(Shared* watch, const absl::Status& why);
  std::map<uint32_t, std::shared_ptr<Shared>> watches();

  const ConnectOptions connect_;
  const KeyOrderSource order_of_;
  const std::unique_ptr<SessionClient> client_;
  std::atomic<std::thread::id> thread_{};

  Mutex mutex_;
  CondVar changed_;
  std::map<uint32_t, std::shared_ptr<Shared>> watches_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
  bool all_told_ ABSL_GUARDED_BY(mutex_) = false;
};

std::pair<uint32_t, std::shared_ptr<Shared>> Core::Add(
    const SubscribeOptions& options, Handlers handlers) {
  auto watch = std::make_shared<Shared>(connect_, options, std::move(handlers),
                                        order_of_);
  std::optional<absl::Status> ended;
  uint32_t number = 0;
  {
    // Held for both: its first event may come at once.
    MutexLock lock(&mutex_);
    number = client_->AddWatch(options);
    ended = ended_;
    if (!ended.has_value()) watches_[number] = watch;
  }
  if (ended.has_value()) End(watch.get(), *ended);
  return {number, std::move(watch)};
}

void Core::GiveUp(uint32_t number, Shared* watch) {
  {
    MutexLock lock(&mutex_);
    watches_.erase(number);
  }
  client_->RemoveWatch(number);
  watch->given_up.store(true);
  watch->feed.Stop();
  if (thread_.load() == std::this_thread::get_id()) return;
  MutexLock lock(
      &watch->busy);  // a handler that runs still has come to its end
}

absl::StatusOr<uint64_t> Core::ChangeKeys(uint32_t number, Shared* watch,
                                          std::vector<std::string> add,
                                          std::vector<std::string> remove) {
  std::vector<std::string> gone;
  for (const std::string& key : remove) {
    if (std::find(add.begin(), add.end(), key) == add.end()) {
      gone.push_back(key);
    }
  }
  // Held for both: the answer may come at once.
  MutexLock lock(&mutex_);
  auto request = client_->ChangeKeys(number, std::move(add), std::move(remove));
  if (request.ok()) watch->feed.KeysAsked(*request, std::move(gone));
  return request;
}

std::map<uint32_t, std::shared_ptr<Shared>> Core::watches() {
  MutexLock lock(&mutex_);
  return watches_;
}

void Core::End(Shared* watch, const absl::Status& why) {
  MutexLock lock(&watch->busy);
  if (!watch->given_up.load()) watch->feed.End(why);
}

void Core::Deliver(uint32_t number, Shared* watch,
                   absl::FunctionRef<absl::Status()> what) {
  absl::Status status;
  {
    MutexLock lock(&watch->busy);
    if (watch->given_up.load()) return;
    status = what();
  }
  if (status.ok() || watch->feed.stopped()) return;
  {
    MutexLock lock(&mutex_);
    watches_.erase(number);
  }
  client_->RemoveWatch(number);
  End(watch, status);
}

absl::Status Core::TakeOf(const SessionEvent& event, Shared* watch) {
  switch (event.kind) {
    case SessionEvent::Kind::kStream:
      return watch->feed.Take(event.event);
    case SessionEvent::Kind::kKeysApplied:
      return watch->feed.TakeKeysApplied(event.request, event.by_snapshot);
    case SessionEvent::Kind::kFailed:
      return event.failure;
    case SessionEvent::Kind::kSession:
      break;
  }
  return watch->feed.TakeOfSession(event.event);
}

void Core::Take(const SessionEvent& event) {
  std::map<uint32_t, std::shared_ptr<Shared>> concerned;
  if (event.kind == SessionEvent::Kind::kSession) {
    concerned = watches();
  } else {
    MutexLock lock(&mutex_);
    const auto at = watches_.find(event.watch);
    if (at != watches_.end()) concerned.insert(*at);
  }
  for (const auto& [number, watch] : concerned) {
    Shared* const shared = watch.get();
    Deliver(number, shared, [&] { return TakeOf(event, shared); });
  }
}

void Core::Run() {
  thread_.store(std::this_thread::get_id());
  const absl::Status status = client_->Run([this](const SessionEvent& event) {
    Take(event);
    return true;
  });
  {
    MutexLock lock(&mutex_);
    ended_ = status;  // watches that come from now on have ended
  }
  for (const auto& [number, watch] : watches()) End(watch.get(), status);
  MutexLock lock(&mutex_);
  all_told_ = true;
  changed_.SignalAll();
}

void Core::Stop() {
  for (const auto& [number, watch] : watches()) watch->feed.Stop();
  client_->Stop();
}

absl::Status Core::Wait() {
  MutexLock lock(&mutex_);
  while (!all_told_) changed_.Wait(&mutex_);
  return *ended_;
}

class SharedWatch : public Watch {
 public:
  SharedWatch(std::shared_ptr<Core> core, uint32_t number,
              std::shared_ptr<Shared> watch)
      : core_(std::move(core)), number_(number), watch_(std::move(watch)) {}
  ~SharedWatch() override { core_->GiveUp(number_, watch_.get()); }
  uint32_t number() const override { return number_; }
  const Mirror& rows() const override { return watch_->feed.mirror(); }
  absl::StatusOr<uint64_t> ChangeKeys(
      std::vector<std::string> add, std::vector<std::string> remove) override {
    return core_->ChangeKeys(number_, watch_.get(), std::move(add),
                             std::move(remove));
  }
  absl::Status WaitForKeys(uint64_t request,
                           std::chrono::milliseconds timeout) const override {
    return watch_->feed.WaitForKeys(request, timeout);
  }

 private:
  const std::shared_ptr<Core> core_;
  const uint32_t number_;
  const std::shared_ptr<Shared> watch_;
};

class ThreadedSession : public Session {
 public:
  ThreadedSession(const ConnectOptions& connect, KeyOrderSource order_of)
      : core_(std::make_shared<Core>(connect, std::move(order_of))),
        thread_([core = core_.get()] { core->Run(); }) {}
  ~ThreadedSession() override {
    core_->Stop();
    thread_.join();
  }
  std::unique_ptr<Watch> AddWatch(const SubscribeOptions& options,
                                  Handlers handlers) override {
    auto [number, watch] = core_->Add(options, std::move(handlers));
    return std::make_unique<SharedWatch>(core_, number, std::move(watch));
  }
  bool ended() const override { return core_->ended(); }
  void Stop() override { core_->Stop(); }
  absl::Status Wait() override { return core_->Wait(); }
  void Disconnect() override { core_->Disconnect(); }

 private:
  const std::shared_ptr<Core> core_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Session> Session::Create(const ConnectOptions& connect,
                                         KeyOrderSource order_of) {
  return std::make_unique<ThreadedSession>(connect, std::move(order_of));
}

}  // namespace tidegate::client
