// A client of one schema registry, and all of them that a process has.
#ifndef TIDEGATE_INGEST_REGISTRY_SCHEMA_REGISTRY_H_
#define TIDEGATE_INGEST_REGISTRY_SCHEMA_REGISTRY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "ingest/registry/http_client.h"
#include "ingest/registry/registry_cache.h"
#include "ingest/registry/schema_fetch.h"
#include "ingest/registry/writer_decoders.h"

namespace tidegate {

// A registry as metrics show it.
struct RegistryStatus {
  std::string url;
  std::array<int64_t, kRegistryOutcomes> requests{};  // by RegistryOutcome
  int64_t cached = 0;   // schemas, and ids known to be of no use
  int64_t awaited = 0;  // schemas that records wait for
  bool up = true;       // the last request was answered as it should be
  std::optional<int64_t> last_answer_age_ms;  // of any kind; nothing: none yet
};

// Fetches schemas and makes decoders on a thread of its own. Thread-safe.
class SchemaRegistry {
 public:
  // `seed` is for the pauses between tries.
  SchemaRegistry(std::string url, std::unique_ptr<HttpClient> http,
                 uint64_t seed);
  // Ends the thread. What was opened must be gone.
  ~SchemaRegistry();

  std::unique_ptr<WriterDecoders> Open(WriterDecoderMaker make,
                                       std::function<void()> wake);
  RegistryStatus status() const;

 private:
  class Client;
  // A decoder that somebody waits for.
  struct Job {
    Client* client = nullptr;
    int32_t id = 0;
    std::vector<int> message_indexes;
    bool done = false;
    absl::Status failure;  // of one that is done
    std::unique_ptr<Decoder> decoder;
  };

  absl::StatusOr<std::unique_ptr<Decoder>> Take(
      Client* client, int32_t id, const std::vector<int>& message_indexes);
  void Close(Client* client);

  void Run();
  // Each true if there was one; both let go of the mutex while they work.
  bool MakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool FetchOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(Job* job, absl::StatusOr<std::unique_ptr<Decoder>> result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(RegistryOutcome outcome);
  void SetUp(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string url_;
  const std::unique_ptr<HttpClient> http_;
  std::array<std::atomic<int64_t>, kRegistryOutcomes> requests_{};
  std::atomic<int64_t> last_answer_ms_{-1};  // steady; -1: none yet

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool up_ ABSL_GUARDED_BY(mutex_) = true;
  RegistryCache cache_ ABSL_GUARDED_BY(mutex_);
  std::list<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  // Whose maker is at work, with the mutex let go.
  const Client* making_for_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

// One SchemaRegistry for each URL, made at its first use. Thread-safe.
class HttpSchemaRegistries final : public SchemaRegistries {
 public:
  // The client for a registry; InvalidArgument if it cannot be made.
  using Connect = std::function<absl::StatusOr<std::unique_ptr<HttpClient>>(
      const std::string& url)>;
  explicit HttpSchemaRegistries(Connect connect)
      : connect_(std::move(connect)) {}

  absl::StatusOr<std::unique_ptr<WriterDecoders>> Open(
      const std::string& url, WriterDecoderMaker make,
      std::function<void()> wake) override;
  std::vector<RegistryStatus> statuses() const;  // by URL

 private:
  const Connect connect_;
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<SchemaRegistry>> registries_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_SCHEMA_REGISTRY_H_
