#include "ingest/registry/schema_registry.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/log.h"

namespace tidegate {
namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What the fold thread is told of a schema that is here.
absl::Status BeingMade(int32_t id) {
  return absl::UnavailableError(
      absl::StrCat("schema ", id, " is awaited: its decoder is being made"));
}

}  // namespace

class SchemaRegistry::Client final : public WriterDecoders {
 public:
  Client(SchemaRegistry* registry, WriterDecoderMaker make,
         std::function<void()> wake)
      : registry_(registry), make_(std::move(make)), wake_(std::move(wake)) {}
  ~Client() override { registry_->Close(this); }

  absl::StatusOr<std::unique_ptr<Decoder>> Take(
      int32_t schema_id, const std::vector<int>& message_indexes) override {
    return registry_->Take(this, schema_id, message_indexes);
  }

  const WriterDecoderMaker& make() const { return make_; }
  void Wake() const { wake_(); }

 private:
  SchemaRegistry* const registry_;
  const WriterDecoderMaker make_;
  const std::function<void()> wake_;
};

SchemaRegistry::SchemaRegistry(std::string url,
                               std::unique_ptr<HttpClient> http, uint64_t seed)
    : url_(std::move(url)),
      http_(std::move(http)),
      cache_(seed),
      thread_([this] { Run(); }) {}

SchemaRegistry::~SchemaRegistry() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  http_->Cancel();
  thread_.join();
}

std::unique_ptr<WriterDecoders> SchemaRegistry::Open(
    WriterDecoderMaker make, std::function<void()> wake) {
  return std::make_unique<Client>(this, std::move(make), std::move(wake));
}

void SchemaRegistry::Close(Client* client) {
  MutexLock lock(&mutex_);
  while (making_for_ == client) changed_.Wait(&mutex_);
  jobs_.remove_if([client](const Job& job) { return job.client == client; });
}

absl::StatusOr<std::unique_ptr<Decoder>> SchemaRegistry::Take(
    Client* client, int32_t id, const std::vector<int>& message_indexes) {
  MutexLock lock(&mutex_);
  const auto job =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& other) {
        return other.client == client && other.id == id &&
               other.message_indexes == message_indexes;
      });
  if (job != jobs_.end() && job->done) {
    const absl::Status failure = job->failure;
    std::unique_ptr<Decoder> decoder = std::move(job->decoder);
    jobs_.erase(job);
    if (!failure.ok()) return failure;
    return decoder;
  }
  const auto schema = cache_.Get(id, NowMs());
  if (!schema.ok() && !absl::IsUnavailable(schema.status())) {
    // A job would keep this for whoever asks next, whenever that is. None is
    // at work: those have their schema.
    if (job != jobs_.end()) jobs_.erase(job);
    return schema.status();
  }
  if (job == jobs_.end()) {
    Job added;
    added.client = client;
    added.id = id;
    added.message_indexes = message_indexes;
    jobs_.push_back(std::move(added));
    changed_.SignalAll();
  }
  return schema.ok() ? BeingMade(id) : schema.status();
}

void SchemaRegistry::Finish(Job* job,
                            absl::StatusOr<std::unique_ptr<Decoder>> result) {
  job->failure = result.status();
  if (result.ok()) job->decoder = *std::move(result);
  job->done = true;
  job->client->Wake();
}

bool SchemaRegistry::MakeOne() {
  for (Job& job : jobs_) {
    if (job.done) continue;
    const auto schema = cache_.Get(job.id, NowMs());
    if (absl::IsUnavailable(schema.status())) continue;
    if (!schema.ok()) {
      Finish(&job, schema.status());
      return true;
    }
    // Close() waits, so the job stays.
    making_for_ = job.client;
    mutex_.Unlock();
    auto made = job.client->make()(**schema, job.message_indexes);
    mutex_.Lock();
    making_for_ = nullptr;
    if (!made.ok()) {
      made = absl::FailedPreconditionError(made.status().message());
    }
    Finish(&job, std::move(made));
    changed_.SignalAll();
    return true;
  }
  return false;
}

void SchemaRegistry::Count(RegistryOutcome outcome) {
  requests_[static_cast<size_t>(outcome)].fetch_add(1);
  if (outcome != RegistryOutcome::kUnreachable) last_answer_ms_.store(NowMs());
}

void SchemaRegistry::SetUp(const absl::Status& status) {
  const bool up = status.ok() || absl::IsNotFound(status) ||
                  absl::IsFailedPrecondition(status);
  if (up == up_) return;
  up_ = up;
  if (up) {
    Log(LogLevel::kInfo, "schema registry answers again", {{"url", url_}});
  } else {
    Log(LogLevel::kWarning, "schema registry in trouble, will be asked again",
        {{"url", url_}, {"error", status.message()}});
  }
}

bool SchemaRegistry::FetchOne() {
  const std::optional<int32_t> id = cache_.StartFetch(NowMs());
  if (!id.has_value()) return false;
  mutex_.Unlock();
  auto schema =
      FetchSchema(http_.get(), url_, *id,
                  [this](RegistryOutcome outcome) { Count(outcome); });
  mutex_.Lock();
  if (!stopping_) SetUp(schema.status());
  cache_.Fetched(*id, std::move(schema), NowMs());
  return true;
}

void SchemaRegistry::Run() {
  mutex_.Lock();
  while (!stopping_) {
    if (MakeOne() || FetchOne()) continue;
    const std::optional<int64_t> due_ms = cache_.NextDueMs();
    if (!due_ms.has_value()) {
      changed_.Wait(&mutex_);
      continue;
    }
    const int64_t pause_ms = std::max<int64_t>(*due_ms - NowMs(), 1);
    changed_.WaitFor(&mutex_, std::chrono::milliseconds(pause_ms));
  }
  mutex_.Unlock();
}

RegistryStatus SchemaRegistry::status() const {
  RegistryStatus status;
  status.url = url_;
  for (size_t i = 0; i < requests_.size(); ++i) {
    status.requests[i] = requests_[i].load();
  }
  if (const int64_t answered_ms = last_answer_ms_.load(); answered_ms >= 0) {
    status.last_answer_age_ms = NowMs() - answered_ms;
  }
  MutexLock lock(&mutex_);
  status.cached = static_cast<int64_t>(cache_.cached());
  status.awaited = static_cast<int64_t>(cache_.awaited());
  status.up = up_;
  return status;
}

absl::StatusOr<std::unique_ptr<WriterDecoders>> HttpSchemaRegistries::Open(
    const std::string& url, WriterDecoderMaker make,
    std::function<void()> wake) {
  if (absl::StrContains(url, '@')) {
    // And it is not repeated here.
    return absl::InvalidArgumentError(
        "schema.registry has a user in its URL: credentials belong into a file "
        "that --schema-registry-config names");
  }
  const std::string base(absl::StripSuffix(url, "/"));
  MutexLock lock(&mutex_);
  auto found = registries_.find(base);
  if (found == registries_.end()) {
    auto http = connect_(base);
    if (!http.ok()) return http.status();
    found =
        registries_
            .emplace(base, std::make_unique<SchemaRegistry>(
                               base, *std::move(http), std::random_device()()))
            .first;
  }
  return found->second->Open(std::move(make), std::move(wake));
}

std::vector<RegistryStatus> HttpSchemaRegistries::statuses() const {
  std::vector<RegistryStatus> statuses;
  MutexLock lock(&mutex_);
  for (const auto& [url, registry] : registries_) {
    statuses.push_back(registry->status());
  }
  return statuses;
}

}  // namespace tidegate
