#include "gateway/core/watch_index.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

// How much of the log one look at new commits reads.
constexpr size_t kTellBytes = 8u << 20;

}  // namespace

WatchIndex::WatchIndex(const ViewHub* hub, GatewayStats* stats,
                       size_t max_watches, bool counts_commits,
                       const SnapshotWork& work)
    : max_watches_(max_watches), counts_commits_(counts_commits) {
  for (ServedPipeline* pipeline : hub->pipelines()) {
    PipelineState state;
    state.pipeline = pipeline;
    state.stats = &stats->pipeline(pipeline->name());
    const auto rows = pipeline->store().HeadView();
    state.told = rows->seq();
    state.watermark = rows->watermark();
    if (work.run != nullptr) {
      state.feeds =
          SnapshotFeeds::Create(&pipeline->store(), work.run, work.on_ready,
                                &stats->snapshot_rows_read);
    }
    pipelines_.push_back(std::move(state));
  }
}

ProcessingTime WatchIndex::TendFeeds(ProcessingTime now, ProcessingTime never) {
  ProcessingTime next = never;
  for (PipelineState& state : pipelines_) {
    if (state.feeds == nullptr) continue;
    next = std::min(next, state.feeds->Tend(now).value_or(never));
  }
  return next;
}

WatchIndex::PipelineState& WatchIndex::StateOf(const ServedPipeline* pipeline) {
  for (PipelineState& state : pipelines_) {
    if (state.pipeline == pipeline) return state;
  }
  std::abort();  // the hub has every view's pipeline
}

absl::Status WatchIndex::Add(Watch* watch) {
  if (watches_.size() >= max_watches_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("too many watches, limit ", max_watches_));
  }
  PipelineState& state = StateOf(watch->pipeline);
  state.index.Add(watch, watch->subscription->filter());
  watch->stopped = state.stopped;
  watches_.insert(watch);
  return absl::OkStatus();
}

void WatchIndex::Remove(Watch* watch) {
  if (watches_.erase(watch) == 0) return;
  StateOf(watch->pipeline).index.Remove(watch, watch->subscription->filter());
}

void WatchIndex::AddKey(Watch* watch, absl::string_view key) {
  StateOf(watch->pipeline)
      .index.AddKey(watch, watch->subscription->filter().view, key);
}

void WatchIndex::RemoveKey(Watch* watch, absl::string_view key) {
  StateOf(watch->pipeline)
      .index.RemoveKey(watch, watch->subscription->filter().view, key);
}

void WatchIndex::SkipIdle(Watch* watch) {
  if (!watch->waiting) return;
  const PipelineState& state = StateOf(watch->pipeline);
  watch->subscription->SkipTo(state.told, state.watermark);
}

void WatchIndex::Tell(absl::FunctionRef<void(Watch*)> woken) {
  for (PipelineState& state : pipelines_) {
    while (state.pipeline->store().head() > state.told) {
      TellCommits(&state, woken);
    }
    const bool stopped = absl::IsFailedPrecondition(state.pipeline->status());
    if (stopped != state.stopped) {
      state.stopped = stopped;
      TellStopped(&state, woken);
    }
  }
}

void WatchIndex::TellCommits(PipelineState* state,
                             absl::FunctionRef<void(Watch*)> woken) {
  const MaterializedStore& store = state->pipeline->store();
  const Seq head = store.head();
  const auto commits = store.ReadLog(state->told, kTellBytes);
  const bool known = commits.ok() && !commits->empty();
  concerned_.clear();
  if (known) {
    for (const auto& commit : *commits) {
      state->index.Collect(*commit, &concerned_);
    }
    Count(state, *commits);
  } else {
    // Trimmed already: nobody knows whom it concerned.
    for (Watch* const watch : watches_) {
      if (watch->pipeline == state->pipeline) concerned_.insert(watch);
    }
    if (counts_commits_) {
      state->stats->commits += head.value() - state->told.value();
    }
  }
  for (Watch* const watch : concerned_) {
    SkipIdle(watch);
    watch->waiting = false;
  }
  if (known) {
    state->told = commits->back()->seq();
    state->watermark = commits->back()->watermark();
  } else {
    const auto rows = store.HeadView();
    state->told = rows->seq();
    state->watermark = rows->watermark();
  }
  for (Watch* const watch : concerned_) woken(watch);
}

void WatchIndex::TellStopped(PipelineState* state,
                             absl::FunctionRef<void(Watch*)> woken) {
  for (Watch* const watch : watches_) {
    if (watch->pipeline != state->pipeline) continue;
    watch->stopped = state->stopped;
    woken(watch);
  }
}

void WatchIndex::Count(
    PipelineState* state,
    const std::vector<std::shared_ptr<const Commit>>& commits) const {
  if (!counts_commits_) return;
  PipelineStats& stats = *state->stats;
  stats.commits += commits.size();
  for (const auto& commit : commits) {
    stats.changes += commit->changes().size();
    if (commit->first_record_ms() == 0) continue;
    stats.produced_to_committed.Observe(commit->committed_at().value() -
                                        commit->first_record_ms() * 1000);
  }
}

}  // namespace tidegate
