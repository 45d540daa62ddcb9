// What is known of a registry's schemas, and which of them to ask for when:
// pure, time is an argument.
#ifndef TIDEGATE_INGEST_REGISTRY_REGISTRY_CACHE_H_
#define TIDEGATE_INGEST_REGISTRY_REGISTRY_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ingest/decode/writer_schema.h"

namespace tidegate {

// Pauses double from the first up to the greatest; each is taken from its upper
// half at random.
inline constexpr int64_t kFirstRegistryRetryMs = 100;
inline constexpr int64_t kMaxRegistryRetryMs = 5'000;

// A registry's replica may not have heard of a schema yet: an id that is not
// found is asked for so often, over a second and a half, before that is final.
inline constexpr int kNotFoundTries = 5;
// Final answers but schemas are asked for again after so long, if they are
// wanted then.
inline constexpr int64_t kRememberFailureMs = 60'000;
// While so many ids are not to be found, no more of them are asked for twice:
// they are bytes that are no ids.
inline constexpr size_t kMaxPatientIds = 8;

// Schemas that are kept; the ones used least recently go first.
inline constexpr size_t kMaxCachedSchemas = 1024;
inline constexpr size_t kMaxCachedSchemaBytes = 64u << 20;
// Schemas that are asked for at a time.
inline constexpr size_t kMaxAwaitedSchemas = 1024;

// Thread-compatible. Times are milliseconds of a clock that only moves forward.
class RegistryCache {
 public:
  explicit RegistryCache(uint64_t seed) : random_(seed) {}

  // The schema, if it is here. Unavailable: it is awaited from now on, with
  // the last trouble in the message. NotFound: the registry has no such schema.
  // FailedPrecondition: it can never be used.
  absl::StatusOr<std::shared_ptr<const WriterSchema>> Get(int32_t id,
                                                          int64_t now_ms);
  // The id to ask for now, if one is due; then Fetched() must follow.
  std::optional<int32_t> StartFetch(int64_t now_ms);
  // When StartFetch() will have an id; nothing: not by the passing of time.
  std::optional<int64_t> NextDueMs() const;
  // With the statuses of FetchSchema(). True if the answer is final.
  bool Fetched(int32_t id, absl::StatusOr<WriterSchema> answer, int64_t now_ms);

  size_t cached() const { return cached_; }
  size_t awaited() const { return awaited_; }

 private:
  struct Entry {
    std::shared_ptr<const WriterSchema> schema;
    absl::Status failure;  // final if `is_final`; else the last trouble
    bool is_final = false;
    bool under_way = false;
    bool in_trouble = false;  // the last try found no registry to answer
    int tries = 0;            // that were not found
    int troubles = 0;         // in a row
    int64_t due_ms = 0;
    int64_t forget_at_ms = 0;  // a final failure
    uint64_t used = 0;
    size_t bytes = 0;
  };
  int64_t PauseMs(int failures);
  void Fail(Entry* entry, absl::Status why, int64_t now_ms);
  size_t MissingIds(int64_t now_ms) const;
  void EvictTo(size_t schemas, size_t bytes);
  void RetryTroubled(int64_t now_ms);

  std::minstd_rand random_;
  std::map<int32_t, Entry> entries_;
  uint64_t clock_ = 0;  // of uses
  size_t awaited_ = 0;
  size_t cached_ = 0;  // final entries, failures too
  size_t cached_bytes_ = 0;
};

}  // namespace tidegate

#endif  // TIDEGATE_INGEST_REGISTRY_REGISTRY_CACHE_H_
