#include "ingest/registry/registry_cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

size_t BytesOf(const WriterSchema& schema) {
  size_t bytes = schema.text.size();
  for (const WriterSchema::Reference& reference : schema.references) {
    bytes += reference.name.size() + reference.text.size();
  }
  return bytes;
}

absl::Status About(int32_t id, absl::string_view what,
                   const absl::Status& why) {
  const absl::string_view detail = why.message();
  return absl::Status(
      why.code(),
      absl::StrCat("schema ", id, what, detail.empty() ? "" : ": ", detail));
}

}  // namespace

int64_t RegistryCache::PauseMs(int failures) {
  int64_t pause_ms = kFirstRegistryRetryMs;
  for (int i = 1; i < failures && pause_ms < kMaxRegistryRetryMs; ++i) {
    pause_ms *= 2;
  }
  pause_ms = std::min(pause_ms, kMaxRegistryRetryMs);
  const int64_t half = pause_ms / 2;
  return half + static_cast<int64_t>(random_() % (pause_ms - half + 1));
}

absl::StatusOr<std::shared_ptr<const WriterSchema>> RegistryCache::Get(
    int32_t id, int64_t now_ms) {
  auto found = entries_.find(id);
  if (found != entries_.end() && found->second.is_final &&
      found->second.schema == nullptr && now_ms >= found->second.forget_at_ms) {
    --cached_;
    entries_.erase(found);
    found = entries_.end();
  }
  if (found == entries_.end()) {
    if (awaited_ >= kMaxAwaitedSchemas) {
      return absl::UnavailableError(absl::StrCat(
          "schema ", id, " is awaited behind ", awaited_, " others"));
    }
    ++awaited_;
    found = entries_.try_emplace(id).first;
    found->second.due_ms = now_ms;
  }
  Entry& entry = found->second;
  entry.used = ++clock_;
  if (entry.schema != nullptr) return entry.schema;
  if (entry.is_final) return entry.failure;
  return absl::UnavailableError(
      About(id, " is awaited", entry.failure).message());
}

std::optional<int32_t> RegistryCache::StartFetch(int64_t now_ms) {
  // The one that is due for longest: none is passed over for ever.
  std::map<int32_t, Entry>::iterator first = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const Entry& entry = at->second;
    if (entry.is_final || entry.under_way || entry.due_ms > now_ms) continue;
    if (first == entries_.end() || entry.due_ms < first->second.due_ms) {
      first = at;
    }
  }
  if (first == entries_.end()) return std::nullopt;
  first->second.under_way = true;
  return first->first;
}

std::optional<int64_t> RegistryCache::NextDueMs() const {
  std::optional<int64_t> next;
  for (const auto& [id, entry] : entries_) {
    if (entry.is_final || entry.under_way) continue;
    next = std::min(next.value_or(entry.due_ms), entry.due_ms);
  }
  return next;
}

size_t RegistryCache::MissingIds(int64_t now_ms) const {
  return static_cast<size_t>(std::count_if(
      entries_.begin(), entries_.end(), [now_ms](const auto& entry) {
        return entry.second.is_final && now_ms < entry.second.forget_at_ms &&
               absl::IsNotFound(entry.second.failure);
      }));
}

void RegistryCache::Fail(Entry* entry, absl::Status why, int64_t now_ms) {
  entry->failure = std::move(why);
  entry->is_final = true;
  entry->forget_at_ms = now_ms + kRememberFailureMs;
}

bool RegistryCache::Fetched(int32_t id, absl::StatusOr<WriterSchema> answer,
                            int64_t now_ms) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.is_final) return false;
  Entry& entry = found->second;
  const absl::Status status = answer.status();
  entry.under_way = false;
  entry.in_trouble = false;
  if (status.ok()) {
    entry.bytes = BytesOf(*answer);
    entry.schema = std::make_shared<const WriterSchema>(*std::move(answer));
    entry.is_final = true;
    entry.failure = absl::OkStatus();
  } else if (absl::IsFailedPrecondition(status)) {
    Fail(&entry, About(id, " cannot be used", status), now_ms);
  } else if (absl::IsNotFound(status)) {
    entry.troubles = 0;
    entry.failure = status;
    ++entry.tries;
    entry.due_ms = now_ms + PauseMs(entry.tries);
    if (entry.tries >= kNotFoundTries || MissingIds(now_ms) >= kMaxPatientIds) {
      Fail(&entry, About(id, " is not in the registry", status), now_ms);
    }
  } else {
    entry.in_trouble = true;
    entry.failure = status;
    ++entry.troubles;
    entry.due_ms = now_ms + PauseMs(entry.troubles);
    return false;
  }
  RetryTroubled(now_ms);
  if (!entry.is_final) return false;
  --awaited_;
  ++cached_;
  cached_bytes_ += entry.bytes;
  entry.used = ++clock_;
  EvictTo(kMaxCachedSchemas, kMaxCachedSchemaBytes);
  return true;
}

// The registry answers again: nobody waits out the pause of when it did not.
void RegistryCache::RetryTroubled(int64_t now_ms) {
  for (auto& [id, entry] : entries_) {
    if (entry.is_final || !entry.in_trouble) continue;
    entry.due_ms = std::min(entry.due_ms, now_ms);
    entry.troubles = 0;
  }
}

// But for the one used last, which somebody is about to take.
void RegistryCache::EvictTo(size_t schemas, size_t bytes) {
  while (cached_ > 1 && (cached_ > schemas || cached_bytes_ > bytes)) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (at->second.is_final &&
          (oldest == entries_.end() || at->second.used < oldest->second.used)) {
        oldest = at;
      }
    }
    --cached_;
    cached_bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
  }
}

}  // namespace tidegate
