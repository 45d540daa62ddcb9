#include "views/pipeline/view_hub.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/suggest.h"

namespace tidegate {
namespace {

// An error message names at most this many views.
constexpr size_t kMaxNamedViews = 20;

bool BeforeName(const ViewHub::View& view, absl::string_view name) {
  return view.view->name < name;
}

}  // namespace

absl::string_view PartitionStateName(PartitionState state) {
  switch (state) {
    case PartitionState::kActive:
      return "active";
    case PartitionState::kIdle:
      return "idle";
    case PartitionState::kNoEvents:
      return "no_events";
    case PartitionState::kError:
      return "error";
    case PartitionState::kUnread:
      return "unread";
    case PartitionState::kReplaying:
      return "replaying";
    case PartitionState::kAwaitingSchema:
      return "awaiting_schema";
  }
  return "?";
}

absl::Status ServedPipeline::status() const {
  MutexLock lock(&mutex_);
  return absl::Status(status_code_, status_message_);
}

void ServedPipeline::SetStatus(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    status_code_ = status.code();
    status_message_ = std::string(status.message());
  }
  NotifyCommitted();
}

absl::Status ServedPipeline::EndBuild() {
  const int wait_ms = build_end_asked_.exchange(true) ? 0 : kMaxBuildEndWaitMs;
  if (store_->EndBuild(wait_ms)) return absl::OkStatus();
  return absl::UnavailableError(
      "being built: what has been read so far is being written");
}

std::vector<PartitionWatermark> ServedPipeline::watermarks() const {
  MutexLock lock(&mutex_);
  return watermarks_;
}

void ServedPipeline::SetWatermarks(std::vector<PartitionWatermark> watermarks) {
  MutexLock lock(&mutex_);
  watermarks_.swap(watermarks);
}

void ServedPipeline::AddListener(std::function<void()> listener) {
  MutexLock lock(&mutex_);
  auto more = std::make_shared<std::vector<std::function<void()>>>(*listeners_);
  more->push_back(std::move(listener));
  listeners_ = std::move(more);
}

void ServedPipeline::NotifyCommitted() {
  // Called without the lock, so that a listener may ask for status().
  std::shared_ptr<const std::vector<std::function<void()>>> listeners;
  {
    MutexLock lock(&mutex_);
    listeners = listeners_;
  }
  for (const auto& listener : *listeners) listener();
}

void ViewHub::Add(ServedPipeline* pipeline) {
  pipelines_.push_back(pipeline);
  for (const CatalogView& view : pipeline->catalog().views) {
    if (view.is_private) continue;
    const auto at = std::lower_bound(views_.begin(), views_.end(),
                                     absl::string_view(view.name), BeforeName);
    views_.insert(at, View{pipeline, &view});
  }
}

const ViewHub::View* ViewHub::Find(absl::string_view name) const {
  const auto at =
      std::lower_bound(views_.begin(), views_.end(), name, BeforeName);
  return at != views_.end() && at->view->name == name ? &*at : nullptr;
}

absl::Status ViewHub::NoSuchView(absl::string_view name) const {
  std::vector<std::string> names;
  for (const View& view : views_) names.push_back(view.view->name);
  std::string message = absl::StrCat("no view \"", name, "\"");
  const std::string near = DidYouMean(name, names);
  if (!near.empty()) {
    absl::StrAppend(&message, near);
  } else if (names.empty()) {
    absl::StrAppend(&message, ", and no other view either");
  } else {
    const size_t left = names.size() - std::min(names.size(), kMaxNamedViews);
    names.resize(names.size() - left);
    absl::StrAppend(&message, ", there is ", absl::StrJoin(names, ", "));
    if (left > 0) absl::StrAppend(&message, " and ", left, " more");
  }
  return absl::NotFoundError(message);
}

}  // namespace tidegate
