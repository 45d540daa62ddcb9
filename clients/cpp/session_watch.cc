#include "clients/cpp/session_watch.h"

#include "absl/strings/str_cat.h"
#include "clients/cpp/channel.h"

namespace tidegate::client {

SessionWatch::SessionWatch(WatchOptions options)
    : options_(std::move(options)),
      keyed_(options_.keyed || !options_.keys.empty()),
      keys_(options_.keys.begin(), options_.keys.end()) {}

void SessionWatch::Apply(const Pending& pending) {
  for (const std::string& key : pending.remove) keys_.erase(key);
  keys_.insert(pending.add.begin(), pending.add.end());
}

void SessionWatch::Ask(uint64_t request, std::vector<std::string> add,
                       std::vector<std::string> remove) {
  pending_.push_back({request, std::move(add), std::move(remove)});
}

void SessionWatch::Forget() { Adopt(); }

void SessionWatch::Adopt() {
  if (!keyed_ || !keys_.empty()) return;
  for (const Pending& pending : pending_) {
    Apply(pending);
    at_snapshot_end_.push_back(pending.request);
  }
  pending_.clear();
}

v1::SessionRequest SessionWatch::Opening(uint32_t id,
                                         const std::string& token) const {
  v1::SessionRequest request;
  request.mutable_watch()->set_id(id);
  v1::SubscribeRequest* const to = request.mutable_watch()->mutable_subscribe();
  to->set_view(options_.view);
  for (const std::string& key : keys_) to->add_keys(key);
  to->set_key_prefix(options_.key_prefix);
  to->set_where(options_.where);
  to->set_resume_token(token);
  if (options_.min_interval_ms > 0) {
    SetMillis(options_.min_interval_ms, to->mutable_min_interval());
  }
  if (options_.progress_interval_ms > 0) {
    SetMillis(options_.progress_interval_ms, to->mutable_progress_interval());
  }
  return request;
}

v1::SessionRequest SessionWatch::ToRequest(uint32_t id,
                                           const Pending& pending) {
  v1::SessionRequest request;
  request.set_request(pending.request);
  request.mutable_keys()->set_id(id);
  for (const std::string& key : pending.add)
    request.mutable_keys()->add_add(key);
  for (const std::string& key : pending.remove) {
    request.mutable_keys()->add_remove(key);
  }
  return request;
}

std::vector<v1::SessionRequest> SessionWatch::Requests(uint32_t id) const {
  std::vector<v1::SessionRequest> requests;
  for (const Pending& pending : pending_) {
    requests.push_back(ToRequest(id, pending));
  }
  return requests;
}

v1::SessionRequest SessionWatch::LastRequest(uint32_t id) const {
  return ToRequest(id, pending_.back());
}

absl::Status SessionWatch::Applied(uint64_t request) {
  if (pending_.empty() || pending_.front().request != request) {
    return absl::DataLossError(absl::StrCat(
        "keys of request ", request, " applied, expected ",
        pending_.empty() ? std::string("none")
                         : absl::StrCat(pending_.front().request)));
  }
  Apply(pending_.front());
  pending_.pop_front();
  return absl::OkStatus();
}

std::vector<uint64_t> SessionWatch::SnapshotEnded() {
  return std::exchange(at_snapshot_end_, {});
}

}  // namespace tidegate::client
