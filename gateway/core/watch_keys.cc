// The part of Subscription that lets keys come and go.
#include "gateway/core/watch_keys.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace tidegate {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

}  // namespace

void Subscription::SetKeyListener(KeyListener listener) {
  if (keys_ != nullptr) keys_->listener = std::move(listener);
}

size_t Subscription::key_count() const {
  return spec_.filter.keys.size() +
         (keys_ == nullptr ? 0 : keys_->keys_waiting);
}

absl::Status Subscription::ChangeKeys(uint64_t request,
                                      std::vector<std::string> add,
                                      std::vector<std::string> remove) {
  if (keys_ == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("watch of view \"", spec_.view_name,
                     "\" has no keys: it was opened without any"));
  }
  keys_->keys_waiting += add.size();
  keys_->waiting.push_back({request, std::move(add), std::move(remove)});
  keys_asked_ = true;
  return absl::OkStatus();
}

// One pass over the keys there are, however many requests. One that adds what
// an earlier one removes waits: at the earlier one's keys_applied a client
// drops the key, and must get its row after that.
void Subscription::TakeKeyRequests() {
  WatchKeys& state = *keys_;
  absl::btree_map<std::string, bool> net;  // what is left of all: true to add
  auto request = state.waiting.begin();
  for (; request != state.waiting.end(); ++request) {
    const bool again = std::any_of(request->add.begin(), request->add.end(),
                                   [&net](const auto& key) {
                                     const auto at = net.find(key);
                                     return at != net.end() && !at->second;
                                   });
    if (again) break;
    state.keys_waiting -= request->add.size();
    for (const std::string& key : request->remove) net[key] = false;
    for (const std::string& key : request->add) net[key] = true;
  }
  state.taken.assign(std::make_move_iterator(state.waiting.begin()),
                     std::make_move_iterator(request));
  state.waiting.erase(state.waiting.begin(), request);
  const std::vector<std::string>& keys = spec_.filter.keys;
  for (const auto& [key, add] : net) {
    const bool had = std::binary_search(keys.begin(), keys.end(), key);
    if (had != add) (add ? state.joined : state.left).push_back(key);
    if (add) state.keys.push_back(key);
  }
  ChangeFilter(state.joined, state.left);
}

void Subscription::ChangeFilter(const std::vector<std::string>& joined,
                                const std::vector<std::string>& left) {
  if (const KeyListener& listener = keys_->listener; listener) {
    for (const std::string& key : joined) listener(key, true);
    for (const std::string& key : left) listener(key, false);
  }
  std::vector<std::string>& keys = spec_.filter.keys;
  std::vector<std::string> stay;
  stay.reserve(keys.size() + joined.size() - left.size());
  auto gone = left.begin();
  for (std::string& key : keys) {
    if (gone != left.end() && *gone == key) {
      ++gone;
    } else {
      stay.push_back(std::move(key));
    }
  }
  const auto middle = static_cast<ptrdiff_t>(stay.size());
  stay.insert(stay.end(), joined.begin(), joined.end());
  std::inplace_merge(stay.begin(), stay.begin() + middle, stay.end());
  keys = std::move(stay);
}

absl::StatusOr<bool> Subscription::NextOfKeys(ProcessingTime now,
                                              Message* message) {
  if (answering_ || (at_head_ && !fragment_to_)) {
    ASSIGN_OR_RETURN(const bool sent, NextAnswer(now, message));
    if (sent) return true;
  }
  ASSIGN_OR_RETURN(const bool sent, NextDelta(now, message));
  if (sent || !at_head_) return sent;
  return NextAnswer(now, message);
}

absl::StatusOr<bool> Subscription::NextAnswer(ProcessingTime now,
                                              Message* message) {
  WatchKeys& state = *keys_;
  ResponseBuilder builder(&message->own);
  if (!answering_) {
    ASSIGN_OR_RETURN(answering_, BeginAnswer(now, &builder));
    if (!answering_) {
      message->Clear();
      at_head_ = false;
      return false;
    }
  }
  bool full = false;
  while (!full) {
    if (state.rows == nullptr || now.value() - state.rows_opened.value() >
                                     kMaxHeadViewMs * kMicrosPerMilli) {
      state.rows = store_->HeadView();
      state.rows_opened = now;
    }
    if (state.as_of < state.rows->seq()) {
      ASSIGN_OR_RETURN(full, MoveAnswer(&builder));
      continue;
    }
    if (state.next == state.keys.size()) {
      EndAnswer(now, &builder);
      return true;
    }
    RETURN_IF_ERROR(AnswerKey(state.keys[state.next++], &builder));
    full = builder.size() >= kMaxMessageBytes;
  }
  info_.fragment = true;
  builder.SetFragment();
  Finish(now, &builder);
  return true;
}

// What the old keys have still to hear comes first. It has to fit in this
// message, for a range in several is the business of NextDelta: false.
absl::StatusOr<bool> Subscription::BeginAnswer(ProcessingTime now,
                                               ResponseBuilder* builder) {
  WatchKeys& state = *keys_;
  const std::shared_ptr<const ReadView> rows = store_->HeadView();
  state.newest_commit = ProcessingTime();
  if (rows->seq() > scanned_) {
    if (FarBehind()) return false;
    DeltaRange range(&spec_.filter);
    ASSIGN_OR_RETURN(const ReadResult read,
                     ReadRange(scanned_, rows->seq(), &range));
    if (read.to < rows->seq()) return false;
    ASSIGN_OR_RETURN(const bool more,
                     AddChanges(&range, rows->watermark(), builder));
    if (more) {
      fragment_key_.reset();
      return false;
    }
    if (builder->changes() > 0) {
      info_.oldest_commit = read.oldest_commit;
      state.newest_commit = read.newest_commit;
    }
  }
  TakeKeyRequests();
  state.next = 0;
  state.as_of = rows->seq();
  state.rows = rows;
  state.rows_opened = now;
  state.judged_by = rows->watermark();
  return true;
}

// Brings what has been sent of the answer to its present rows; true if that
// does not fit in this message.
absl::StatusOr<bool> Subscription::MoveAnswer(ResponseBuilder* builder) {
  WatchKeys& state = *keys_;
  DeltaRange range(&spec_.filter);
  ASSIGN_OR_RETURN(const ReadResult read,
                   ReadRange(state.as_of, state.rows->seq(), &range));
  if (read.log_end) {
    return absl::DataLossError(absl::StrCat("log ends at ", read.to.value(),
                                            ", rows are as of ",
                                            state.rows->seq().value()));
  }
  ASSIGN_OR_RETURN(const bool more,
                   AddChanges(&range, state.judged_by, builder));
  if (more) {
    fragment_to_ = read.to;
    return true;
  }
  fragment_to_.reset();
  fragment_key_.reset();
  state.as_of = read.to;
  return false;
}

absl::Status Subscription::AnswerKey(const std::string& key,
                                     ResponseBuilder* builder) const {
  const WatchKeys& state = *keys_;
  std::string row;
  bool corrected = false;
  ASSIGN_OR_RETURN(bool matches, state.rows->GetRow(spec_.filter.view, key,
                                                    &row, &corrected));
  if (matches) {
    ASSIGN_OR_RETURN(matches, spec_.filter.Matches(row));
  }
  if (matches) {
    builder->AddUpsert(
        row, FinalityOf(spec_.window, row, corrected, state.judged_by));
    return absl::OkStatus();
  }
  std::string message;
  RETURN_IF_ERROR(KeyToMessage(*spec_.schema, key, &message));
  builder->AddDeleted(message);
  return absl::OkStatus();
}

void Subscription::EndAnswer(ProcessingTime now, ResponseBuilder* builder) {
  WatchKeys& state = *keys_;
  scanned_ = state.as_of;
  watermark_ = std::max(watermark_, state.rows->watermark());
  at_head_ = store_->head() <= scanned_;
  builder->AddRange(announced_, scanned_);
  announced_ = scanned_;
  builder->SetToken(Token());
  builder->SetWatermark(state.judged_by);
  if (state.newest_commit != ProcessingTime()) {
    builder->SetCommittedAt(state.newest_commit);
  }
  for (const WatchKeys::Request& request : state.taken) {
    info_.keys_applied.push_back(request.number);
  }
  Finish(now, builder);
  ClearAnswer();
  keys_asked_ = !state.waiting.empty();
}

void Subscription::ClearAnswer() {
  WatchKeys& state = *keys_;
  answering_ = false;
  state.rows.reset();
  for (auto* keys : {&state.keys, &state.joined, &state.left}) {
    std::vector<std::string>().swap(*keys);
  }
  std::vector<WatchKeys::Request>().swap(state.taken);
}

// As if it had not begun: a client whose stream ends before the answer does
// resumes with the keys that it had, so the snapshot has to be of these.
void Subscription::ForgetAnswer() {
  if (!answering_) return;
  WatchKeys& state = *keys_;
  ChangeFilter(state.left, state.joined);
  for (const WatchKeys::Request& request : state.taken) {
    state.keys_waiting += request.add.size();
  }
  state.waiting.insert(state.waiting.begin(),
                       std::make_move_iterator(state.taken.begin()),
                       std::make_move_iterator(state.taken.end()));
  ClearAnswer();
}

}  // namespace tidegate
